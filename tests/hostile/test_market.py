"""
The standard chain in process, with hostile programs around its market: who is quicker, and what liars can do to others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genesis.chain import OrderClass
from genesis.devkeys import development_address
from tests.hostile.market import ADMIN, EVE, LIARS, MAKER, TAKER, Market
from tests.hostile.town import address_of


@pytest.fixture
def market() -> Iterator[Market]:
    yield Market()


def begin_sniping(market: Market) -> None:
    for money in ("transfer", "fund_gas"):
        values = (0, address_of("cancel_sniper")) if money == "transfer" else (address_of("cancel_sniper"),)
        market.must(EVE, market.call("bank", money, *values, "1000"))
    assert market.attack("cancel_sniper", "500", method="open").status == "done"
    assert market.attack("cancel_sniper").status == "done"


def test_a_cancellation_comes_before_orders_born_in_hooks(market: Market) -> None:
    """The sniper's hook is due in the very batch in which the maker cancels, and finds nothing to take."""
    begin_sniping(market)
    tries = market.machine.memory(address_of("cancel_sniper"))
    post = market.signed(MAKER, market.exchange("post", 0, "SELL", "100.1", "1", 0), order=OrderClass.POST_ONLY)
    assert market.run(post).outcomes[0].status == "done"
    held = market.ask("clearing", "position", development_address(MAKER), 0)["quantity"]
    assert held < 0, "with nobody cancelling it is quick: the sniper took in the batch of the post"
    cancel = market.signed(MAKER, market.exchange("cancel_all", 0, 100), order=OrderClass.CANCEL)
    taker = market.signed(TAKER, market.exchange("place", 0, "BUY", "0", "0.5", "MARKET", 0, False))
    result = market.run(taker, cancel)
    assert [one.status for one in result.outcomes] == ["done", "done"]
    assert list(result.order) == [1, 0]
    assert int.from_bytes(result.outcomes[0].results[0][8:24], "little") == 0, "the taker filled nothing"
    assert market.ask("clearing", "position", development_address(MAKER), 0)["quantity"] == held
    assert market.machine.memory(address_of("cancel_sniper")) != tries, "its hook ran"


@pytest.mark.parametrize("liar", LIARS)
def test_an_instrument_that_lies_or_fails_harms_no_other_contract(market: Market, liar: str) -> None:
    """Whatever its valuation does, the perpetual beside it on the same feed is valued, traded and cancelled as ever."""
    market.must(ADMIN, market.clearing("list", address_of(liar), 0, 0))
    market.report("101")
    assert str(market.ask("clearing", "mark", 0)) == "101"
    before = {key: market.ask("clearing", "equity", development_address(key)) for key in (MAKER, TAKER)}
    post = market.signed(MAKER, market.exchange("post", 0, "SELL", "101.5", "1", 0), order=OrderClass.POST_ONLY)
    assert market.run(post).outcomes[0].status == "done"
    cancel = market.signed(MAKER, market.exchange("cancel_all", 0, 100), order=OrderClass.CANCEL)
    assert market.run(cancel).outcomes[0].status == "done"
    for price in ("102", "100"):
        market.report(price)
        assert str(market.ask("clearing", "mark", 0)) == price
    assert {key: market.ask("clearing", "equity", development_address(key)) for key in before} == before


def test_payments_reach_the_payers_own_series_alone(market: Market) -> None:
    market.must(ADMIN, market.clearing("list", address_of("value_riskless"), 7, 0))
    reasons = [market.attack("foreign_payer", which).reason for which in range(6)]
    assert reasons[:3] == ["not listed", "not listed", "exchange is not admitted"]
    assert reasons[3:] == ["not the venue of this contract", "not the venue of this contract", "no cash"]
    assert market.attack("value_riskless", 0, "1", "1", method="pay").reason == "not listed", (
        "another series of its own"
    )
    extreme = "100000000"
    assert market.attack("value_riskless", 7, extreme, extreme, method="pay").status == "done"
    assert market.attack("value_riskless", 7, "1", "1", method="pay").reason == "payment out of range"
    assert (
        market.attack("value_riskless", 7, "-1", "170141183460469231731", method="pay").reason == "value out of range"
    )
    assert market.attack("value_riskless", 7, "5", method="finish").status == "done"
    for method, values in (("finish", (7, "5")), ("pay", (7, "0", "0"))):
        assert market.attack("value_riskless", *values, method=method).reason == "contract is finished"
    for key in (MAKER, TAKER):
        assert str(market.ask("clearing", "equity", development_address(key))) == "100000"


def test_nobody_but_the_admin_lists_contracts(market: Market) -> None:
    outcome = market.do(EVE, market.clearing("list", address_of("value_loops"), 0, 0))
    assert outcome.reason == "not authorised"
