"""Inserts and deletes at the borders of an ordered map's nodes, to split and free them for ever."""

from execution.lang import OrderedMap, Program, external


class ZigzagKeys(Program):
    tree: OrderedMap[int, int]

    @external
    def attack(self, count: int) -> int:
        for i in range(count):
            self.tree[i] = i
        for i in range(count):
            del self.tree[i * 37 % count]
        return len(self.tree)
