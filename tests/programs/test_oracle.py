"""A quote is what most reporters say; too few, too old or unauthorised reports make no price."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import Account, Decimal, Duration, Feed, QuoteStatus, Rejected, Symbol, Timestamp
from tests.programs.generators import oracle_calls, record
from tests.programs.steps import ADMIN, FEED, REPORTERS, START_MS
from tests.programs.venue import Venue

GOLD = Feed(0)
AGE_MS = 5000


def oracle(minimum: int = 3, reporters: int = 5) -> Venue:
    venue = Venue(opened=False)
    venue.call(ADMIN, "oracle", "add_feed", Symbol("GOLD"), Duration(AGE_MS), minimum)
    for reporter in REPORTERS[:reporters]:
        venue.call(ADMIN, "oracle", "add_reporter", GOLD, reporter)
    return venue


def report(venue: Venue, reporter: Account, price: str, confidence: str = "0.1", age_ms: int = 0) -> bool:
    time = Timestamp(venue.now_ms - age_ms)
    done: bool = venue.call(reporter, "oracle", "report", GOLD, Decimal(price), Decimal(confidence), time)
    return done


def test_the_price_is_the_median() -> None:
    venue = oracle()
    published = [
        report(venue, who, price) for who, price in zip(REPORTERS, ["12", "10", "11", "14", "13"], strict=True)
    ]
    assert published == [False, False, True, True, True]
    quote = venue.ask("oracle", "quote", GOLD)
    assert (quote.price, quote.status) == (Decimal(12), QuoteStatus.FRESH)
    assert quote.confidence == 1


def test_of_an_even_number_it_is_the_mean_of_the_middle() -> None:
    venue = oracle(minimum=4)
    for who, price in zip(REPORTERS, ["10", "11", "13", "900"], strict=False):
        report(venue, who, price)
    assert venue.ask("oracle", "quote", GOLD).price == 12


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=3), st.lists(st.integers(), min_size=2, max_size=2))
def test_a_minority_cannot_move_it_beyond_the_others(honest: list[int], wild: list[int]) -> None:
    venue = oracle(minimum=5)
    clamped = [max(-(10**8), min(10**8, value)) for value in wild]
    for who, price in zip(REPORTERS, [clamped[0], *honest, clamped[1]], strict=True):
        report(venue, who, str(price))
    quote = venue.ask("oracle", "quote", GOLD)
    assert min(honest) <= quote.price <= max(honest)
    assert quote.confidence <= max(honest) - min(honest) + Decimal("0.1")


def test_too_few_reporters_give_no_number() -> None:
    venue = oracle()
    report(venue, REPORTERS[0], "10")
    report(venue, REPORTERS[1], "10")
    assert venue.ask("oracle", "quote", GOLD).status == QuoteStatus.MISSING
    assert venue.ask("oracle", "fresh_reports", GOLD) == 2


def test_a_quote_ages_when_reporters_fall_silent() -> None:
    venue = oracle()
    for who in REPORTERS[:3]:
        report(venue, who, "10")
    venue.tick(AGE_MS)
    assert venue.ask("oracle", "quote", GOLD).status == QuoteStatus.FRESH
    venue.tick(1)
    assert venue.ask("oracle", "quote", GOLD).status == QuoteStatus.STALE
    assert not report(venue, REPORTERS[0], "10")


def test_the_time_of_a_quote_is_that_of_most_reports() -> None:
    venue = oracle()
    for who, age_ms in zip(REPORTERS, (4000, 2000, 1000), strict=False):
        report(venue, who, "10", age_ms=age_ms)
    assert venue.ask("oracle", "quote", GOLD).time == Timestamp(venue.now_ms - 2000)


@pytest.mark.parametrize(
    ("reporter", "price", "confidence", "ahead_ms", "reason"),
    [
        (ADMIN, "10", "0", 0, "not a reporter of this feed"),
        (REPORTERS[0], "100000001", "0", 0, "price out of range"),
        (REPORTERS[0], "10", "-1", 0, "confidence out of range"),
        (REPORTERS[0], "10", "0", 1001, "time is ahead of the block"),
        (REPORTERS[0], "10", "0", -AGE_MS - 1, "report is stale"),
    ],
)
def test_bad_reports_are_refused(reporter: Account, price: str, confidence: str, ahead_ms: int, reason: str) -> None:
    venue = oracle()
    with pytest.raises(Rejected, match=reason):
        report(venue, reporter, price, confidence, -ahead_ms)


def test_a_reporter_cannot_repeat_a_time() -> None:
    venue = oracle()
    report(venue, REPORTERS[0], "10")
    with pytest.raises(Rejected, match="time must grow"):
        report(venue, REPORTERS[0], "11")


def test_a_removed_reporter_counts_no_more() -> None:
    venue = oracle()
    for who in REPORTERS[:2]:
        report(venue, who, "10")
    venue.call(ADMIN, "oracle", "remove_reporter", GOLD, REPORTERS[0])
    assert not report(venue, REPORTERS[2], "10")
    with pytest.raises(Rejected, match="not a reporter of this feed"):
        report(venue, REPORTERS[0], "10")


def test_only_the_admin_decides_who_reports() -> None:
    venue = oracle()
    who = REPORTERS[4]
    for method, arguments in (
        ("add_feed", (Symbol("X"), Duration(1), 1)),
        ("add_reporter", (GOLD, who)),
        ("remove_reporter", (GOLD, who)),
    ):
        with pytest.raises(Rejected, match="not authorised"):
            venue.call(who, "oracle", method, *arguments)


def test_names_and_feeds_are_checked() -> None:
    venue = oracle()
    assert venue.ask("oracle", "feed_of", Symbol("GOLD")) == GOLD
    with pytest.raises(Rejected, match="unknown feed"):
        venue.ask("oracle", "feed_of", Symbol("TIN"))
    with pytest.raises(Rejected, match="name is taken"):
        venue.call(ADMIN, "oracle", "add_feed", Symbol("GOLD"), Duration(1), 1)
    with pytest.raises(Rejected, match="unknown feed"):
        venue.call(REPORTERS[0], "oracle", "report", Feed(-1), Decimal(1), Decimal(0), Timestamp(START_MS))


@pytest.mark.parametrize("seed", range(2))
def test_random_reports_never_publish_from_too_few(seed: int) -> None:
    venue = Venue()
    record(venue.take, oracle_calls(seed), 600)
    program = venue.program("oracle")
    assert len(program.ranking) == 0
    assert program.sources[FEED.index].minimum == 1
    assert venue.chain.hook_failures == []
