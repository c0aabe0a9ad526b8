"""What waits for the end of a call runs there, in order and once, with the account it was asked for."""

from __future__ import annotations

SOURCE = '''
"""Notes accounts when a call ends."""

from execution.lang import Account, List, Program, at_end, external


class Notes(Program):
    noted: List[Account]

    @external
    def note(self, one: Account, other: Account) -> int:
        at_end(self.write, one)
        at_end(self.write, other)
        at_end(self.write, one)
        return len(self.noted)

    def write(self, account: Account) -> None:
        self.noted.append(account)
'''


def test_handlers_run_at_the_end_in_order_and_once(chain, accounts):
    notes = chain.deploy_text(SOURCE)
    assert notes.note(accounts.bob, accounts.carol, sender=accounts.alice) == 0
    assert notes.note(accounts.alice, accounts.bob, sender=accounts.alice) == 2
    assert notes.state["noted"] == [accounts.bob, accounts.carol, accounts.alice, accounts.bob]
