"""Runs out of gas itself inside a `try`, having changed things on both sides of it."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external


class OutOfGasInTry(Program):
    before: int
    inside: int

    @external
    def attack(self, other: ProgramRef[Face]) -> None:
        self.before += 1
        try:
            other.poke(3, gas=20_000)
            while True:
                self.inside += 1
        except Rejected:
            self.before = 1000
