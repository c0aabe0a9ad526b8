"""An instrument that calls clearing while clearing values it."""

from execution.lang import Decimal, Feed, Program, ProgramRef, external, view
from execution.programs.clearing import Clearing


class ValueCallsBack(Program):
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
        return self.clearing.equity(self.me)
