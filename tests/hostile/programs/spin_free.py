"""A loop of the cheapest instructions there are: much time for little gas, if any loop is."""

from execution.lang import Program, external


class SpinFree(Program):
    @external
    def attack(self, turns: int) -> int:
        a = 1
        b = 2
        for i in range(turns):
            a = max(a, b)
            b = min(b, i)
        return a
