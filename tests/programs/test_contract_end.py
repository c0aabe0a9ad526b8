"""A contract ends at one price for all, a payment counts once: nobody is locked in, robbed or spared by either."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import Account, Decimal, Feed, Rejected
from execution.programs.clearing import CLOSE_AFTER_MS, POSITIONS_MAX
from execution.programs.orders import Kind, Side
from tests.programs.broken import Broken
from tests.programs.steps import ADMIN, FEED, PROGRAMS, TRADERS
from tests.programs.venue import Venue

ANN, BEN, CAT, DAN = TRADERS[:4]
BUY, SELL = Side.BUY, Side.SELL
BROKEN = Account.numbered(0x2000)
CLEARING = PROGRAMS["clearing"]
CONTRACT = MARKET = 3


@pytest.fixture
def venue() -> Venue:
    """Ann is long 10, Ben short 10 in a contract of the failing instrument."""
    made = Venue()
    made.chain.deploy(Broken, CLEARING, FEED, address=BROKEN)
    list_broken(made, 0)
    made.price("100")
    trade(made, ANN, BEN, "100", "10")
    return made


def list_broken(venue: Venue, series: int, feed: Feed = FEED) -> int:
    """The contract of a series of the failing instrument, and its market of the same number."""
    contract: int = venue.call(ADMIN, "clearing", "list", BROKEN, series, feed)
    terms = (contract, Decimal("0.5"), Decimal("0.1"), Decimal(0), Decimal(0))
    assert venue.call(ADMIN, "exchange", "create_market", *terms) == contract
    return contract


def post(venue: Venue, who: Account, side: Side, price: str, size: str, market: int = MARKET) -> int:
    order: int = venue.call(who, "exchange", "post", market, side, Decimal(price), Decimal(size), 0)
    return order


def take(venue: Venue, who: Account, side: Side, price: str, size: str, market: int = MARKET) -> Any:
    terms = (market, side, Decimal(price), Decimal(size), Kind.IOC, 0, False)
    return venue.call(who, "exchange", "place", *terms)


def trade(venue: Venue, buyer: Account, seller: Account, price: str, size: str, market: int = MARKET) -> None:
    post(venue, seller, SELL, price, size, market)
    assert take(venue, buyer, BUY, price, size, market).filled == Decimal(size)


def equity(venue: Venue, who: Account) -> Decimal:
    found: Decimal = venue.ask("clearing", "equity", who)
    return found


def cash_of(venue: Venue, who: Account) -> Decimal:
    found: Decimal = venue.program("clearing").accounts[who].cash
    return found


def drain(venue: Venue, who: Account, leave: str) -> None:
    venue.call(who, "clearing", "withdraw", equity(venue, who) - Decimal(leave))


def instrument(venue: Venue, method: str, *arguments: Any) -> None:
    venue.chain.call(ADMIN, BROKEN, method, *arguments)


def fail_for_good(venue: Venue) -> None:
    instrument(venue, "set_mode", 1)
    venue.tick(CLOSE_AFTER_MS)


# ---- who may end a contract, and when


def test_the_admin_closes_what_fails_for_good_at_a_stated_price(venue: Venue) -> None:
    before = [equity(venue, who) for who in (ANN, BEN)]
    fail_for_good(venue)
    venue.call(ADMIN, "clearing", "close_contract", CONTRACT, Decimal(90))
    assert venue.ask("clearing", "is_finished", CONTRACT)
    assert [equity(venue, who) for who in (ANN, BEN)] == [before[0] - 100, before[1] + 100]
    assert venue.ask("clearing", "margin", ANN).maintenance == 0
    venue.call(BEN, "clearing", "withdraw", equity(venue, BEN))
    venue.check()


def test_nobody_closes_what_is_not_theirs_or_not_failing(venue: Venue) -> None:
    with pytest.raises(Rejected, match="not authorised"):
        venue.call(ANN, "clearing", "close_contract", CONTRACT, Decimal(100))
    instrument(venue, "set_mode", 1)
    venue.tick(CLOSE_AFTER_MS - 1000)
    with pytest.raises(Rejected, match="valued too recently"):
        venue.call(ADMIN, "clearing", "close_contract", CONTRACT, Decimal(100))
    venue.tick(CLOSE_AFTER_MS)
    instrument(venue, "set_mode", 0)
    venue.price("100", ms=1)
    with pytest.raises(Rejected, match="valued too recently"):
        venue.call(ADMIN, "clearing", "close_contract", CONTRACT, Decimal(100))
    fail_for_good(venue)
    with pytest.raises(Rejected, match="price out of range"):
        venue.call(ADMIN, "clearing", "close_contract", CONTRACT, Decimal(100_000_001))


def test_what_can_be_valued_now_cannot_be_closed(venue: Venue) -> None:
    fail_for_good(venue)
    venue.price("100")
    instrument(venue, "set_mode", 0)
    with pytest.raises(Rejected, match="contract can be valued"):
        venue.call(ADMIN, "clearing", "close_contract", CONTRACT, Decimal(100))


def test_an_instrument_ends_its_own_series(venue: Venue) -> None:
    before = [equity(venue, who) for who in (ANN, BEN)]
    instrument(venue, "finish", 0, Decimal("100.25"))
    after = [equity(venue, who) for who in (ANN, BEN)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [Decimal("2.5"), Decimal("-2.5")]
    with pytest.raises(Rejected, match="contract is finished"):
        instrument(venue, "finish", 0, Decimal(1))
    with pytest.raises(Rejected, match="contract is finished"):
        instrument(venue, "pay", 0, Decimal(1), Decimal(1))
    venue.check()


def test_a_perpetual_ends_at_its_index(venue: Venue) -> None:
    trade(venue, ANN, BEN, "100", "10", 0)
    venue.price("101")
    before = equity(venue, ANN)
    with pytest.raises(Rejected, match="not authorised"):
        venue.call(ANN, "perpetual", "finish", 0)
    assert venue.call(ADMIN, "perpetual", "finish", 0) == 101
    assert equity(venue, ANN) == before
    for method, arguments in (("finish", (0,)), ("connect", (0, 0))):
        with pytest.raises(Rejected, match="series is finished"):
            venue.call(ADMIN, "perpetual", method, *arguments)
    venue.price("105")
    assert venue.ask("clearing", "mark", 0) == 0
    assert venue.ask("clearing", "mark", 1) == Decimal("10.5")
    venue.check()


# ---- what a finished contract still takes


def test_it_takes_no_orders_and_gives_back_those_it_has(venue: Venue) -> None:
    resting = post(venue, CAT, BUY, "99", "5")
    post(venue, ANN, SELL, "101", "5")
    instrument(venue, "finish", 0, Decimal(100))
    assert venue.ask("clearing", "margin", CAT).initial == 0
    with pytest.raises(Rejected, match="contract is halted"):
        post(venue, DAN, BUY, "90", "1")
    with pytest.raises(Rejected, match="contract is finished"):
        post(venue, ANN, SELL, "110", "1")
    with pytest.raises(Rejected, match="contract is finished"):
        take(venue, ANN, SELL, "99", "1")
    with pytest.raises(Rejected, match="contract is finished"):
        take(venue, BEN, BUY, "101", "1")
    with pytest.raises(Rejected, match="contract is halted"):
        venue.call(DAN, "exchange", "liquidate", MARKET, ANN)
    with pytest.raises(Rejected, match="contract is finished"):
        venue.call(DAN, "clearing", "reprice", CONTRACT)
    venue.call(CAT, "exchange", "cancel", resting, order="cancel")
    assert venue.call(ANN, "exchange", "cancel_all", MARKET, 5, order="cancel") == 1
    venue.check()


def test_the_other_contracts_of_its_feed_are_valued_as_before(venue: Venue) -> None:
    instrument(venue, "finish", 0, Decimal(100))
    fourth = list_broken(venue, 1)
    venue.price("103")
    assert [venue.ask("clearing", "mark", number) for number in (0, 1, fourth)] == [103, Decimal("10.3"), 103]


# ---- redeeming


def test_redeeming_moves_no_equity_and_leaves_insurance_with_nothing(venue: Venue) -> None:
    trade(venue, CAT, BEN, "100", "2.5")
    with pytest.raises(Rejected, match="contract is not finished"):
        venue.call(DAN, "clearing", "redeem", CONTRACT, ANN)
    instrument(venue, "finish", 0, Decimal(95))
    people = (ANN, BEN, CAT)
    before = [equity(venue, who) for who in people]
    insured = equity(venue, CLEARING)
    assert [venue.call(DAN, "clearing", "redeem", CONTRACT, who) for who in people] == [
        950,
        Decimal("-1187.5"),
        Decimal("237.5"),
    ]
    assert [equity(venue, who) for who in people] == before == [cash_of(venue, who) for who in people]
    assert equity(venue, CLEARING) == insured
    for who in (*people, CLEARING):
        assert venue.ask("clearing", "position", who, CONTRACT).quantity == 0
    assert venue.call(DAN, "clearing", "redeem", CONTRACT, ANN) == 0
    assert venue.call(DAN, "clearing", "redeem", CONTRACT, Account.numbered(9)) == 0
    with pytest.raises(Rejected, match="insurance redeems by others"):
        venue.call(DAN, "clearing", "redeem", CONTRACT, CLEARING)
    venue.check()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    paid=st.integers(-(10**20), 10**20),
    price=st.integers(-(10**20), 10**20),
    sizes=st.lists(st.integers(1, 10**5), min_size=1, max_size=3),
    order=st.permutations(range(4)),
)
def test_any_price_and_order_of_redeeming_keeps_every_digit(
    paid: int, price: int, sizes: list[int], order: list[int]
) -> None:
    venue = Venue(insurance=0)
    venue.chain.deploy(Broken, CLEARING, FEED, address=BROKEN)
    list_broken(venue, 0)
    venue.price("100")
    for buyer, size in zip((ANN, BEN, CAT), sizes, strict=False):
        trade(venue, buyer, DAN, "100", str(Decimal(size) / 10))
        instrument(venue, "pay", 0, Decimal.from_raw(paid // 10**6), Decimal(100))
    people = (ANN, BEN, CAT, DAN)
    instrument(venue, "finish", 0, Decimal.from_raw(price))
    before = [equity(venue, who) for who in people]
    for turn in order:
        insured = equity(venue, CLEARING)
        venue.call(DAN, "clearing", "redeem", CONTRACT, people[turn])
        assert equity(venue, people[turn]) == before[turn]
        assert insured <= equity(venue, CLEARING) <= insured + Decimal.from_raw(1)
        venue.check()
    assert 0 <= cash_of(venue, CLEARING) < Decimal.from_raw(len(people))


def test_a_redeemed_place_can_be_used_again(venue: Venue) -> None:
    markets = [list_broken(venue, series, Feed(series % 2)) for series in range(1, POSITIONS_MAX + 1)]
    for _ in range(4):
        venue.price("100")
        venue.price("100", Feed(1))
    for market in markets[:-1]:
        post(venue, ANN, BUY, "90", "1", market)
    instrument(venue, "finish", 0, Decimal(100))
    with pytest.raises(Rejected, match="too many positions"):
        post(venue, ANN, BUY, "90", "1", markets[-1])
    venue.call(DAN, "clearing", "redeem", CONTRACT, ANN)
    post(venue, ANN, BUY, "90", "1", markets[-1])
    venue.check()


# ---- who cannot pay


def test_an_end_that_ruins_an_account_is_covered_by_insurance(venue: Venue) -> None:
    drain(venue, ANN, "70")
    insured = equity(venue, CLEARING)
    instrument(venue, "finish", 0, Decimal(80))
    assert equity(venue, ANN) == -130
    venue.price("100")
    for _ in range(4):
        venue.tick(1000)
    assert equity(venue, ANN) == 0
    assert equity(venue, CLEARING) == insured - 130
    assert venue.ask("clearing", "flags") == 0
    venue.check()


def test_gains_of_a_finished_contract_count_before_insurance_pays(venue: Venue) -> None:
    """Cash is below zero when the last live position is gone, equity is not: nothing to cover."""
    trade(venue, ANN, BEN, "100", "10", 0)
    drain(venue, ANN, "130")
    instrument(venue, "finish", 0, Decimal(110))
    assert cash_of(venue, ANN) < 0
    insured = equity(venue, CLEARING)
    venue.price("77.1")
    venue.tick(1000)
    venue.tick(1000)
    assert venue.ask("clearing", "position", ANN, 0).quantity == 0
    assert cash_of(venue, ANN) < 0 <= equity(venue, ANN)
    assert equity(venue, CLEARING) > insured
    assert not [item for item in venue.chain.events if type(item.event).__name__ == "Bankrupt"]
    venue.check()


# ---- payments


def test_a_coupon_takes_off_the_worth_what_it_pays(venue: Venue) -> None:
    drain(venue, BEN, "63")
    before = [equity(venue, who) for who in (ANN, BEN)]
    instrument(venue, "pay", 0, Decimal("7.5"), Decimal("92.5"))
    assert [equity(venue, who) for who in (ANN, BEN)] == before
    assert not venue.ask("clearing", "liquidatable", BEN)
    assert venue.ask("clearing", "mark", CONTRACT) == Decimal("92.5")
    venue.check()


def funded(venue: Venue) -> Any:
    """Pass time at 100 until the first funding of series 0, the book above the index."""
    post(venue, CAT, BUY, "100.5", "1", 0)
    post(venue, CAT, SELL, "101.5", "1", 0)
    for _ in range(40):
        venue.price("100", ms=2000)
        for item in venue.chain.events:
            if type(item.event).__name__ == "Funded":
                return item.event
    raise AssertionError("no funding")


@pytest.mark.parametrize("index", ["100", "97", "103"])
def test_after_funding_equity_is_what_a_valuation_would_say(index: str) -> None:
    """Also when the payment is made before clearing has heard of the index it is made at."""
    venue = Venue()
    trade(venue, ANN, BEN, "100", "10", 0)
    before = [equity(venue, who) for who in (ANN, BEN)]
    payment = funded(venue)
    venue.chain.call(PROGRAMS["perpetual"], CLEARING, "pay", 0, -payment.per_unit, Decimal(index))
    now = [equity(venue, who) for who in (ANN, BEN)]
    moved = 10 * (Decimal(index) - 100 - payment.per_unit * 2)
    assert [now[0] - before[0], now[1] - before[1]] == [moved, -moved]
    venue.price(index)
    venue.call(DAN, "clearing", "reprice", 0)
    assert [equity(venue, who) for who in (ANN, BEN)] == now
    venue.check()


@pytest.mark.parametrize(("spare", "falls"), [("0", False), ("-0.000000000000000001", True)])
def test_funding_liquidates_exactly_whom_it_should(spare: str, falls: bool) -> None:
    """Whom funding brings down to the margin stays, whom it brings a digit below falls, whatever is valued when."""
    probe = Venue()
    trade(probe, ANN, BEN, "100", "10", 0)
    payment = funded(probe)
    venue = Venue()
    trade(venue, ANN, BEN, "100", "10", 0)
    needed = venue.ask("clearing", "margin", ANN).maintenance + payment.per_unit * 10 + Decimal(spare)
    moved = equity(venue, ANN) - needed
    for who, amount in ((ANN, -moved), (CLEARING, moved)):
        ledger = venue.program("clearing").accounts[who]
        ledger.cash += amount
    assert not venue.ask("clearing", "liquidatable", ANN)
    assert funded(venue) == payment
    venue.price("100")
    venue.call(DAN, "clearing", "reprice", 0)
    venue.price("100")
    flagged: list[Any] = [item.event for item in venue.chain.events if type(item.event).__name__ == "Flagged"]
    assert [event.account for event in flagged] == [ANN] * falls
    venue.check()


def test_a_payment_names_a_worth_in_range(venue: Venue) -> None:
    with pytest.raises(Rejected, match="value out of range"):
        instrument(venue, "pay", 0, Decimal(1), Decimal(100_000_001))
