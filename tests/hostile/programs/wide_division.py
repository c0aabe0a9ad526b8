"""Divisions of the widest numbers, each on the verge of overflow."""

from execution.lang import Decimal, Program, external, mul_div


class WideDivision(Program):
    last: Decimal

    @external
    def attack(self, turns: int) -> None:
        high = Decimal("170141183460469231731")
        low = Decimal("0.000000000000000003")
        for i in range(turns):
            self.last = mul_div(high, low, high) + high / (high - i) + high % (low + i)
