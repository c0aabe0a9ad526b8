"""Queues handlers for accounts without number, for the end of the call."""

from execution.lang import Account, Program, at_end, external


class AtEndFlood(Program):
    handled: int

    @external
    def attack(self, count: int) -> None:
        for i in range(count):
            at_end(self.check, Account.derived(self.me, i))

    def check(self, account: Account) -> None:
        self.handled += 1
