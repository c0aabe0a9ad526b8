"""Puts a `try` around running out of its own gas, by a cap beyond the rest."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external


class CatchExhaustion(Program):
    caught: int

    @external
    def attack(self, other: ProgramRef[Face]) -> None:
        try:
            other.poke(0, gas=4_000_000_000)
        except Rejected:
            self.caught += 1
