"""Every arithmetic failure there is, one after the other, as the caller chooses."""

from execution.lang import Decimal, Program, external


class OverflowEdge(Program):
    most: int

    @external
    def attack(self, which: int) -> int:
        self.most = 9223372036854775807
        zero = which - which
        if which == 0:
            return self.most + 1
        if which == 1:
            return -(-self.most - 1)
        if which == 2:
            return 1 // zero
        if which == 3:
            return (-self.most - 1) // (zero - 1)
        if which == 4:
            return (Decimal("170141183460469231731") * 2).floor()
        if which == 5:
            return (Decimal(1) / zero).floor()
        return Decimal("170141183460469231731").floor()
