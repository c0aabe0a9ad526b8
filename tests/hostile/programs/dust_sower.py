"""Sends dust to derived addresses without number, so that the bank's books grow."""

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, external
from execution.programs.bank import Bank


class DustSower(Program):
    bank: ProgramRef[Bank]
    next: int

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, count: int) -> int:
        for _ in range(count):
            self.bank.transfer(Asset(0), Account.derived(self.me, self.next), Decimal("0.000000000000000001"))
            self.next += 1
        return self.next
