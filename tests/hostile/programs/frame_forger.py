"""Calls one who answers too widely, then moves money in whosever name the kernel believes."""

from trusted import Trusted

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, external, require
from execution.programs.bank import Bank


class FrameForger(Program):
    bank: ProgramRef[Bank]

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, liar: ProgramRef[Trusted], target: Account) -> None:
        self.bank.balance(self.me, Asset(0))
        rest = liar.short()
        require(rest[0] == 1024, "heard nothing")
        self.bank.transfer(Asset(0), target, Decimal("0.001"))
