"""A perpetual follows its feed; funding moves money from the side that pulls the book away from the index."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Account, Decimal, Duration, Rejected, World
from execution.programs.orders import Kind, Side
from tests.programs.generators import perpetual_calls, record
from tests.programs.steps import ADMIN, FEED, PROGRAMS, TRADERS
from tests.programs.venue import Venue

ANN, BEN, CAT = TRADERS[:3]


@pytest.fixture
def venue() -> Venue:
    return Venue()


def post(venue: Venue, who: Account, side: Side, price: str, size: str) -> None:
    venue.call(who, "exchange", "post", 0, side, Decimal(price), Decimal(size), 0)


def quote(venue: Venue, bid: str, ask: str) -> None:
    post(venue, CAT, Side.BUY, bid, "1")
    post(venue, CAT, Side.SELL, ask, "1")


def position(venue: Venue) -> None:
    """Ann long 10, Ben short 10, at the index."""
    post(venue, BEN, Side.SELL, "100", "10")
    venue.call(ANN, "exchange", "place", 0, Side.BUY, Decimal(100), Decimal(10), Kind.IOC, 0, False)


def pass_time(venue: Venue, seconds: int) -> None:
    for _ in range(seconds // 5):
        venue.price("100", ms=2500)


def funded(venue: Venue) -> list[Any]:
    return [item.event for item in venue.chain.events if type(item.event).__name__ == "Funded"]


def test_a_unit_is_worth_the_multiple_of_the_price(venue: Venue) -> None:
    assert venue.ask("perpetual", "value", 0) == 100
    assert venue.ask("perpetual", "value", 1) == 10


def test_in_a_world_it_is_worth_the_worlds_price(venue: Venue) -> None:
    world = World(3, Decimal("0.9"), Decimal(1), Duration(0))
    assert venue.chain.read(PROGRAMS["perpetual"], "value", 0, world=world) == 90


def test_without_a_fresh_price_it_has_no_value(venue: Venue) -> None:
    venue.tick(31_000)
    with pytest.raises(Rejected, match="no price"):
        venue.ask("perpetual", "value", 0)


def test_longs_pay_shorts_when_the_book_is_above_the_index(venue: Venue) -> None:
    position(venue)
    quote(venue, "100.5", "101.5")
    before = [venue.ask("clearing", "equity", who) for who in (ANN, BEN)]
    pass_time(venue, 65)
    (payment, *_) = funded(venue)
    rate = Decimal("0.01") * 60_000 / 28_800_000
    assert abs(payment.rate - rate) < Decimal("0.000001")
    assert payment.per_unit == payment.rate * 100
    after = [venue.ask("clearing", "equity", who) for who in (ANN, BEN)]
    assert before[0] - after[0] == payment.per_unit * 10
    assert after[1] - before[1] == payment.per_unit * 10
    venue.check()


def test_shorts_pay_longs_when_it_is_below(venue: Venue) -> None:
    position(venue)
    quote(venue, "98.5", "99.5")
    pass_time(venue, 65)
    assert funded(venue)[0].per_unit < 0
    venue.check()


def test_a_premium_is_capped(venue: Venue) -> None:
    position(venue)
    quote(venue, "150", "151")
    pass_time(venue, 65)
    assert funded(venue)[0].rate <= Decimal("0.01") * 60 / 28_800


def test_a_one_sided_book_is_a_missing_sample_not_a_failure(venue: Venue) -> None:
    post(venue, CAT, Side.BUY, "100.5", "1")
    pass_time(venue, 65)
    assert funded(venue) == []
    venue.check()


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (("0", "0.01", 1000, 2000), "multiplier out of range"),
        (("1", "0.2", 1000, 2000), "cap out of range"),
        (("1", "0.01", 999, 2000), "sample out of range"),
        (("1", "0.01", 3000, 2000), "sample out of range"),
        (("1", "0.01", 3000, 86_400_001), "interval out of range"),
    ],
)
def test_terms_are_checked(venue: Venue, terms: tuple[str, str, int, int], reason: str) -> None:
    multiplier, cap, sample, interval = terms
    given = (FEED, Decimal(multiplier), Decimal(cap), Duration(sample), Duration(interval))
    with pytest.raises(Rejected, match=reason):
        venue.call(ADMIN, "perpetual", "list", *given)
    with pytest.raises(Rejected, match="not authorised"):
        venue.call(ANN, "perpetual", "list", *given)


@pytest.mark.parametrize("seed", range(2))
def test_random_times_keep_every_invariant(seed: int) -> None:
    venue = Venue()
    record(venue.take, perpetual_calls(seed), 1500, venue.check)
