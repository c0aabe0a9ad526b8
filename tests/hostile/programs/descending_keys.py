"""Inserts into an ordered map from the top down, and from both ends: what degenerates trees."""

from execution.lang import OrderedMap, Program, external


class DescendingKeys(Program):
    tree: OrderedMap[int, int]
    next: int

    @external
    def attack(self, count: int) -> int:
        for _ in range(count):
            self.tree[-self.next] = 1
            self.tree[self.next % 7 * 1000000 - self.next] = 1
            self.next += 1
        return len(self.tree)
