"""Puts weights on in several calls of one transaction."""

from scales import Scales

from execution.lang import Decimal, Program, ProgramRef, Rejected, external


class Hand(Program):
    """refused: tolerated calls that failed."""

    scales: ProgramRef[Scales]
    refused: int

    def create(self, scales: ProgramRef[Scales]) -> None:
        self.scales = scales

    @external
    def swap(self, weight: Decimal) -> None:
        self.scales.put(weight, Decimal(0))
        self.scales.put(Decimal(0), weight)

    @external
    def lean(self, weight: Decimal) -> None:
        self.scales.put(weight, Decimal(0))

    @external
    def stumble(self) -> None:
        """The tolerated call is undone, and what it would have broken with it."""
        try:
            self.scales.drop(Decimal(1), gas=500_000)
        except Rejected:
            self.refused += 1

    @external
    def stumble_and_lean(self, weight: Decimal) -> None:
        self.stumble()
        self.scales.put(weight, Decimal(0))
