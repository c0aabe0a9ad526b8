"""Deletes what it entered and enters it again, so that every slot and free list is turned over."""

from execution.lang import Decimal, Map, OrderedMap, Program, external


class Churn(Program):
    seen: Map[int, Decimal]
    ordered: OrderedMap[int, Decimal]

    @external
    def attack(self, count: int) -> int:
        for i in range(count):
            self.seen[i] = Decimal(i)
            self.ordered[count - i] = Decimal(i)
        for i in range(count):
            del self.seen[i]
            del self.ordered[count - i]
        return len(self.seen) + len(self.ordered)
