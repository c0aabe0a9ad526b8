"""Quotes at the ends of what prices and sizes can be."""

from execution.lang import Asset, Decimal, Program, ProgramRef, Timestamp, block, external
from execution.programs.bank import Bank
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange
from execution.programs.orders import Kind, Side


class ExtremeQuoter(Program):
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
    def attack(self, which: int) -> None:
        if which == 0:
            self.exchange.post(0, Side.SELL, Decimal("100000000"), Decimal("1000000000"), 0)
        elif which == 1:
            self.exchange.post(0, Side.BUY, Decimal("0.1"), Decimal("0.001"), 0)
        elif which == 2:
            self.exchange.place(0, Side.BUY, Decimal("170141183460469231731"), Decimal(1), Kind.LIMIT, 0, False)
        elif which == 3:
            self.exchange.place(0, Side.BUY, Decimal("-0.1"), Decimal(1), Kind.LIMIT, 0, False)
        elif which == 4:
            self.exchange.place(0, Side.SELL, Decimal("0.1"), Decimal("0.000000000000000001"), Kind.LIMIT, 0, False)
        else:
            self.exchange.cancel(9223372036854775807)
