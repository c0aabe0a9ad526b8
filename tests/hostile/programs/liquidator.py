"""Liquidates accounts that are healthy, and reprices without end."""

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, Rejected, Timestamp, block, external
from execution.programs.bank import Bank
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange


class Liquidator(Program):
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
    def attack(self, victim: Account) -> int:
        refused = 0
        for _ in range(3):
            try:
                self.exchange.liquidate(0, victim, gas=400_000)
            except Rejected:
                refused += 1
            try:
                self.clearing.reprice(0, gas=600_000)
            except Rejected:
                refused += 1000
        return refused
