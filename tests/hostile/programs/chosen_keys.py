"""Keys ground so that their places in a map collide: each costs its chooser more, or is refused."""

from execution.lang import Array, Map, Program, external


class ChosenKeys(Program):
    seen: Map[int, int]

    @external
    def attack(self, base: int, keys: Array[int, 64]) -> int:
        for key in keys:
            self.seen[key] = base
        return len(self.seen)

    @external
    def honest(self, key: int) -> int:
        self.seen[key] = 1
        return self.seen[key]
