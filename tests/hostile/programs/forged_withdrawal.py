"""Emits an event of the name, number and words of the bank's withdrawal, of money it never had."""

from execution.lang import Account, Asset, Decimal, Event, Program, emit, external


class Registered(Event):
    index: int


class Transferred(Event):
    index: int


class Credited(Event):
    index: int


class Withdrawn(Event):
    index: int
    account: Account
    asset: Asset
    amount: Decimal


class ForgedWithdrawal(Program):
    @external
    def attack(self, account: Account) -> None:
        for index in range(8):
            emit(Withdrawn(index, account, Asset(0), Decimal(1000000)))
