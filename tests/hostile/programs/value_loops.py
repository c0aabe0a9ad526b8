"""An instrument whose valuation never ends."""

from execution.lang import Decimal, Feed, Program, ProgramRef, external, view
from execution.programs.clearing import Clearing


class ValueLoops(Program):
    clearing: ProgramRef[Clearing]
    feed: Feed
    mode: int

    def create(self, clearing: ProgramRef[Clearing], feed: Feed) -> None:
        self.clearing = clearing
        self.feed = feed

    @external
    def pay(self, series: int, per_unit: Decimal, worth: Decimal) -> None:
        self.clearing.pay(series, per_unit, worth)

    @external
    def finish(self, series: int, per_unit: Decimal) -> None:
        self.clearing.finish(series, per_unit)

    @view
    def value(self, series: int) -> Decimal:
        turns = 0
        while turns >= 0:
            turns = (turns + 1) % 10
        return Decimal(turns)
