"""Two pans that must balance when a call is over: a program class with invariants, to be extended."""

from __future__ import annotations

from execution.lang import (
    DONE,
    Account,
    Decimal,
    Duration,
    Map,
    Outcome,
    Program,
    Timestamp,
    at_end,
    block,
    external,
    hook,
    invariant,
    require,
    schedule,
    view,
)


class Pans(Program):
    left: Decimal
    right: Decimal
    weights: Map[Account, Decimal]

    @external
    def put(self, left: Decimal, right: Decimal) -> Decimal:
        self.left += left
        self.right += right
        return self.left

    @external
    def add(self, account: Account, weight: Decimal) -> None:
        """Leans to the left until the handler at the end has put the weight on the right."""
        self.left += weight
        self.weights[account] = weight
        at_end(self.settle, account)

    @external
    def drop(self, weight: Decimal) -> None:
        self.left += weight
        require(weight < 0, "dropped")

    @external
    def wake(self, left: Decimal) -> None:
        self.weights[self.me] = left
        schedule(block.time + Duration.seconds(1), self.on_time)

    @hook
    def on_time(self, due: Timestamp) -> Outcome:
        self.left += self.weights.pop(self.me)
        return DONE

    @view
    def tilt(self) -> Decimal:
        return self.left - self.right

    def settle(self, account: Account) -> None:
        self.right += self.weights.pop(account)

    def difference(self) -> Decimal:
        return abs(self.left - self.right)

    @invariant
    def balanced(self) -> bool:
        return self.difference() < 1

    @invariant
    def light(self) -> bool:
        return self.left <= 100 and len(self.weights) < 3
