"""Mathematics at the arguments that cost most."""

from execution.lang import Decimal, Program, exp, external, ln, norm_inv, pow  # noqa: A004


class MathWorst(Program):
    last: Decimal

    @external
    def attack(self, turns: int) -> None:
        for i in range(turns):
            p = Decimal("0.000000000000000001") * (i % 7 + 1)
            self.last = norm_inv(p) + ln(p) + exp(Decimal("40.999")) * pow(Decimal("0.000000001"), Decimal("1.7"))
