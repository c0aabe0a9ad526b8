"""Enters new keys until its gas is gone, keeping what it got."""

from execution.lang import Map, Program, external


class MapBloat(Program):
    seen: Map[int, int]
    next: int

    @external
    def attack(self, count: int) -> int:
        for _ in range(count):
            self.seen[self.next] = self.next
            self.next += 1
        return self.next
