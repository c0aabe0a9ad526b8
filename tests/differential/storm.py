"""
A generator of trouble: poor traders, prices that wander far, an instrument that fails on request, many contracts.

Reaches what the generators of single programs seldom do: liquidations by hook and by hand, bankruptcies, insurance
running dry, more contracts than an account may hold, halts, retried and failing hooks, grace after an outage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from execution.lang import Account, Decimal, Duration, Timestamp
from execution.programs.orders import Kind, Side
from tests.programs.generators import GENERATORS, STRANGER, Clock, Dice
from tests.programs.steps import (
    ADMIN,
    FEED,
    OTHER_FEED,
    PROGRAMS,
    REPORTERS,
    START_MS,
    TRADERS,
    USD,
    Ask,
    Call,
    Calls,
    Deploy,
)

BROKEN = Deploy("broken", "tests.programs.broken", "Broken", (PROGRAMS["clearing"], FEED))
ALARM = Deploy("alarm", "tests.differential.alarm", "Alarm", (FEED, PROGRAMS["bank"]))
BROKEN_AT, ALARM_AT = Account.numbered(0x1006), Account.numbered(0x1007)
ADDRESSES = {**PROGRAMS, "broken": BROKEN_AT, "alarm": ALARM_AT}
BROKEN_CONTRACT = 3
CONTRACTS = 22  # the opening's three, the broken one, and more on the first feed
CENTRES = (200, 12_500)  # ticks at the opening prices
TICK_RAW = (5 * 10**17, 10**14)
LOT_RAW = (10**17, 10**19)


class Levels:
    """Prices of the two feeds as fractions of their opening; they wander and are pulled back."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.of = [1.0, 1.0]

    def move(self, feed: int) -> Decimal:
        step = 1 + self.dice.choice((0.002, 0.01, 0.03, 0.1, 0.25, 0.4)) * self.dice.uniform(-1, 1)
        self.of[feed] = min(max(self.of[feed] * step, 0.3), 3.0) ** 0.97
        base = 100 if feed == 0 else Decimal("1.25")
        return base * Decimal.from_raw(int(self.of[feed] * 10**6) * 10**12)


def storm_calls(seed: int) -> Calls:
    dice, clock = Dice(seed), Clock()
    levels, orders = Levels(dice), [(TRADERS[0], 1)]
    contracts = BROKEN_CONTRACT + 4 if seed % 2 else CONTRACTS
    yield from more_contracts(contracts - BROKEN_CONTRACT - 1)
    while True:
        who, other = dice.choice(TRADERS), dice.choice(TRADERS)
        anywhere = dice.randrange(contracts)
        market = dice.choice((0, 0, 1, 2, 2, BROKEN_CONTRACT, anywhere, *(anywhere,) * (0 if seed % 2 else 14)))
        match dice.randrange(24):
            case 0 | 1:
                yield from weather(dice, clock, levels)
            case 2:
                yield Call(dice.account(), "exchange", "liquidate", (market, other))
                yield Ask("clearing", "flagged_at", (dice.randrange(3),))
            case 3:
                yield Call(who, "exchange", "cancel_all", (market, dice.randint(1, 5)), "cancel")
            case 4:
                yield Call(who, "clearing", "withdraw", (dice.amount(600),))
                yield Call(who, "clearing", "withdraw", (dice.amount(200),))
                yield Call(who, "clearing", "deposit", (dice.amount(400),))
            case 5:
                yield from instrument_calls(dice, who)
                yield from alarm_calls(dice, who, other)
            case 6:
                for name in ("equity", "margin", "liquidatable", "largest"):
                    yield Ask("clearing", name, (other,))
                yield Ask("exchange", "market", (market,))
                yield Ask("clearing", "contract_count", ())
            case 7 | 8:
                owner, order = dice.choice(orders)
                yield Call(owner, "exchange", "cancel", (order,), "cancel")
            case 9:
                yield Call(ADMIN, "clearing", "fund_insurance", (dice.amount(20),))
                yield Call(dice.choice((who, ADMIN)), "clearing", "configure", (FEED, dice.amount(1), Decimal("0.3")))
            case _:
                answer = yield order_call(dice, levels, who, market)
                if not answer.reason:
                    number = answer.result if isinstance(answer.result, int) else answer.result.order
                    orders = [*orders[-60:], (who, number)]


def more_contracts(count: int) -> Calls:
    """Contract 3 on the broken instrument, then further series of the perpetual, each with a market."""
    yield Call(ADMIN, "clearing", "list", (BROKEN_AT, 0, FEED))
    yield Call(ADMIN, "exchange", "create_market", terms_of(BROKEN_CONTRACT))
    for number in range(count):
        series, contract = 3 + number, BROKEN_CONTRACT + 1 + number
        second = Duration.seconds(1)
        listing = (FEED, Decimal("0.5"), Decimal("0.01"), second * 20, second * 60)
        yield Call(ADMIN, "perpetual", "list", listing)
        yield Call(ADMIN, "clearing", "list", (PROGRAMS["perpetual"], series, FEED))
        yield Call(ADMIN, "exchange", "create_market", terms_of(contract))


def terms_of(contract: int) -> tuple[Any, ...]:
    tick, lot = Decimal.from_raw(TICK_RAW[0]), Decimal.from_raw(LOT_RAW[0])
    return (contract, tick, lot, Decimal("0.0001"), Decimal("0.0005"))


def order_call(dice: Dice, levels: Levels, who: Account, market: int) -> Call:
    """Near the present level, as much as a poor trader dares."""
    feed, side = int(market == 2), dice.side()
    away = dice.randint(-12, 30) * CENTRES[feed] // 1000
    factor = {1: 10, 2: 1}.get(market, 1)
    tick = TICK_RAW[feed] // (10 if market == 1 else 1)
    ticks = int(CENTRES[feed] * levels.of[feed] / (1 if market < 4 else 2)) + (-away if side == Side.BUY else away)
    price = Decimal.from_raw(max(ticks, 1) * tick)
    lots = dice.choice((1, 1, 10, 50, 100) if market > BROKEN_CONTRACT else (1, 10, 50, 100, 200, 400))
    size = Decimal.from_raw(lots * LOT_RAW[feed] * factor)
    if dice.odd(0.4):
        return Call(who, "exchange", "post", (market, side, price, size, 7), dice.choice(("post_only", "trade")))
    kind = dice.choice((Kind.LIMIT, Kind.LIMIT, Kind.IOC, Kind.MARKET))
    worst = Decimal(0) if kind == Kind.MARKET and dice.odd(0.5) else price
    return Call(who, "exchange", "place", (market, side, worst, size, kind, 1, dice.odd(0.2)))


def weather(dice: Dice, clock: Clock, levels: Levels) -> Calls:
    """Prices move, or nobody reports for a while."""
    yield clock.tick(dice.choice((250, 250, 1000)))
    for number, feed in enumerate((FEED, OTHER_FEED)):
        if dice.odd(0.9):
            report = (feed, levels.move(number), Decimal("0.01"), Timestamp(clock.now_ms))
            yield Call(REPORTERS[0], "oracle", "report", report)
    for _ in range(dice.randint(1, 4)):
        yield clock.tick(dice.choice((250, 250, 1000, 6000, 40_000) if dice.odd(0.1) else (250, 500)))


def alarm_calls(dice: Dice, who: Account, other: Account) -> Calls:
    """Hooks that fail in several ways, handlers at the end that refuse, calls that are tolerated."""
    yield Call(who, "alarm", "set_mode", (dice.choice((0, 0, 1, 2, 3, 4)),))
    yield Call(who, "alarm", "listen", (dice.odd(0.8),))
    yield Call(who, "alarm", "wake", (Duration(dice.randint(-300, 3000)),))
    for _ in range(3):
        yield Call(who, "alarm", "owe", (dice.choice((who, other)), dice.signed(6)))
    yield Call(who, "bank", "allow", (ALARM_AT, USD, dice.amount(30), Timestamp(START_MS + 10**9)))
    yield Call(who, "alarm", "pull_twice", (who, USD, dice.amount(20)))


def instrument_calls(dice: Dice, who: Account) -> Calls:
    """The broken instrument changes its mood; somebody asks for a valuation."""
    yield Call(who, "broken", "set_mode", (dice.choice((0, 0, 0, 1, 2, 3, 4, 5)),))
    yield Call(STRANGER, "clearing", "reprice", (BROKEN_CONTRACT,))
    if dice.odd(0.3):
        yield Call(STRANGER, "broken", "pay", (0, dice.signed(1), dice.amount(100)))
    if dice.odd(0.03):
        yield Call(STRANGER, "broken", "finish", (0, dice.signed(100)))
    yield Call(ADMIN, "clearing", "close_contract", (BROKEN_CONTRACT, dice.amount(100)))
    yield Call(who, "clearing", "redeem", (BROKEN_CONTRACT, dice.choice(TRADERS)))
    yield Ask("broken", "value", (0,))


ALL: dict[str, Callable[[int], Calls]] = {**GENERATORS, "storm": storm_calls}
