"""The book: price, then time; every kind of order; what is refused and why; nothing is filled twice or lost."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Account, Decimal, Rejected
from execution.programs.orders import Cause, Kind, Side
from tests.programs.desk import Desk
from tests.programs.generators import exchange_calls, record
from tests.programs.steps import ADMIN, FEE_INCOME, FOREVER, PROGRAMS, TRADERS
from tests.programs.venue import Venue

ANN, BEN, CAT, DAN = TRADERS[:4]
BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def venue() -> Venue:
    return Venue()


def post(venue: Venue, who: Account, side: Side, price: str, size: str = "1") -> int:
    order: int = venue.call(who, "exchange", "post", 0, side, Decimal(price), Decimal(size), 0, order="post_only")
    venue.check()
    return order


def place(
    venue: Venue, who: Account, side: Side, price: str, size: str = "1", kind: Kind = Kind.LIMIT, reduce: bool = False
) -> Any:
    placed = venue.call(who, "exchange", "place", 0, side, Decimal(price), Decimal(size), kind, 0, reduce)
    venue.check()
    return placed


def quantity(venue: Venue, who: Account) -> Decimal:
    found: Decimal = venue.ask("clearing", "position", who, 0).quantity
    return found


def events(venue: Venue, name: str) -> list[Any]:
    return [item.event for item in venue.chain.events if type(item.event).__name__ == name]


def test_better_prices_first_then_earlier_orders(venue: Venue) -> None:
    late_best = [post(venue, ANN, SELL, "101"), post(venue, BEN, SELL, "100.5"), post(venue, CAT, SELL, "100.5")]
    placed = place(venue, DAN, BUY, "101", "2.5")
    assert [fill.maker_order for fill in events(venue, "Filled")] == [late_best[1], late_best[2], late_best[0]]
    assert [fill.price for fill in events(venue, "Filled")] == [Decimal("100.5")] * 2 + [Decimal(101)]
    assert placed.notional == Decimal("100.5") * 2 + Decimal("50.5")
    assert (placed.filled, placed.remaining) == (Decimal("2.5"), Decimal(0))
    assert quantity(venue, DAN) == Decimal("2.5")


def test_a_fill_is_at_the_resting_price(venue: Venue) -> None:
    post(venue, ANN, BUY, "100")
    assert place(venue, BEN, SELL, "90").notional == 100


def test_what_a_limit_order_does_not_trade_rests(venue: Venue) -> None:
    post(venue, ANN, SELL, "100", "1")
    placed = place(venue, BEN, BUY, "100", "3")
    assert venue.ask("exchange", "order", placed.order).remaining == 2
    assert venue.ask("exchange", "best", 0).bid_size == 2


def test_an_ioc_order_never_rests(venue: Venue) -> None:
    post(venue, ANN, SELL, "100")
    placed = place(venue, BEN, BUY, "100", "3", Kind.IOC)
    assert placed.remaining == 2
    assert venue.ask("exchange", "best", 0).bid_size == 0
    assert events(venue, "Cancelled")[-1].cause == Cause.REMAINDER


@pytest.mark.parametrize(("worst", "filled"), [("0", 2), ("100", 1)])
def test_a_market_order_takes_any_price_or_up_to_one(venue: Venue, worst: str, filled: int) -> None:
    post(venue, ANN, SELL, "100")
    post(venue, ANN, SELL, "180")
    assert place(venue, BEN, BUY, worst, "2", Kind.MARKET).filled == filled


def test_a_market_order_sells_at_any_price(venue: Venue) -> None:
    post(venue, ANN, BUY, "0.5")
    assert place(venue, BEN, SELL, "0", "1", Kind.MARKET).notional == Decimal("0.5")


def test_a_post_only_order_never_takes(venue: Venue) -> None:
    post(venue, ANN, SELL, "100")
    with pytest.raises(Rejected, match="post-only order would take"):
        post(venue, BEN, BUY, "100")
    post(venue, BEN, BUY, "99.5")


def test_ones_own_resting_order_is_cancelled_not_traded(venue: Venue) -> None:
    mine = post(venue, ANN, SELL, "100")
    post(venue, BEN, SELL, "100.5")
    placed = place(venue, ANN, BUY, "101")
    assert placed.filled == 1
    assert quantity(venue, ANN) == 1
    (gone,) = events(venue, "Cancelled")
    assert (gone.order, gone.cause, gone.rested) == (mine, Cause.SELF_TRADE, True)


def test_a_cancelled_order_is_gone(venue: Venue) -> None:
    order = post(venue, ANN, BUY, "99", "4")
    with pytest.raises(Rejected, match="not the owner"):
        venue.call(BEN, "exchange", "cancel", order, order="cancel")
    assert venue.call(ANN, "exchange", "cancel", order, order="cancel") == 4
    venue.check()
    for unknown in (order, 0, -1, 7, 2**63 - 1, -(2**63)):
        with pytest.raises(Rejected, match="unknown order"):
            venue.call(ANN, "exchange", "cancel", unknown, order="cancel")


def test_a_reused_slot_is_another_order(venue: Venue) -> None:
    first = post(venue, ANN, BUY, "99")
    venue.call(ANN, "exchange", "cancel", first, order="cancel")
    second = post(venue, ANN, BUY, "99")
    assert second != first
    with pytest.raises(Rejected, match="unknown order"):
        venue.call(ANN, "exchange", "cancel", first, order="cancel")


def test_cancel_all_is_bounded_newest_first_and_only_ones_own(venue: Venue) -> None:
    mine = [post(venue, ANN, BUY, price) for price in ("97", "99", "98", "98")]
    other = post(venue, BEN, BUY, "98")
    assert venue.call(ANN, "exchange", "cancel_all", 0, 3, order="cancel") == 3
    venue.check()
    assert venue.ask("exchange", "order", mine[0]).price == 97
    assert venue.call(ANN, "exchange", "cancel_all", 0, 3, order="cancel") == 1
    assert venue.call(ANN, "exchange", "cancel_all", 0, 3, order="cancel") == 0
    assert venue.ask("exchange", "order", other).owner == BEN


@pytest.mark.parametrize(
    ("price", "size", "reason"),
    [
        ("99.7", "1", "price is not a multiple of the tick"),
        ("0", "1", "price must be positive"),
        ("-1", "1", "price must be positive"),
        ("100000000.5", "1", "price is too large"),
        ("170141183460469231731", "1", "price is too large"),
        ("99", "0", "size must be positive"),
        ("99", "-1", "size must be positive"),
        ("99", "0.15", "size is not a multiple of the lot"),
        ("99", "1000000001", "size is too large"),
        ("100000000", "1000000000", "initial margin"),
        ("99", "1000000000", "initial margin"),
    ],
)
def test_bad_orders_are_refused_by_name(venue: Venue, price: str, size: str, reason: str) -> None:
    for kind in (Kind.LIMIT, Kind.IOC):
        if kind == Kind.IOC and reason == "initial margin":
            continue
        with pytest.raises(Rejected, match=reason):
            place(venue, ANN, BUY, price, size, kind)
    with pytest.raises(Rejected, match=reason):
        post(venue, ANN, BUY, price, size)
    venue.check()


def test_markets_are_checked(venue: Venue) -> None:
    for market in (-1, 3, 2**63 - 1):
        with pytest.raises(Rejected, match="unknown market"):
            venue.call(ANN, "exchange", "place", market, BUY, Decimal(1), Decimal(1), Kind.LIMIT, 0, False)


def test_an_order_meets_a_bounded_number_of_others(venue: Venue) -> None:
    for number in range(55):
        venue.call(TRADERS[1 + number % 3], "exchange", "post", 0, SELL, Decimal(100), Decimal("0.1"), 0)
    placed = place(venue, ANN, BUY, "100", "6")
    assert (placed.filled, placed.remaining) == (Decimal(5), Decimal(1))
    assert events(venue, "Cancelled")[-1].cause == Cause.FILL_LIMIT
    assert venue.ask("exchange", "best", 0).ask_size == Decimal("0.5")


def test_fees_round_against_the_trader_and_rebates_down(venue: Venue) -> None:
    before = {who: venue.ask("clearing", "cash", who) for who in (ANN, BEN)}
    post(venue, ANN, SELL, "100.5", "0.1")
    place(venue, BEN, BUY, "100.5", "0.1")
    assert venue.ask("clearing", "cash", BEN) == before[BEN] - Decimal("10.05") - Decimal("0.005025")
    assert venue.ask("clearing", "cash", ANN) == before[ANN] + Decimal("10.05") + Decimal("0.001005")
    assert venue.call(CAT, "clearing", "collect", 0) == Decimal("0.00402")
    assert venue.ask("clearing", "cash", FEE_INCOME) == Decimal("0.00402")


def test_a_reduce_only_order_is_cut_to_the_position(venue: Venue) -> None:
    with pytest.raises(Rejected, match="nothing to reduce"):
        place(venue, ANN, SELL, "100", "1", Kind.IOC, reduce=True)
    post(venue, BEN, SELL, "100", "2")
    place(venue, ANN, BUY, "100", "2")
    post(venue, BEN, BUY, "99", "5")
    assert place(venue, ANN, SELL, "99", "5", Kind.IOC, reduce=True).filled == 2
    assert quantity(venue, ANN) == 0


def test_a_resting_reduce_only_order_never_opens(venue: Venue) -> None:
    post(venue, BEN, SELL, "100", "2")
    place(venue, ANN, BUY, "100", "2")
    exit_order = place(venue, ANN, SELL, "105", "2", Kind.LIMIT, reduce=True).order
    post(venue, BEN, BUY, "99", "2")
    place(venue, ANN, SELL, "99", "2", Kind.IOC)
    assert place(venue, CAT, BUY, "105", "1", Kind.IOC).filled == 0
    assert events(venue, "Cancelled")[-2].order == exit_order
    assert events(venue, "Cancelled")[-2].cause == Cause.REDUCE_ONLY


def test_a_maker_who_cannot_carry_the_fill_is_cancelled_and_the_next_one_trades(venue: Venue) -> None:
    poor = post(venue, ANN, BUY, "99", "900")
    post(venue, BEN, BUY, "98", "1")
    venue.call(ANN, "exchange", "cancel", poor, order="cancel")
    weak = post(venue, ANN, BUY, "99", "900")
    venue.call(ANN, "clearing", "withdraw", Decimal(94_000))
    venue.price("50")
    placed = place(venue, CAT, SELL, "98", "1", Kind.IOC)
    assert placed.notional == 99
    placed = place(venue, CAT, SELL, "98", "500", Kind.IOC)
    assert placed.filled == 1
    gone = [event for event in events(venue, "Cancelled") if event.order == weak]
    assert [event.cause for event in gone] == [Cause.MARGIN]


def test_levels_are_told_from_the_best(venue: Venue) -> None:
    for price in ("98", "99", "99", "97.5"):
        post(venue, ANN, BUY, price)
    levels = [venue.ask("exchange", "book", 0, BUY, depth) for depth in range(4)]
    assert [(level.price, level.size, level.orders) for level in levels] == [
        (Decimal(99), Decimal(2), 2),
        (Decimal(98), Decimal(1), 1),
        (Decimal("97.5"), Decimal(1), 1),
        (Decimal(0), Decimal(0), 0),
    ]
    with pytest.raises(Rejected, match="book is one-sided"):
        venue.ask("exchange", "mid", 0)
    post(venue, BEN, SELL, "100")
    assert venue.ask("exchange", "mid", 0) == Decimal("99.5")


def test_only_the_admin_creates_markets_and_a_contract_has_one(venue: Venue) -> None:
    one = Decimal(1)
    with pytest.raises(Rejected, match="not authorised"):
        venue.call(ANN, "exchange", "create_market", 0, one, one, Decimal(0), Decimal(0))
    with pytest.raises(Rejected, match="contract has a venue"):
        venue.call(ADMIN, "exchange", "create_market", 0, one, one, Decimal(0), Decimal(0))
    with pytest.raises(Rejected, match="fees must not be negative together"):
        venue.call(ADMIN, "exchange", "create_market", 0, one, one, Decimal("-0.002"), Decimal("0.001"))


@pytest.mark.parametrize("seed", range(3))
def test_random_trading_keeps_every_invariant(seed: int) -> None:
    venue = Venue()
    record(venue.take, exchange_calls(seed), 2000, venue.check)
    assert events(venue, "Filled")


def test_a_program_trades_for_whoever_consented_once(venue: Venue) -> None:
    desk = Account(b"\xde" * 20)
    venue.chain.deploy(Desk, PROGRAMS["exchange"], address=desk)
    post(venue, BEN, SELL, "100", "3")

    def buy() -> Any:
        return venue.chain.call(CAT, desk, "buy", ANN, Decimal(100), Decimal(1))

    with pytest.raises(Rejected, match="not an agent of the owner"):
        buy()
    venue.call(ANN, "bank", "authorise", desk, PROGRAMS["clearing"], FOREVER)
    with pytest.raises(Rejected, match="not an agent of the owner"):
        buy()
    venue.call(ANN, "bank", "authorise", desk, PROGRAMS["exchange"], FOREVER)
    assert buy().filled == 1
    assert quantity(venue, ANN) == 1
    assert quantity(venue, CAT) == 0
    venue.call(ANN, "bank", "revoke", desk, order="cancel")
    with pytest.raises(Rejected, match="not an agent of the owner"):
        buy()
    venue.check()


def test_an_agent_rests_and_cancels_only_for_the_owner_it_names(venue: Venue) -> None:
    venue.call(ANN, "bank", "authorise", DAN, PROGRAMS["exchange"], FOREVER)
    mine = post(venue, DAN, BUY, "90")
    hers = venue.call(DAN, "exchange", "post_for", ANN, 0, BUY, Decimal(95), Decimal(1), 0, order="post_only")
    assert venue.ask("exchange", "order", hers).owner == ANN
    with pytest.raises(Rejected, match="not the owner"):
        venue.call(DAN, "exchange", "cancel_for", ANN, mine, order="cancel")
    with pytest.raises(Rejected, match="not the owner"):
        venue.call(DAN, "exchange", "cancel", hers, order="cancel")
    with pytest.raises(Rejected, match="not an agent of the owner"):
        venue.call(DAN, "exchange", "cancel_for", BEN, hers, order="cancel")
    assert venue.call(DAN, "exchange", "cancel_for", ANN, hers, order="cancel") == 1
    venue.check()
