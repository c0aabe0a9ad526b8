"""Trades with itself, and floods the book with orders it takes back in the same call."""

from execution.lang import Asset, Decimal, Program, ProgramRef, Timestamp, block, external
from execution.programs.bank import Bank
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange
from execution.programs.orders import Kind, Side


class WashTrader(Program):
    exchange: ProgramRef[Exchange]
    bank: ProgramRef[Bank]
    clearing: ProgramRef[Clearing]
    tries: int

    def create(self, exchange: ProgramRef[Exchange], bank: ProgramRef[Bank], clearing: ProgramRef[Clearing]) -> None:
        self.exchange = exchange
        self.bank = bank
        self.clearing = clearing

    @external
    def open(self, amount: Decimal) -> None:
        self.bank.allow(self.clearing.me, Asset(0), amount, Timestamp(block.time.ms + 100000000))
        self.clearing.deposit(amount)

    @external
    def attack(self, rounds: int, price: Decimal) -> int:
        for i in range(rounds):
            self.exchange.post(0, Side.BUY, price, Decimal("0.001"), i)
            self.exchange.place(0, Side.SELL, price, Decimal("0.001"), Kind.IOC, i, False)
        return self.exchange.cancel_all(0, 100)
