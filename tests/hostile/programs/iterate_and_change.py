"""Adds and removes keys of what it iterates."""

from execution.lang import Map, Program, external


class IterateAndChange(Program):
    seen: Map[int, int]

    @external
    def attack(self, removing: bool) -> int:
        for i in range(12):
            self.seen[i] = i
        for key in self.seen:
            if removing:
                del self.seen[key]
            else:
                self.seen[key + 100] = 1
        return len(self.seen)
