"""An instrument worth the largest number there is, and in other worlds the smallest."""

from execution.lang import Decimal, Feed, Program, ProgramRef, block, external, view
from execution.programs.clearing import Clearing


class ValueExtreme(Program):
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
        if block.world % 2 == 1:
            return Decimal("-170141183460469231731")
        return Decimal("170141183460469231731")
