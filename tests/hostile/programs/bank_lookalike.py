"""Bears the name and the entries of the bank, for those who go by names."""

from execution.lang import Account, Asset, Decimal, Event, Program, emit, external, tx, view


class Transferred(Event):
    asset: Asset
    source: Account
    target: Account
    amount: Decimal


class Bank(Program):
    taken: Decimal

    @external
    def transfer(self, asset: Asset, target: Account, amount: Decimal) -> None:
        self.taken += amount
        emit(Transferred(asset, tx.sender, target, amount))

    @view
    def balance(self, account: Account, asset: Asset) -> Decimal:
        return Decimal(1000000)
