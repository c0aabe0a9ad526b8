"""An instrument that will not be valued in bad worlds."""

from execution.lang import Decimal, Feed, Program, ProgramRef, block, external, require, view
from execution.programs.clearing import Clearing


class ValueRejects(Program):
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
        price = self.feed.price()
        require(block.world < 9, "not in this world")
        return price
