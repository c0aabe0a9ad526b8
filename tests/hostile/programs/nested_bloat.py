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
            self._fill(i)
        return len(self.drawers)

    @external
    def clear(self, key: int) -> None:
        self._fill(key)
        del self.drawers[key]

    def _fill(self, key: int) -> None:
        drawer = self.drawers.obtain(key)
        drawer.marks[key] = True
        drawer.items.append(key)
