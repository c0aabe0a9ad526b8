"""
Seeded generators of calls, one per program, good and bad ones mixed: `GENERATORS[name](seed)` never ends.

Each yields a step and receives its answer, and knows the chain only through answers, so the same seed gives the same
run on every engine that answers the same. All start from `steps.opening()`; `record` runs one and keeps (step,
answer) for a replay.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from execution.lang import Account, Asset, Decimal, Duration, Feed, Symbol, Timestamp
from execution.programs.clearing import CLOSE_AFTER_MS
from execution.programs.orders import Kind, Side
from tests.programs.steps import (
    ADMIN,
    FEED,
    FEES,
    FOREVER,
    KERNEL,
    OTHER_FEED,
    PROGRAMS,
    REPORTERS,
    START_MS,
    TRADERS,
    USD,
    Answer,
    Ask,
    Call,
    Calls,
    Step,
    Tick,
)

EXTREMES = (0, 1, -1, 10**18, -(10**18), 2**127 - 1, -(2**127), 10**36, 5 * 10**17)
STRANGER = Account.numbered(0xDEAD)


class Dice(random.Random):
    """Random values of the language, mostly sensible."""

    def odd(self, chance: float = 0.03) -> bool:
        return self.random() < chance

    def amount(self, most: int = 1000, places: int = 3) -> Decimal:
        if self.odd():
            return Decimal.from_raw(self.choice(EXTREMES))
        return Decimal.from_raw(self.randint(1, most * 10**places) * 10 ** (18 - places))

    def signed(self, most: int) -> Decimal:
        drawn = self.amount(most)
        return -drawn if drawn > 0 and self.odd(0.5) else drawn

    def account(self) -> Account:
        return STRANGER if self.odd() else self.choice(TRADERS)

    def number(self, below: int) -> int:
        return self.choice((-1, below, 2**63 - 1, -(2**63))) if self.odd() else self.randrange(below)

    def side(self) -> Side:
        return self.choice((Side.BUY, Side.SELL))


class Clock:
    """Block time as the generator knows it, from its own ticks; the opening ends one second after START_MS."""

    def __init__(self) -> None:
        self.now_ms = START_MS + 1000

    def tick(self, ms: int) -> Tick:
        self.now_ms += ms
        return Tick(ms)


def bank_calls(seed: int) -> Calls:
    """Transfers, withdrawals, consents, mandates, deposits by the kernel, and those who may not."""
    dice, clock, assets = Dice(seed), Clock(), 1
    consent = (STRANGER, STRANGER, USD)
    while True:
        sender, other = dice.account(), dice.account()
        asset = USD if dice.odd(0.7) else Asset(dice.number(assets + 1))
        amount = dice.amount(3000)
        until = Timestamp(clock.now_ms + dice.randint(-2000, 20_000))
        match dice.randrange(16):
            case 0 | 1 | 2:
                yield Call(sender, "bank", "transfer", (asset, other, amount))
            case 13:
                yield from sub_calls(dice, sender, other, asset, Timestamp(clock.now_ms))
            case 14:
                program = dice.choice(tuple(PROGRAMS.values()))
                yield Call(sender, "bank", "fund_gas", (program, amount))
                yield Call(dice.choice((program, sender)), "bank", "take_gas", (dice.amount(1500),))
                yield Ask("bank", "gas_balance", (program,))
            case 3:
                yield Call(sender, "bank", "withdraw", (asset, amount))
            case 4 | 5:
                yield Call(sender, "bank", "allow", (other, asset, amount, until))
                consent = (sender, other, asset)
            case 6 | 7:
                owner, program, asset = (other, sender, asset) if dice.odd(0.2) else consent
                yield Call(program, "bank", "pull", (owner, asset, dice.amount(1500)))
            case 8:
                scope = dice.choice((Account.zero(), PROGRAMS["exchange"]))
                yield Call(sender, "bank", "authorise", (other, scope, until))
            case 9:
                yield Call(sender, "bank", "revoke", (other,), "cancel")
                yield Ask("bank", "may_act", (sender, other, PROGRAMS["exchange"], Timestamp(clock.now_ms)))
            case 10:
                yield Call(KERNEL if not dice.odd(0.2) else sender, "bank", "credit", (other, asset, amount))
            case 11:
                yield from fee_calls(dice, sender)
            case 12:
                symbol = Symbol(f"A{dice.randrange(6)}")
                answer = yield Call(ADMIN if not dice.odd(0.3) else sender, "bank", "register", (symbol,))
                assets += not answer.reason
            case _:
                yield Ask("bank", "balance", (sender, asset))
                yield Ask("bank", "allowance", (other, sender, asset))
                yield Ask("bank", "supply", (asset,))
                yield clock.tick(dice.randint(1, 3000))


def sub_calls(dice: Dice, owner: Account, other: Account, asset: Asset, now: Timestamp) -> Calls:
    """A sub-account opened, paid in and out, by its owner and by others."""
    number = dice.number(3)
    yield Call(owner, "bank", "open_sub", (number,))
    place = yield Ask("bank", "sub_account", (owner, number))
    account = other if place.reason else place.result
    yield Call(owner, "bank", "transfer", (asset, account, dice.amount(3000)))
    yield Call(account, "bank", "withdraw", (asset, dice.amount(10)))
    yield Call(account, "bank", "transfer", (asset, other, dice.amount(1500)))
    yield Call(account, "bank", "open_sub", (0,))
    yield Ask("bank", "owner_of", (account,))
    for agent in (owner, other):
        yield Ask("bank", "may_act", (account, agent, PROGRAMS["exchange"], now))


def fee_calls(dice: Dice, payer: Account) -> Calls:
    """A fee held and settled with a deposit paid or given back, sometimes wrongly; never left open."""
    amount = dice.amount(5)
    answer = yield Call(KERNEL, "bank", "hold", (payer, amount, dice.choice((amount, dice.amount(400)))))
    if answer.reason or amount <= 0:
        yield Call(payer, "bank", "settle", (payer, Decimal(0), Decimal(0)))
        return
    if dice.odd(0.2):
        yield Call(KERNEL, "bank", "settle", (payer, dice.amount(100), Decimal(1)))
    fee = Decimal.from_raw(dice.randint(0, amount.raw))
    given = yield Call(
        KERNEL, "bank", "settle", (payer, fee, dice.choice((amount - fee, Decimal(-dice.randint(1, 3)))))
    )
    if given.reason:
        yield Call(KERNEL, "bank", "settle", (payer, fee, Decimal(0)))


def oracle_calls(seed: int) -> Calls:
    """Reporters come, go, agree, disagree, lie and fall silent."""
    dice, clock, feeds = Dice(seed), Clock(), 2
    for reporter in REPORTERS[1:]:
        yield Call(ADMIN, "oracle", "add_reporter", (FEED, reporter))
    while True:
        feed = Feed(dice.number(feeds))
        reporter = dice.choice(REPORTERS)
        match dice.randrange(12):
            case 0:
                name = Symbol(f"F{dice.randrange(9)}")
                terms = (name, Duration(dice.randint(-1, 20_000)), dice.randint(0, 6))
                answer = yield Call(ADMIN if not dice.odd(0.2) else reporter, "oracle", "add_feed", terms)
                feeds += not answer.reason
                yield Ask("oracle", "feed_of", (name,))
            case 1:
                yield Call(ADMIN if not dice.odd(0.2) else reporter, "oracle", "add_reporter", (feed, reporter))
            case 2:
                yield Call(ADMIN if not dice.odd(0.2) else reporter, "oracle", "remove_reporter", (feed, reporter))
            case 3:
                yield Ask("oracle", "quote", (feed,))
                yield Ask("oracle", "fresh_reports", (feed,))
            case 4:
                yield clock.tick(dice.choice((1, 250, 5000, 40_000)))
            case _:
                value = Decimal.from_raw(100 * 10**18 + dice.randint(0, 3000) * 10**15)
                value = dice.signed(200_000_000) if dice.odd(0.1) else value
                time = Timestamp(clock.now_ms + dice.randint(-3000, 1200))
                yield Call(reporter, "oracle", "report", (feed, value, dice.amount(1), time))
                if dice.odd(0.3):
                    yield clock.tick(dice.randint(1, 500))


class Market:
    """What a generator of trading remembers: prices in ticks, ids of orders it saw accepted."""

    ticks = (200, 200, 12_500)
    tick_raw = (5 * 10**17, 5 * 10**16, 10**14)
    lot_raw = (10**17, 10**18, 10**19)

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.orders: list[tuple[Account, int]] = []

    def price(self, market: int, side: Side) -> Decimal:
        """Around the opening price, better or worse than it; sometimes off tick or absurd."""
        if not 0 <= market < 3 or self.dice.odd():
            return self.dice.amount(300)
        away = self.dice.randint(-3, 12)
        ticks = self.ticks[market] + (-away if side == Side.BUY else away)
        return Decimal.from_raw(max(ticks, 1) * self.tick_raw[market])

    def size(self, market: int) -> Decimal:
        if not 0 <= market < 3 or self.dice.odd():
            return self.dice.amount(30)
        lots = self.dice.choice((1, 2, 5, 10, 50, 1000, 30_000))
        return Decimal.from_raw(lots * self.lot_raw[market])

    def remember(self, owner: Account, answer: Answer) -> None:
        if answer.reason:
            return
        order = answer.result if isinstance(answer.result, int) else answer.result.order
        self.orders.append((owner, order))
        del self.orders[:-200]


def trade_calls(dice: Dice, book: Market) -> Calls:
    """One operation on the exchange."""
    owner, market, side = dice.account(), dice.number(3), dice.side()
    price, size = book.price(market, side), book.size(market)
    match dice.randrange(22):
        case 0 | 1 | 2 | 3 | 4 | 5:
            order: Any = dice.choice(("post_only", "trade"))
            answer = yield Call(owner, "exchange", "post", (market, side, price, size, 7), order)
            book.remember(owner, answer)
        case 6 | 7 | 8 | 9 | 10 | 11 | 12:
            kind = dice.choice((Kind.LIMIT, Kind.LIMIT, Kind.IOC, Kind.MARKET))
            worst = Decimal(0) if kind == Kind.MARKET and dice.odd(0.6) else price
            terms = (market, side, worst, size, kind, dice.randrange(100), dice.odd(0.15))
            answer = yield Call(owner, "exchange", "place", terms)
            book.remember(owner, answer)
        case 13 | 14 | 15 | 16:
            owner, order_id = dice.choice(book.orders or [(owner, 5)])
            owner = dice.account() if dice.odd() else owner
            order_id = dice.number(2**40) if dice.odd() else order_id
            yield Call(owner, "exchange", "cancel", (order_id,), "cancel")
        case 17:
            yield Call(owner, "exchange", "cancel_all", (market, dice.randint(0, 4)), "cancel")
        case 18:
            yield Ask("exchange", "best", (market,))
            yield Ask("exchange", "book", (market, side, dice.randrange(5)))
            yield Ask("exchange", "mid", (market,))
        case 19 | 20:
            yield from agent_calls(dice, book, owner, market, side, price, size)
        case _:
            owner, order_id = dice.choice(book.orders or [(owner, 5)])
            yield Ask("exchange", "order", (order_id,))
            yield Call(STRANGER, "exchange", "liquidate", (market, owner))


def agent_calls(
    dice: Dice, book: Market, owner: Account, market: int, side: Side, price: Decimal, size: Decimal
) -> Calls:
    """Another account acts for the owner, mostly with a mandate."""
    agent = dice.account()
    if dice.odd(0.4):
        yield Call(owner, "bank", "authorise", (agent, PROGRAMS["exchange"], FOREVER))
    terms = (owner, market, side, price, size)
    answer = yield Call(agent, "exchange", "post_for", (*terms, 3), "post_only")
    book.remember(owner, answer)
    answer = yield Call(agent, "exchange", "place_for", (*terms, Kind.LIMIT, 4, dice.odd(0.1)))
    book.remember(owner, answer)
    owner, order = dice.choice(book.orders or [(owner, 5)])
    yield Call(agent, "exchange", "cancel_for", (owner, order), "cancel")


def move_market(dice: Dice, clock: Clock) -> Calls:
    """A price within the reporters' means, and the blocks in which it is heard."""
    yield clock.tick(250)
    for feed, base in ((FEED, 100), (OTHER_FEED, Decimal("1.25"))):
        swing = dice.choice((1, 1, 1, 4, 15)) * dice.uniform(-1, 1)
        value = base * (1 + Decimal.from_raw(int(swing * 10**4) * 10**12))
        yield Call(REPORTERS[0], "oracle", "report", (feed, value, Decimal("0.01"), Timestamp(clock.now_ms)))
    for _ in range(dice.randint(1, 5)):
        yield clock.tick(dice.choice((250, 250, 1000, 6000)))


def exchange_calls(seed: int) -> Calls:
    """Orders of every kind in three markets, while prices move enough for some to be liquidated."""
    dice, clock = Dice(seed), Clock()
    book = Market(dice)
    while True:
        if dice.odd(0.02):
            yield from move_market(dice, clock)
        yield from trade_calls(dice, book)


def clearing_calls(seed: int) -> Calls:
    """
    Cash in and out, payments, parameters, strangers who pretend to be the venue, between orders and moving prices.
    """
    dice, clock = Dice(seed), Clock()
    book = Market(dice)
    while True:
        who, contract = dice.account(), dice.number(3)
        match dice.randrange(16):
            case 0:
                yield from move_market(dice, clock)
            case 1 | 2:
                yield Call(who, "clearing", "deposit", (dice.amount(5000),))
            case 3 | 4:
                yield Call(who, "clearing", "withdraw", (dice.amount(60_000),))
            case 5:
                per_unit = dice.signed(1)
                sender = PROGRAMS["perpetual"] if not dice.odd(0.2) else who
                worth = (
                    dice.amount(100) if dice.odd(0.1) else (Decimal(100), Decimal(10), Decimal("1.25"))[contract % 3]
                )
                yield Call(sender, "clearing", "pay", (contract, per_unit, worth))
            case 6:
                yield Call(who, "clearing", "reprice", (contract,))
                yield Call(who, "clearing", "flag", (dice.account(),))
            case 7:
                yield Call(who, "clearing", "collect", (contract,))
                yield Call(who, "clearing", "fund_insurance", (dice.amount(100),))
            case 8:
                yield from parameter_calls(dice, who)
                yield from end_calls(dice, clock, who, contract)
            case 9:
                yield from pretender_calls(dice, who, contract)
            case 10:
                for name in ("equity", "margin", "cash", "liquidatable", "largest", "may_seize"):
                    yield Ask("clearing", name, (who,))
                yield Ask("clearing", "position", (who, contract))
                yield Ask("clearing", "mark", (contract,))
                yield Ask("clearing", "shortfall", ())
            case _:
                for _ in range(4):
                    yield from trade_calls(dice, book)


def parameter_calls(dice: Dice, who: Account) -> Calls:
    sender = ADMIN if not dice.odd(0.3) else who
    share = Decimal.from_raw(dice.randint(0, 50) * 10**16)
    yield Call(sender, "clearing", "configure", (dice.choice((FEED, OTHER_FEED)), share, share * 2))
    yield Call(sender, "clearing", "set_margin", (1 + share, Duration.seconds(dice.randint(20, 80))))
    yield Call(sender, "clearing", "list", (PROGRAMS["perpetual"], dice.randrange(5), FEED))
    yield Call(sender, "clearing", "admit", (STRANGER,))


def end_calls(dice: Dice, clock: Clock, who: Account, contract: int) -> Calls:
    """
    Mostly refused, so that there is something left to trade: some time series 1 is finished, and contract 2 closed
    after a day without prices. Holders redeem.
    """
    if dice.odd(0.08):
        yield Call(PROGRAMS["perpetual"], "clearing", "finish", (1, dice.signed(20)))
    yield Call(who, "clearing", "finish", (contract, dice.signed(200)))
    closed = contract
    if dice.odd(0.05):
        yield clock.tick(CLOSE_AFTER_MS)
        closed = 2
    yield Call(ADMIN if not dice.odd(0.3) else who, "clearing", "close_contract", (closed, dice.signed(3)))
    for number in range(3):
        yield Call(STRANGER, "clearing", "redeem", (number, who))
    yield Call(STRANGER, "clearing", "redeem", (contract, PROGRAMS["clearing"]))
    yield Ask("clearing", "is_finished", (contract,))


def pretender_calls(dice: Dice, who: Account, contract: int) -> Calls:
    """What only the venue may do."""
    one, zero = Decimal(1), Decimal(0)
    terms = (contract, who, dice.account(), one, one, zero, zero, dice.side(), False, False, -1)
    yield Call(who, "clearing", "fill", terms)
    yield Call(who, "clearing", "reserve", (contract, who, dice.side(), one, 0))
    yield Call(who, "clearing", "release", (contract, who, dice.side(), one, 0))
    yield Call(who, "clearing", "seize", (contract, dice.account()))
    yield Call(who, "clearing", "settle_seizure", (contract, dice.account(), zero, zero))
    yield Call(STRANGER, "clearing", "claim", (contract, FEES))


def perpetual_calls(seed: int) -> Calls:
    """Series, connections and the passing of funding times, with a book to sample."""
    dice, clock = Dice(seed), Clock()
    book, series = Market(dice), 3
    while True:
        number = dice.number(series)
        sender = ADMIN if not dice.odd(0.2) else dice.account()
        match dice.randrange(12):
            case 0:
                sample = Duration(dice.randint(500, 20_000))
                terms = (FEED, dice.amount(10), Decimal("0.02"), sample, sample * dice.randint(0, 4))
                answer = yield Call(sender, "perpetual", "list", terms)
                series += not answer.reason
            case 1:
                yield Call(sender, "perpetual", "connect", (number, dice.randint(-1, 4)))
                if dice.odd(0.05):
                    yield Call(sender, "perpetual", "finish", (max(number, 1),))
            case 2 | 3 | 4:
                yield Ask("perpetual", "value", (number,))
                yield Ask("perpetual", "series", (number,))
                yield clock.tick(dice.choice((1000, 5000, 20_000)))
            case 5 | 6:
                yield from move_market(dice, clock)
            case _:
                yield from trade_calls(dice, book)


GENERATORS: dict[str, Callable[[int], Calls]] = {
    "bank": bank_calls,
    "oracle": oracle_calls,
    "clearing": clearing_calls,
    "exchange": exchange_calls,
    "perpetual": perpetual_calls,
}


def record(
    take: Callable[[Step], Answer], calls: Calls, count: int, check: Callable[[], None] | None = None, every: int = 50
) -> list[tuple[Step, Answer]]:
    """Run `count` steps through an engine; `check` is called after every so many and at the end."""
    seen: list[tuple[Step, Answer]] = []
    step = next(calls)
    for number in range(1, count + 1):
        answer = take(step)
        seen.append((step, answer))
        if check is not None and (number % every == 0 or number == count):
            check()
        step = calls.send(answer)
    return seen
