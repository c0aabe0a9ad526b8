"""Empties its purse in the hook that the purse is paying for."""

from execution.lang import RETRY, Decimal, Outcome, Program, ProgramRef, Timestamp, block, external, hook, schedule
from execution.programs.bank import Bank


class PurseEmptier(Program):
    bank: ProgramRef[Bank]
    taken: Decimal

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        left = self.bank.gas_balance(self.me)
        if left > 0:
            self.bank.take_gas(left)
            self.taken += left
        return RETRY
