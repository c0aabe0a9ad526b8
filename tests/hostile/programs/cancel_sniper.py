"""Takes from the book in every batch, to be quicker than makers who cancel."""

from execution.lang import (
    RETRY,
    Asset,
    Decimal,
    Outcome,
    Program,
    ProgramRef,
    Rejected,
    Timestamp,
    block,
    external,
    hook,
    schedule,
)
from execution.programs.bank import Bank
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange
from execution.programs.orders import Kind, Side


class CancelSniper(Program):
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
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.tries += 1
        try:
            self.exchange.place(0, Side.BUY, Decimal(0), Decimal("0.001"), Kind.MARKET, 0, False, gas=1_000_000)
        except Rejected:
            self.tries += 1000000
        return RETRY
