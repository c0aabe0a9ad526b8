"""A venue with no book: whoever trades trades with it, at the price he names, and a fee of a hundredth."""

from execution.lang import Account, Decimal, Program, external, hears_fills, report_fill, tx, view


class Venue(Program):
    orders: int
    told: int

    @external
    def trade(self, size: Decimal, price: Decimal) -> int:
        """Buy, or sell a negative size; the order's number."""
        self.orders += 1
        if tx.sender != tx.signer and hears_fills(tx.sender):
            self.told += 1
            report_fill(tx.sender, 3, self.orders, size > 0, price, abs(size), size * price / 100)
        return self.orders

    @external
    def fill(self, owner: Account, size: Decimal, times: int) -> None:
        """Resting orders of the owner were hit, one lot after the other."""
        for _ in range(min(times, 2000)):
            self.orders += 1
            report_fill(owner, 1, self.orders, size > 0, 7, abs(size), 0)

    @view
    def hears(self, owner: Account) -> bool:
        return hears_fills(owner)
