"""An instrument that writes in its valuation by calling what is no view."""

from viewed import Viewed

from execution.lang import Decimal, Program, ProgramRef, view


class ValueWrites(Program):
    other: ProgramRef[Viewed]

    def create(self, other: ProgramRef[Viewed]) -> None:
        self.other = other

    @view
    def value(self, series: int) -> Decimal:
        return Decimal(self.other.poke(1))
