"""Calls others' hooks, and the kernel's entries of the bank, as if it were the kernel."""

from hooked import Hooked

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, block, external, tx
from execution.programs.bank import Bank


class HookCaller(Program):
    bank: ProgramRef[Bank]

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, which: int, victim: Account, other: ProgramRef[Hooked]) -> None:
        if which == 0:
            self.bank.hold(victim, Decimal(1), Decimal(1))
        elif which == 1:
            self.bank.settle(victim, Decimal(1), Decimal(0))
        elif which == 2:
            self.bank.credit(tx.sender, Asset(0), Decimal(1))
        elif which == 3:
            self.bank.pull(victim, Asset(0), Decimal(1))
        elif which == 4:
            self.bank.take_gas(Decimal(1))
        else:
            other.ring(block.time)
