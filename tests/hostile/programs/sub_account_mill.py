"""Opens sub-accounts by the dozen, and tries to open those of sub-accounts and of others."""

from execution.lang import Program, ProgramRef, external
from execution.programs.bank import Bank


class SubAccountMill(Program):
    bank: ProgramRef[Bank]
    next: int

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, count: int) -> int:
        for _ in range(count):
            self.bank.open_sub(self.next)
            self.next += 1
        return self.next
