"""Calls whoever calls it, back into its caller."""

from face import Face

from execution.lang import Program, ProgramRef, external


class Echo(Program):
    seen: int

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        self.seen += 1
        return other.poke(mode)

    @external
    def peek(self, other: ProgramRef[Face], mode: int) -> int:
        self.seen += 1
        return other.look(mode)
