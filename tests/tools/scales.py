"""Inherits two invariants and adds one."""

from pans import Pans

from execution.lang import Decimal, external, invariant


class Scales(Pans):
    limit: Decimal

    def create(self, left: Decimal, limit: Decimal) -> None:
        self.left = left
        self.limit = limit

    @external
    def bound(self, limit: Decimal) -> bool:
        """Whether the invariant holds is a value to the program's own methods."""
        self.limit = limit
        return self.bounded()

    @invariant
    def bounded(self) -> bool:
        return self.left <= self.limit
