"""Pays and ends the series of other instruments, and lists itself."""

from execution.lang import Decimal, Program, ProgramRef, external, tx
from execution.programs.clearing import Clearing


class ForeignPayer(Program):
    clearing: ProgramRef[Clearing]

    def create(self, clearing: ProgramRef[Clearing]) -> None:
        self.clearing = clearing

    @external
    def attack(self, which: int) -> None:
        if which == 0:
            self.clearing.pay(0, Decimal(1000), Decimal(1))
        elif which == 1:
            self.clearing.finish(0, Decimal(1))
        elif which == 2:
            self.clearing.claim(0, self.me)
        elif which == 3:
            self.clearing.seize(0, tx.sender)
        elif which == 4:
            self.clearing.settle_seizure(0, tx.sender, Decimal(1), Decimal(0))
        else:
            self.clearing.withdraw(Decimal(1))
