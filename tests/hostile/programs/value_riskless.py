"""An instrument that hides its risk: the same worth in every world, another one in the next block."""

from execution.lang import Decimal, Feed, Program, ProgramRef, block, external, view
from execution.programs.clearing import Clearing


class ValueRiskless(Program):
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
        return Decimal(100) + block.height % 50
