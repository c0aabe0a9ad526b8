"""A series of options: what the factory makes one of, again and again."""

from execution.lang import Account, Decimal, Event, Program, Timestamp, emit, external, require, tx, view


class Listed(Event):
    by: Account
    strike: Decimal


class Option(Program):
    """held: contracts by holder would be a Map; here their sum is enough."""

    factory: Account
    strike: Decimal
    expiry: Timestamp
    held: int

    def create(self, strike: Decimal, expiry: Timestamp) -> None:
        require(strike > 0, "strike must be positive")
        self.factory = tx.sender
        self.strike = strike
        self.expiry = expiry
        emit(Listed(tx.sender, strike))

    @external
    def buy(self, count: int) -> int:
        require(tx.sender == self.factory, "not authorised")
        self.held += count
        return self.held

    @view
    def terms(self) -> Decimal:
        return self.strike
