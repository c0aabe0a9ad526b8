"""A vault in its first version."""

from execution.lang import Account, Enum, Map, Program, external, tx, view


class Mode(Enum):
    OPEN = 0
    SHUT = 1


class Vault(Program):
    total: int
    mode: Mode
    shares: Map[Account, int]

    @external
    def put(self, amount: int) -> int:
        self.total += amount
        self.shares[tx.sender] = amount
        return self.total

    @external
    def old_only(self) -> int:
        return 1

    @view
    def version(self) -> int:
        return 1
