"""The vault's next version: fees, a third mode, and a count that is made up for at the switch."""

from execution.lang import Account, Decimal, Enum, Event, Map, Program, emit, external, migrate, require, tx, view


class Mode(Enum):
    OPEN = 0
    SHUT = 1
    WINDING_DOWN = 2


class Migrated(Event):
    by: Account
    holders: int


class Vault(Program):
    total: int
    mode: Mode
    shares: Map[Account, int]
    fee: Decimal
    holders: int
    fees: Map[Account, Decimal]

    def create(self) -> None:
        self.total = -1

    @migrate
    def from_first(self, fee: Decimal, spin: int) -> None:
        require(self.holders == 0 and self.fee == 0, "not zero")
        self.fee = fee
        require(fee < 1, "fee too high")
        while spin > 0:
            self.fees[Account.derived(self.me, spin)] = fee
            spin -= 1
        for holder in self.shares:
            self.holders += 1
            self.fees[holder] = fee
        self.mode = Mode.WINDING_DOWN
        emit(Migrated(tx.sender, self.holders))

    @external
    def put(self, amount: int) -> int:
        self.total += amount
        if tx.sender not in self.shares:
            self.holders += 1
        self.shares[tx.sender] = amount
        return self.holders

    @view
    def version(self) -> int:
        return 2
