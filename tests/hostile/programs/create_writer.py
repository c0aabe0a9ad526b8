"""Writes in `create` as much as it can, before anybody has called it."""

from execution.lang import Map, Program, external


class CreateWriter(Program):
    seen: Map[int, int]

    def create(self, count: int) -> None:
        for i in range(count):
            self.seen[i] = i

    @external
    def attack(self) -> int:
        return len(self.seen)
