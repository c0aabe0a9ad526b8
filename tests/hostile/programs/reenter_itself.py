"""Calls its own entry through a reference to itself."""

from face import Face

from execution.lang import Program, ProgramRef, external


class ReenterItself(Program):
    inside: int

    @external
    def poke(self, mode: int) -> int:
        self.inside += 1
        return self.inside

    @external
    def attack(self, mine: ProgramRef[Face]) -> int:
        return mine.poke(0)
