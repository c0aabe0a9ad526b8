"""Calls an entry that writes as though it were a view, and views that write by calling on."""

from viewed import Viewed

from execution.lang import Program, ProgramRef, external, view


class WritingView(Program):
    kept: int

    @external
    def attack(self, other: ProgramRef[Viewed]) -> int:
        return other.poke(4)

    @view
    def look(self, mode: int) -> int:
        return self.kept
