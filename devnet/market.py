"""
The devnet's market: what its admin lists before trading starts, and the numbers agents size themselves by.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from genesis.devkeys import development_address
from genesis.spec import genesis_address
from genesis.transaction import Call
from node.programs import Programs

REPORTER_KEYS = (2, 3, 4)
FEED_AGE_MS = 10_000
FEED = MARKET = CONTRACT = SERIES = 0
FUNDING_SAMPLE_MS, FUNDING_INTERVAL_MS = 1_000, 10_000
FUNDING_CAP = "0.01"
RISK_FLOOR = Decimal("0.005")
"""Clearing's own constant: the least loss of a unit."""
MARK_AGE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Market:
    """
    name: of the feed, ≤ 16 ASCII. tick, lot: of price and size. price_range: how far the margin worlds go, a
    fraction; with the risk floor it decides the leverage. initial_factor: initial over maintenance margin. taker_fee,
    rebate: of the notional. order_notional: of one quote, in the settlement asset.
    """

    name: str
    tick: Decimal
    lot: Decimal
    price_range: Decimal
    initial_factor: Decimal
    taker_fee: Decimal
    rebate: Decimal
    order_notional: Decimal = Decimal(20_000)

    @property
    def initial_rate(self) -> Decimal:
        """Initial margin of one unit of notional, as clearing comes to it."""
        return max(self.price_range, RISK_FLOOR) * self.initial_factor

    def to_tick(self, price: Decimal) -> Decimal:
        return (price / self.tick).to_integral_value() * self.tick

    def to_lot(self, notional: Decimal, price: Decimal) -> Decimal:
        """The largest size of at most this notional, at least one lot."""
        lots = (notional / price / self.lot).to_integral_value(ROUND_DOWN)
        return max(lots, Decimal(1)) * self.lot


MODELLED = Market(
    "BTC-USD", Decimal("0.1"), Decimal("0.001"), Decimal("0.05"), Decimal("1.25"), Decimal("0.0004"), Decimal("0.0001")
)
RECORDED = Market(
    "EURUSD",
    Decimal("0.00001"),
    Decimal(100),
    Decimal("0.002"),
    Decimal("1.05"),
    Decimal("0.00002"),
    Decimal("0.00001"),
)


def market_for(feed: Path | None) -> Market:
    return MODELLED if feed is None else RECORDED


def listing_calls(programs: Programs, market: Market) -> list[Call]:
    """One atomic transaction of the admin: feed, reporters, perpetual, contract, market, funding."""
    oracle, perpetual, clearing, exchange = (programs[name] for name in ("oracle", "perpetual", "clearing", "exchange"))
    return [
        oracle.call("add_feed", market.name, FEED_AGE_MS, 2),
        *(oracle.call("add_reporter", FEED, development_address(key)) for key in REPORTER_KEYS),
        perpetual.call("list", FEED, "1", FUNDING_CAP, FUNDING_SAMPLE_MS, FUNDING_INTERVAL_MS),
        clearing.call("list", genesis_address("perpetual"), SERIES, FEED),
        clearing.call("configure", FEED, str(market.price_range), "0.3"),
        exchange.call(
            "create_market", CONTRACT, str(market.tick), str(market.lot), f"-{market.rebate}", str(market.taker_fee)
        ),
        clearing.call("set_margin", str(market.initial_factor), MARK_AGE_MS),
        perpetual.call("connect", SERIES, MARKET),
    ]
