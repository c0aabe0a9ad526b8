"""Withdraws and then fails, so that the burnt money is back, the event gone, and another in its place."""

from face import Face

from execution.lang import Asset, Decimal, Event, Program, ProgramRef, Rejected, emit, external
from execution.programs.bank import Bank


class Kept(Event):
    mode: int


class UndoneWithdrawal(Program):
    bank: ProgramRef[Bank]

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def poke(self, mode: int) -> int:
        self.bank.withdraw(Asset(0), Decimal("0.5"))
        raise Rejected("keep it")

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        try:
            self.bank.withdraw(Asset(0), Decimal("0.25"), gas=100_000)
            other.poke(mode, gas=100_000)
        except Rejected:
            emit(Kept(mode))
        return mode
