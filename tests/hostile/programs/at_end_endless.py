"""A handler that queues itself anew each time it runs."""

from execution.lang import Account, Program, at_end, external, tx


class AtEndEndless(Program):
    handled: int

    @external
    def attack(self) -> None:
        at_end(self.check, tx.sender)

    def check(self, account: Account) -> None:
        self.handled += 1
        at_end(self.check, Account.derived(account, 0))
