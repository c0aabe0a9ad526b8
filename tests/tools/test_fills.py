"""The exchange tells programs of their fills, as makers and as takers, and accounts of nothing."""

from __future__ import annotations

from execution.lang import Decimal, Duration

SECOND = Duration.seconds(1)


def test_a_program_hears_of_its_sale_and_of_buying_it_back(market, accounts, chain, clock):
    maker = chain.deploy("maker.py", market.bank, market.clearing, market.exchange)
    market.fund(maker.me, 10_000)
    maker.margin(Decimal(10_000), sender=accounts.alice)
    for account in (accounts.buyer, accounts.seller):
        market.margin(account, 10_000)
    order = maker.offer(Decimal(100), Decimal(2), sender=accounts.alice)
    market.sell(accounts.seller, "100.5", 2)
    market.buy(accounts.buyer, 100, "0.5")
    assert maker.state["heard"] == []
    for _ in range(3):
        clock.advance(SECOND)
    sold, bought = maker.state["heard"]
    assert (sold.venue, sold.market, sold.order, sold.bought) == (market.exchange.me, 0, order, False)
    assert (sold.price, sold.size, sold.fee, sold.missed) == (Decimal(100), Decimal("0.5"), Decimal(0), 0)
    assert (bought.bought, bought.price, bought.size) == (True, Decimal("100.5"), Decimal("0.5"))
    assert market.clearing.position(maker.me, 0).quantity == 0
