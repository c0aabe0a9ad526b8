"""Takes from the purses of others by every way that names one."""

from execution.lang import Account, Asset, Decimal, Program, ProgramRef, external
from execution.programs.bank import Bank


class PurseThief(Program):
    bank: ProgramRef[Bank]

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def attack(self, victim: Account, way: int) -> None:
        purse = Account.derived(victim, -1)
        if way == 0:
            self.bank.take_gas(self.bank.gas_balance(victim))
        elif way == 1:
            self.bank.pull(purse, Asset(0), Decimal("0.000001"))
        elif way == 2:
            self.bank.open_sub(-1)
        else:
            self.bank.transfer(Asset(0), purse, Decimal("-0.000001"))
