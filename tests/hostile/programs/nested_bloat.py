"""Maps in maps: a whole container for each key, and all given back in one deletion."""

from execution.lang import List, Map, Program, Record, external


class Drawer(Record):
    marks: Map[int, bool]
    items: List[int]


class NestedBloat(Program):
    drawers: Map[int, Drawer]

    @external
    def attack(self, count: int) -> int:
        for i in range(count):
            drawer = self.drawers.obtain(i)
            drawer.marks[i] = True
            drawer.items.append(i)
        return len(self.drawers)

    @external
    def clear(self, key: int) -> None:
        del self.drawers[key]
