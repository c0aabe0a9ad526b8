"""A market maker that is a program: it offers, hears of its sales, and buys back what it sold."""

from execution.lang import (
    DONE,
    Asset,
    Decimal,
    Duration,
    Fill,
    List,
    Outcome,
    Program,
    ProgramRef,
    block,
    external,
    hook,
    subscribe_fills,
)
from execution.programs.bank import Bank
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange
from execution.programs.orders import Kind, Side


class Maker(Program):
    """heard: the fills it was told of."""

    bank: ProgramRef[Bank]
    clearing: ProgramRef[Clearing]
    exchange: ProgramRef[Exchange]
    heard: List[Fill]

    def create(self, bank: ProgramRef[Bank], clearing: ProgramRef[Clearing], exchange: ProgramRef[Exchange]) -> None:
        self.bank = bank
        self.clearing = clearing
        self.exchange = exchange
        subscribe_fills(exchange.me, self.filled)

    @external
    def margin(self, amount: Decimal) -> None:
        self.bank.allow(self.clearing.me, Asset(0), amount, block.time + Duration.hours(1))
        self.clearing.deposit(amount)

    @external
    def offer(self, price: Decimal, size: Decimal) -> int:
        return self.exchange.place(0, Side.SELL, price, size, Kind.LIMIT, 0, False).order

    @hook
    def filled(self, fill: Fill) -> Outcome:
        self.heard.append(fill)
        if not fill.bought:
            self.exchange.place(fill.market, Side.BUY, fill.price + 1, fill.size, Kind.IOC, 0, False)
        return DONE
