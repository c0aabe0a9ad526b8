"""
Those who trade on the devnet: makers quoting ladders, takers, one who takes all the leverage there is, and reporters.

Each is a plain loop over a Trader, with a random source of its own from the devnet's seed. They know nothing but the
node's interface and the feed's last price, and bear refusals as anyone would.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import trio

from devnet.feeds import Tick
from devnet.market import FEED, MARKET, Market
from devnet.trader import Trader
from genesis.chain import Call
from genesis.errors import Invalid

Role = Literal["maker", "taker", "gambler"]

LEVELS = 5
LEVEL_STEP = Decimal(1)
"""Distance between a maker's levels in half spreads: far enough that some of them outlive a jump."""
FAR_OF_RANGE = Decimal("0.4")
"""
Where a maker's last level stands, as a part of the margin worlds' range: in a fall the others' stale bids refuse every
near post-only ask, and without a far one the book would have no asks at all.
"""
QUOTE_S = 0.25
TAKE_S = 0.08
GAMBLE_S = 0.3
GAMBLE_SLACK = Decimal("1.03")
"""Margin a gambler leaves for the spread it pays."""
SPREAD_OF_RANGE = Decimal("0.01")
"""A maker's half spread, as a part of the margin worlds' range: wide where prices move far."""
REPORT_S = 0.1
WITHDRAWAL = "250"


@dataclass(slots=True)
class Prices:
    """What the feed said last; shared by all agents, as any vendor's prices would be."""

    last: Tick

    @property
    def price(self) -> Decimal:
        return self.last.price


@dataclass(frozen=True, slots=True)
class Stage:
    """What an agent has to play with."""

    trader: Trader
    market: Market
    prices: Prices
    source: random.Random

    def place(self, side: str, price: Decimal, size: Decimal, kind: str) -> Call:
        return self.trader.programs["exchange"].call(
            "place", MARKET, side, str(self.market.to_tick(price)), str(size), kind, 0, False
        )


async def make(stage: Stage) -> None:
    """Quote a ladder around the feed's price, leaning against the position; replace it as prices move."""
    trader = stage.trader
    exchange = trader.programs["exchange"]
    while True:
        quantity = await _position(trader)
        await trader.replace_quotes(exchange.call("cancel_all", MARKET, 50), _ladder(stage, quantity))
        await trio.sleep(QUOTE_S * stage.source.uniform(0.8, 1.2))


def _ladder(stage: Stage, quantity: Decimal) -> list[Call]:
    market, price = stage.market, stage.prices.price
    half = price * market.price_range * SPREAD_OF_RANGE
    held = quantity * price / (market.order_notional * 10)
    centre = price - half * max(Decimal(-2), min(Decimal(2), held))
    calls = []
    for level in range(LEVELS + 1):
        away = half * (1 + level * LEVEL_STEP) * Decimal(str(stage.source.uniform(0.9, 1.1)))
        if level == LEVELS:
            away = price * market.price_range * FAR_OF_RANGE
        size = market.to_lot(market.order_notional * (level + 1) / 2, price)
        for side, quote in (("BUY", centre - away), ("SELL", centre + away)):
            arguments = (MARKET, side, str(market.to_tick(quote)), str(size), level)
            calls.append(stage.trader.programs["exchange"].call("post", *arguments))
    return calls


async def take(stage: Stage) -> None:
    """Buy or sell at the market at random, back towards flat as the position grows."""
    quantity, limit = Decimal(0), stage.market.order_notional * 8
    while True:
        price = stage.prices.price
        bias = max(-1.0, min(1.0, float(quantity * price / limit)))
        side = "SELL" if stage.source.random() < 0.5 + bias / 2 else "BUY"
        notional = stage.market.order_notional * Decimal(str(stage.source.uniform(0.1, 1.5)))
        size = stage.market.to_lot(notional, price)
        worst = price * (1 + stage.market.price_range if side == "BUY" else 1 - stage.market.price_range)
        receipt = await stage.trader.send([stage.place(side, worst, size, "IOC")])
        if receipt.status == "done":
            placed = stage.trader.programs["exchange"].result("place", receipt.results[0])
            filled = Decimal(str(placed["filled"]))
            quantity += filled if side == "BUY" else -filled
        await trio.sleep(TAKE_S * stage.source.uniform(0.5, 1.5))


async def gamble(stage: Stage) -> None:
    """Stay long with as much as margin allows, and buy more with every gain, until somebody ends it."""
    market = stage.market
    while True:
        price = stage.prices.price
        account = await stage.trader.client.account(stage.trader.address)
        equity, initial = Decimal(account["equity"]), Decimal(account["margin"]["initial"])
        room = (equity - initial) / (market.initial_rate * GAMBLE_SLACK)
        if room * 20 > market.order_notional:
            size = market.to_lot(min(room, market.order_notional * 8), price)
            await stage.trader.send([stage.place("BUY", price * (1 + market.price_range), size, "IOC")])
        await trio.sleep(GAMBLE_S)


ROLES: dict[Role, Callable[[Stage], Awaitable[None]]] = {"maker": make, "taker": take, "gambler": gamble}


async def report(trader: Trader, prices: Prices) -> None:
    """Report the feed's newest price to the oracle, as one of its reporters."""
    last_ms = 0
    while True:
        now_ms = max(last_ms + 1, time.time_ns() // 1_000_000)
        last_ms = now_ms
        tick = prices.last
        call = trader.programs["oracle"].call("report", FEED, str(tick.price), str(tick.confidence), now_ms)
        await trader.send([call])
        await trio.sleep(REPORT_S)


async def withdraw_some(trader: Trader) -> None:
    """Take cash out of clearing and burn it in the bank, for the settlement chain to pay. Raises Invalid."""
    receipt = await trader.must(
        trader.programs["clearing"].call("withdraw", WITHDRAWAL),
        trader.programs["bank"].call("withdraw", 0, WITHDRAWAL),
    )
    if receipt.status != "done":
        raise Invalid(f"the withdrawal failed: {receipt.reason}", "failed")


async def _position(trader: Trader) -> Decimal:
    position = await trader.view("clearing", "position", trader.address, 0)
    return Decimal(str(position["quantity"]))
