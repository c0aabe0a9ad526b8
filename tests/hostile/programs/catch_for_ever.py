"""Tolerates a failing call in an endless loop."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external


class CatchForEver(Program):
    failures: int

    @external
    def attack(self, other: ProgramRef[Face]) -> None:
        while True:
            try:
                other.poke(1, gas=2_000)
            except Rejected:
                self.failures += 1
