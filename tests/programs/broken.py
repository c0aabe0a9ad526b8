"""Instruments that lie or fail, for clearing to survive."""

from execution.lang import Account, Decimal, Feed, Program, ProgramRef, Rejected, block, external, require, view
from execution.programs.clearing import Clearing


class Broken(Program):
    """mode 0: the feed's price; 1: refuses; 2: divides by zero; 3: absurd; 4: fails in worlds only; 5: calls back."""

    clearing: ProgramRef[Clearing]
    feed: Feed
    mode: int

    def create(self, clearing: ProgramRef[Clearing], feed: Feed) -> None:
        self.clearing = clearing
        self.feed = feed

    @external
    def set_mode(self, mode: int) -> None:
        self.mode = mode

    @external
    def pay(self, series: int, per_unit: Decimal, worth: Decimal) -> None:
        self.clearing.pay(series, per_unit, worth)

    @external
    def finish(self, series: int, per_unit: Decimal) -> None:
        self.clearing.finish(series, per_unit)

    @view
    def value(self, series: int) -> Decimal:
        price = self.feed.price()
        require(self.mode != 1, "no")
        if self.mode == 2:
            return price / (price - price)
        if self.mode == 3:
            return Decimal("99999999999")
        if self.mode == 4 and block.world > 9:
            raise Rejected("not in this world")
        if self.mode == 5:
            return self.clearing.equity(Account.zero())
        return price
