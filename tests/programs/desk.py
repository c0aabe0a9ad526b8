"""A program that trades for others: whom, they said once to the bank."""

from execution.lang import Account, Decimal, Program, ProgramRef, external
from execution.programs.exchange import Exchange
from execution.programs.orders import Kind, Placed, Side


class Desk(Program):
    exchange: ProgramRef[Exchange]

    def create(self, exchange: ProgramRef[Exchange]) -> None:
        self.exchange = exchange

    @external
    def buy(self, owner: Account, price: Decimal, size: Decimal) -> Placed:
        return self.exchange.place_for(owner, 0, Side.BUY, price, size, Kind.IOC, 0, False)
