"""Appends wide items for as long as it is paid for."""

from execution.lang import List, Program, Struct, external


class Wide(Struct):
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int


class ListBloat(Program):
    items: List[Wide]

    @external
    def attack(self, count: int) -> int:
        for i in range(count):
            self.items.append(Wide(i, i, i, i, i, i, i, i))
        return len(self.items)
