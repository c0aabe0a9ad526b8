"""A world is ambient in the call it is given to and in those below, and in no other."""

from __future__ import annotations

from execution.lang import Decimal, Feed

TELLER = '''
"""Tells prices, its own and those that another tells."""

from __future__ import annotations

from execution.lang import Decimal, Duration, Feed, Program, ProgramRef, World, external, view


class Teller(Program):
    told: int

    @view
    def price(self, feed: Feed) -> Decimal:
        return feed.price()

    @view
    def doubled(self, feed: Feed, other: ProgramRef[Teller]) -> Decimal:
        return other.price(feed, world=World(1, Decimal(2), Decimal(1), Duration(0)))

    @view
    def twice(self, feed: Feed, other: ProgramRef[Teller]) -> Decimal:
        return other.price(feed) + feed.price()

    @external
    def look(self, feed: Feed, one: ProgramRef[Teller], other: ProgramRef[Teller]) -> tuple[Decimal, Decimal, Decimal]:
        self.told += 1
        doubled = one.doubled(feed, other)
        tripled = one.twice(feed, other, world=World(2, Decimal(3), Decimal(1), Duration(0)))
        return doubled, tripled, feed.price()
'''


def test_a_world_ends_with_its_call_and_not_with_one_below(chain, accounts, prices):
    """The frame of `other` is in one place twice: the world it kept the first time is not the one around it later."""
    prices.set(7, 5)
    one, other, caller = (chain.deploy_text(TELLER) for _ in range(3))
    seen = caller.look(Feed(7), one.me, other.me, sender=accounts.alice)
    assert seen == (Decimal(10), Decimal(30), Decimal(5))
