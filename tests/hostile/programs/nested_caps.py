"""Caps within caps, each promising more than the one around it has."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external


class NestedCaps(Program):
    caught: int

    @external
    def attack(self, other: ProgramRef[Face], echo: ProgramRef[Face]) -> int:
        for i in range(1, 8):
            try:
                echo.relay(other.me, 2, gas=5_000 * i)
            except Rejected:
                self.caught += 1
        return self.caught
