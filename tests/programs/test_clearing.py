"""Clearing: cash and positions always sum up; margin is what the worlds say; liquidation cannot fail."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Account, Decimal, Duration, Feed, Rejected
from execution.programs.orders import Kind, Side
from tests.programs.broken import Broken
from tests.programs.generators import clearing_calls, record
from tests.programs.steps import ADMIN, FEED, OTHER_FEED, PROGRAMS, TRADERS, USD
from tests.programs.venue import Venue

ANN, BEN, CAT, DAN = TRADERS[:4]
BUY, SELL = Side.BUY, Side.SELL
BROKEN = Account.numbered(0x2000)


@pytest.fixture
def venue() -> Venue:
    return Venue()


def post(venue: Venue, who: Account, side: Side, price: str, size: str, market: int = 0) -> int:
    order: int = venue.call(who, "exchange", "post", market, side, Decimal(price), Decimal(size), 0)
    return order


def take(venue: Venue, who: Account, side: Side, price: str, size: str, market: int = 0, reduce: bool = False) -> Any:
    terms = (market, side, Decimal(price), Decimal(size), Kind.IOC, 0, reduce)
    return venue.call(who, "exchange", "place", *terms)


def trade(venue: Venue, buyer: Account, seller: Account, price: str, size: str, market: int = 0) -> None:
    post(venue, seller, SELL, price, size, market)
    assert take(venue, buyer, BUY, price, size, market).filled == Decimal(size)
    venue.check()


def margin(venue: Venue, who: Account) -> tuple[Decimal, Decimal]:
    found = venue.ask("clearing", "margin", who)
    return found.initial, found.maintenance


def equity(venue: Venue, who: Account) -> Decimal:
    found: Decimal = venue.ask("clearing", "equity", who)
    return found


def drain(venue: Venue, who: Account, leave: str) -> None:
    """Withdraw until `leave` remains as equity."""
    venue.call(who, "clearing", "withdraw", equity(venue, who) - Decimal(leave))


def events(venue: Venue, name: str) -> list[Any]:
    return [item.event for item in venue.chain.events if type(item.event).__name__ == name]


# ---- cash


def test_deposits_need_consent_and_come_back(venue: Venue) -> None:
    bank = venue.ask("bank", "balance", ANN, USD)
    venue.call(ANN, "clearing", "deposit", Decimal(10))
    assert venue.call(ANN, "clearing", "withdraw", Decimal(10)) == 10
    assert venue.ask("bank", "balance", ANN, USD) == bank
    with pytest.raises(Rejected, match="no consent"):
        venue.call(Account.numbered(9), "clearing", "deposit", Decimal(1))
    with pytest.raises(Rejected, match="amount above the consent"):
        venue.call(ANN, "clearing", "deposit", Decimal(100_001))


def test_profit_is_paid_out_of_the_losers_cash(venue: Venue) -> None:
    trade(venue, ANN, BEN, "100", "100")
    venue.price("110")
    assert equity(venue, ANN) == Decimal(101_000) - 5
    assert equity(venue, BEN) == Decimal(99_000) + 1
    venue.call(ANN, "clearing", "withdraw", Decimal(100_000))
    venue.check()


def test_cash_in_use_as_margin_cannot_be_withdrawn(venue: Venue) -> None:
    trade(venue, ANN, BEN, "100", "1000")
    initial, _ = margin(venue, ANN)
    with pytest.raises(Rejected, match="initial margin"):
        venue.call(ANN, "clearing", "withdraw", equity(venue, ANN) - initial + Decimal("0.01"))
    venue.call(ANN, "clearing", "withdraw", equity(venue, ANN) - initial)
    venue.check()


# ---- margin


def test_a_linear_position_needs_the_largest_loss_of_the_range(venue: Venue) -> None:
    trade(venue, ANN, BEN, "100", "10")
    assert margin(venue, ANN) == (Decimal("62.5"), Decimal(50))
    assert margin(venue, BEN) == (Decimal("62.5"), Decimal(50))


def test_contracts_of_one_feed_net_and_others_add(venue: Venue) -> None:
    trade(venue, ANN, BEN, "100", "10")
    trade(venue, BEN, ANN, "10", "100", market=1)
    _, hedged = margin(venue, ANN)
    assert hedged == Decimal(10) * 100 * Decimal("0.005") * 2
    trade(venue, ANN, BEN, "1.25", "800", market=2)
    assert margin(venue, ANN)[1] == hedged + 50


def test_open_orders_count_on_their_worse_side(venue: Venue) -> None:
    post(venue, ANN, BUY, "90", "10")
    post(venue, ANN, SELL, "110", "4")
    assert margin(venue, ANN) == (Decimal("62.5"), Decimal(0))
    post(venue, ANN, SELL, "111", "8")
    assert margin(venue, ANN) == (Decimal(75), Decimal(0))


def test_an_order_beyond_initial_margin_is_refused(venue: Venue) -> None:
    drain(venue, ANN, "62.5")
    with pytest.raises(Rejected, match="initial margin"):
        post(venue, ANN, BUY, "100", "10.1")
    order = post(venue, ANN, BUY, "100", "10")
    with pytest.raises(Rejected, match="initial margin"):
        post(venue, ANN, BUY, "50", "0.1")
    venue.call(ANN, "exchange", "cancel", order, order="cancel")
    post(venue, ANN, SELL, "100", "10")


def test_between_maintenance_and_initial_one_may_only_reduce(venue: Venue) -> None:
    drain(venue, ANN, "65")
    trade(venue, ANN, BEN, "100", "10")
    venue.price("99")
    post(venue, BEN, SELL, "99", "5")
    post(venue, BEN, BUY, "98.5", "5")
    with pytest.raises(Rejected, match="initial margin"):
        take(venue, ANN, BUY, "99", "1")
    take(venue, ANN, SELL, "98.5", "1")
    venue.check()


def test_a_fill_far_from_the_mark_counts_at_once(venue: Venue) -> None:
    post(venue, BEN, SELL, "200", "10")
    drain(venue, ANN, "1000")
    with pytest.raises(Rejected, match="initial margin"):
        take(venue, ANN, BUY, "200", "10")


def test_a_loss_cannot_be_sold_to_a_friend(venue: Venue) -> None:
    drain(venue, ANN, "70")
    trade(venue, ANN, BEN, "100", "10")
    post(venue, BEN, BUY, "1", "10")
    with pytest.raises(Rejected, match=r"maintenance margin|initial margin"):
        take(venue, ANN, SELL, "1", "9")


def test_only_the_venue_fills(venue: Venue) -> None:
    one, zero = Decimal(1), Decimal(0)
    for who in (ANN, ADMIN, PROGRAMS["perpetual"]):
        with pytest.raises(Rejected, match="not the venue of this contract"):
            venue.call(who, "clearing", "fill", 0, ANN, BEN, one, one, zero, zero, BUY, False, False, -1)


# ---- valuation


def broken(venue: Venue) -> int:
    """A contract of the failing instrument with a market (number 3) and a position of Ann against Ben."""
    venue.chain.deploy(Broken, PROGRAMS["clearing"], FEED, address=BROKEN)
    contract: int = venue.call(ADMIN, "clearing", "list", BROKEN, 0, FEED)
    terms = (contract, Decimal("0.5"), Decimal("0.1"), Decimal(0), Decimal(0))
    assert venue.call(ADMIN, "exchange", "create_market", *terms) == 3
    with pytest.raises(Rejected, match="contract is halted"):
        post(venue, BEN, SELL, "100", "1", 3)
    venue.price("100")
    trade(venue, ANN, BEN, "100", "10", 3)
    return contract


@pytest.mark.parametrize("mode", [1, 2, 3, 4, 5])
def test_a_failing_valuation_halts_its_contract_and_no_other(venue: Venue, mode: int) -> None:
    contract = broken(venue)
    venue.chain.call(ADMIN, BROKEN, "set_mode", mode)
    venue.price("101")
    assert venue.ask("clearing", "mark", contract) == 100
    assert venue.ask("clearing", "mark", 0) == 101
    assert venue.ask("clearing", "is_halted", contract)
    with pytest.raises(Rejected, match="contract is halted"):
        post(venue, CAT, BUY, "100", "1", 3)
    post(venue, ANN, SELL, "100", "4", 3)
    assert take(venue, BEN, BUY, "100", "4", 3).filled == 4
    with pytest.raises(Rejected, match="valuation failed"):
        venue.call(CAT, "clearing", "reprice", contract)
    venue.chain.call(ADMIN, BROKEN, "set_mode", 0)
    venue.price("102")
    assert not venue.ask("clearing", "is_halted", contract)
    venue.check()


def test_an_old_mark_closes_the_contract_for_opening(venue: Venue) -> None:
    post(venue, ANN, BUY, "99", "1")
    venue.tick(61_000)
    assert venue.ask("clearing", "is_halted", 0)
    with pytest.raises(Rejected, match="contract is halted"):
        take(venue, BEN, SELL, "99", "1")
    venue.price("100")
    take(venue, BEN, SELL, "99", "1")


def test_a_payment_moves_cash_from_shorts_to_longs_exactly(venue: Venue) -> None:
    broken(venue)
    trade(venue, CAT, BEN, "100", "2.5", 3)
    before = [equity(venue, who) for who in (ANN, BEN, CAT)]
    venue.chain.call(ADMIN, BROKEN, "pay", 0, Decimal("0.3"), Decimal(100))
    after = [equity(venue, who) for who in (ANN, BEN, CAT)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [3, Decimal("-3.75"), Decimal("0.75")]
    trade(venue, BEN, ANN, "100", "10", 3)
    venue.chain.call(ADMIN, BROKEN, "pay", 0, Decimal("0.3"), Decimal(100))
    assert equity(venue, ANN) == after[0]
    venue.check()


def test_only_a_listed_program_pays(venue: Venue) -> None:
    with pytest.raises(Rejected, match="not listed"):
        venue.call(ANN, "clearing", "pay", 0, Decimal(1), Decimal(100))
    with pytest.raises(Rejected, match="not listed"):
        venue.call(ANN, "clearing", "finish", 0, Decimal(1))


# ---- liquidation


def squeeze(venue: Venue, size: str = "10", leave: str = "70") -> None:
    """Ann is long with little cash, against Ben."""
    drain(venue, ANN, leave)
    trade(venue, ANN, BEN, "100", size)


def test_a_healthy_account_cannot_be_liquidated(venue: Venue) -> None:
    squeeze(venue)
    with pytest.raises(Rejected, match="account is healthy"):
        venue.call(CAT, "exchange", "liquidate", 0, ANN)
    with pytest.raises(Rejected, match="no position"):
        venue.call(BEN, "exchange", "liquidate", 0, CAT)


def test_liquidation_closes_part_through_the_book_until_healthy(venue: Venue) -> None:
    squeeze(venue)
    post(venue, CAT, BUY, "97.5", "50")
    venue.price("97.5")
    assert venue.ask("clearing", "liquidatable", ANN)
    assert venue.ask("clearing", "flags") == 1
    sold = venue.call(DAN, "exchange", "liquidate", 0, ANN)
    assert 0 < sold < 10
    initial, _ = margin(venue, ANN)
    assert equity(venue, ANN) >= initial
    assert venue.ask("clearing", "flags") == 0
    (done,) = events(venue, "Liquidated")
    assert (done.closed, done.absorbed) == (sold, 0)
    assert done.fee == sold * Decimal("97.5") * Decimal("0.005")
    venue.check()


def test_the_exchange_liquidates_by_itself(venue: Venue) -> None:
    squeeze(venue)
    post(venue, CAT, BUY, "97.5", "50")
    venue.price("97.5")
    venue.tick(1000)
    venue.tick(1000)
    assert not venue.ask("clearing", "liquidatable", ANN)
    assert len(events(venue, "Liquidated")) == 1
    venue.check()


def test_its_open_orders_are_cancelled_first(venue: Venue) -> None:
    squeeze(venue, leave="200")
    post(venue, ANN, BUY, "99", "5")
    post(venue, CAT, BUY, "83.5", "50")
    venue.price("84")
    venue.call(DAN, "exchange", "liquidate", 0, ANN)
    assert venue.ask("clearing", "position", ANN, 0).buying == 0
    venue.check()


def test_what_the_book_cannot_take_goes_to_insurance_at_the_mark(venue: Venue) -> None:
    squeeze(venue)
    venue.price("97")
    assert venue.call(DAN, "exchange", "liquidate", 0, ANN) == 0
    (done,) = events(venue, "Liquidated")
    assert done.absorbed > 0
    clearing = PROGRAMS["clearing"]
    assert venue.ask("clearing", "position", clearing, 0).quantity == done.absorbed
    post(venue, CAT, BUY, "97", "50")
    venue.tick(1000)
    venue.tick(1000)
    assert venue.ask("clearing", "position", clearing, 0).quantity == 0
    assert venue.ask("clearing", "flags") == 0
    venue.check()


def test_it_never_sells_below_the_mark_less_the_margin(venue: Venue) -> None:
    squeeze(venue)
    post(venue, CAT, BUY, "80", "50")
    venue.price("97")
    assert venue.call(DAN, "exchange", "liquidate", 0, ANN) == 0


def test_a_friend_cannot_buy_cheaply_at_the_cost_of_insurance(venue: Venue) -> None:
    squeeze(venue)
    venue.price("93.5")
    left = equity(venue, ANN)
    assert 0 < left < 10
    post(venue, CAT, BUY, "92.5", "10")
    insurance = equity(venue, PROGRAMS["clearing"])
    assert venue.call(DAN, "exchange", "liquidate", 0, ANN) == 0
    assert equity(venue, PROGRAMS["clearing"]) == insurance + left
    venue.check()


def test_insurance_covers_a_bankrupt_account(venue: Venue) -> None:
    squeeze(venue)
    venue.price("60")
    debt = -equity(venue, ANN)
    assert debt > 300
    insurance = equity(venue, PROGRAMS["clearing"])
    venue.call(DAN, "exchange", "liquidate", 0, ANN)
    assert (equity(venue, ANN), venue.ask("clearing", "position", ANN, 0).quantity) == (Decimal(0), Decimal(0))
    assert equity(venue, PROGRAMS["clearing"]) == insurance - debt
    assert events(venue, "Bankrupt")[0].deficit == debt
    venue.check()


def test_without_insurance_losses_fall_on_who_leaves_in_proportion() -> None:
    venue = Venue(insurance=0)
    squeeze(venue, size="1000", leave="7000")
    venue.price("50")
    venue.call(DAN, "exchange", "liquidate", 0, ANN)
    post(venue, BEN, BUY, "50", "1000")
    venue.tick(1000)
    venue.tick(1000)
    missing = venue.ask("clearing", "shortfall")
    there = venue.ask("bank", "balance", PROGRAMS["clearing"], USD)
    assert missing > 42_000
    paid = venue.call(CAT, "clearing", "withdraw", Decimal(10_000))
    fair = Decimal(10_000) * there / (there + missing)
    assert abs(paid - fair) < Decimal("0.000001")
    again = venue.call(DAN, "clearing", "withdraw", Decimal(10_000))
    assert abs(again - paid) < Decimal("0.000001")
    venue.call(ADMIN, "clearing", "fund_insurance", venue.ask("clearing", "shortfall"))
    assert venue.call(CAT, "clearing", "withdraw", Decimal(100)) == 100
    venue.check()


def test_after_an_outage_there_is_grace(venue: Venue) -> None:
    squeeze(venue)
    venue.tick(20_000, gap_ms=20_000)
    venue.price("97")
    venue.tick(250, gap_ms=20_000)
    assert venue.ask("clearing", "liquidatable", ANN)
    grace_ms = venue.program("clearing").grace.ms - venue.now_ms
    if grace_ms > 0:
        with pytest.raises(Rejected, match="grace after an outage"):
            venue.call(DAN, "exchange", "liquidate", 0, ANN)


def test_short_positions_are_liquidated_too(venue: Venue) -> None:
    drain(venue, BEN, "70")
    trade(venue, ANN, BEN, "100", "10")
    post(venue, CAT, SELL, "103", "50")
    venue.price("103")
    assert venue.call(DAN, "exchange", "liquidate", 0, BEN) > 0
    assert not venue.ask("clearing", "liquidatable", BEN)
    venue.check()


# ---- limits and parameters


def test_an_account_holds_a_bounded_number_of_contracts_and_recycles_empty_ones(venue: Venue) -> None:
    venue.chain.deploy(Broken, PROGRAMS["clearing"], FEED, address=BROKEN)
    for series in range(20):
        contract = venue.call(ADMIN, "clearing", "list", BROKEN, series, Feed(series % 2))
        terms = (contract, Decimal("0.5"), Decimal("0.1"), Decimal(0), Decimal(0))
        venue.call(ADMIN, "exchange", "create_market", *terms)
    for _ in range(4):
        venue.price("100")
        venue.price("100", OTHER_FEED)
    orders = [post(venue, ANN, BUY, "90", "1", market) for market in range(3, 19)]
    venue.check()
    with pytest.raises(Rejected, match="too many positions"):
        post(venue, ANN, BUY, "90", "1", 19)
    venue.call(ANN, "exchange", "cancel", orders[7], order="cancel")
    post(venue, ANN, BUY, "90", "1", 19)
    venue.check()


def test_parameters_are_the_admins_and_bounded(venue: Venue) -> None:
    share = Decimal("0.1")
    with pytest.raises(Rejected, match="not authorised"):
        venue.call(ANN, "clearing", "configure", FEED, share, share)
    with pytest.raises(Rejected, match="price range out of range"):
        venue.call(ADMIN, "clearing", "configure", FEED, Decimal("0.5"), share)
    with pytest.raises(Rejected, match="initial factor out of range"):
        venue.call(ADMIN, "clearing", "set_margin", Decimal("0.9"), Duration.seconds(1))
    venue.call(ADMIN, "clearing", "configure", FEED, share, share)
    trade(venue, ANN, BEN, "100", "10")
    venue.price("101")
    assert margin(venue, ANN)[1] == 101


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_keep_every_invariant(seed: int) -> None:
    venue = Venue(insurance=seed * 100)
    record(venue.take, clearing_calls(seed), 1500, venue.check)
