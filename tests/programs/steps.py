"""
A run of the standard programs as data: what is deployed, and steps that any engine can take.

Steps name programs and people; values are the language's. `Calls` are generators that receive each step's answer and
yield the next step, so that a run recorded on one engine can be replayed, step by step, on another.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from execution.lang import Account, Asset, Decimal, Duration, Feed, Symbol, Timestamp

START_MS = 1_700_000_000_000
KERNEL = Account.kernel()
ADMIN = Account.numbered(0xA0)
FEES = Account.numbered(0xFE)
FEE_INCOME = Account.numbered(0xFC)
REPORTERS = tuple(Account.numbered(0xB0 + number) for number in range(5))
TRADERS = tuple(Account.numbered(0x100 + number) for number in range(8))
PROGRAMS = {
    name: Account.numbered(0x1000 + number)
    for number, name in enumerate(("bank", "oracle", "clearing", "exchange", "perpetual"), 1)
}
USD = Asset(0)
FEED = Feed(0)
OTHER_FEED = Feed(1)
FOREVER = Timestamp(START_MS + 10**12)


@dataclass(frozen=True, slots=True)
class Deploy:
    """module and name of the program's class; arguments of its `create`."""

    program: str
    module: str
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One outermost call in a transaction of its own; sender acts and signs."""

    sender: Account
    program: str
    method: str
    arguments: tuple[Any, ...]
    order: Literal["cancel", "post_only", "trade"] = "trade"


@dataclass(frozen=True, slots=True)
class Ask:
    """A view."""

    program: str
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Open a block so much later and run a batch without transactions: only what is due."""

    ms: int


Step = Call | Ask | Tick


@dataclass(frozen=True, slots=True)
class Answer:
    """reason is "" when the step succeeded."""

    result: Any = None
    reason: str = ""


Calls = Generator[Step, Answer, None]


def deployments() -> tuple[Deploy, ...]:
    at = PROGRAMS
    home = "execution.programs."
    return (
        Deploy("bank", home + "bank", "Bank", (Symbol("USD"), ADMIN, FEES)),
        Deploy("oracle", home + "oracle", "Oracle", (ADMIN,)),
        Deploy("clearing", home + "clearing", "Clearing", (at["bank"], USD, ADMIN)),
        Deploy("exchange", home + "exchange", "Exchange", (at["clearing"], ADMIN, FEE_INCOME)),
        Deploy("perpetual", home + "perpetual", "Perpetual", (at["clearing"], at["exchange"], ADMIN)),
    )


def opening(cash: int = 100_000, insurance: int = 50_000) -> list[Step]:
    """Three markets on two feeds (0 and 1 share a feed), traders with money in the bank and in clearing, a price."""
    at = PROGRAMS
    steps: list[Step] = [
        Call(ADMIN, "oracle", "add_feed", (Symbol("BTCUSD"), Duration.seconds(30), 1)),
        Call(ADMIN, "oracle", "add_feed", (Symbol("EURUSD"), Duration.seconds(30), 1)),
        Call(ADMIN, "oracle", "add_reporter", (FEED, REPORTERS[0])),
        Call(ADMIN, "oracle", "add_reporter", (OTHER_FEED, REPORTERS[0])),
        Call(ADMIN, "clearing", "admit", (at["exchange"],)),
    ]
    second = Duration.seconds(1)
    minute = Duration.seconds(60)
    for number, feed in enumerate((FEED, FEED, OTHER_FEED)):
        multiplier = Decimal(1) if number != 1 else Decimal("0.1")
        cap = Decimal("0.01")
        steps += [
            Call(ADMIN, "perpetual", "list", (feed, multiplier, cap, second * 5, minute)),
            Call(ADMIN, "clearing", "list", (at["perpetual"], number, feed)),
            Call(ADMIN, "exchange", "create_market", market_terms(number)),
            Call(ADMIN, "perpetual", "connect", (number, number)),
        ]
    for trader in (*TRADERS, ADMIN):
        steps += [
            Call(KERNEL, "bank", "credit", (trader, USD, Decimal(cash * 2))),
            Call(trader, "bank", "allow", (at["clearing"], USD, Decimal(cash * 2), FOREVER)),
            Call(trader, "clearing", "deposit", (Decimal(cash),)),
        ]
    if insurance:
        steps.append(Call(ADMIN, "clearing", "fund_insurance", (Decimal(insurance),)))
    return [*steps, *price(Decimal(100), START_MS), *price(Decimal("1.25"), START_MS, OTHER_FEED), Tick(1000)]


def market_terms(contract: int) -> tuple[Any, ...]:
    """Arguments of create_market: tick, lot, maker and taker fee."""
    tick = (Decimal("0.5"), Decimal("0.05"), Decimal("0.0001"))[contract]
    lot = (Decimal("0.1"), Decimal(1), Decimal(10))[contract]
    return (contract, tick, lot, Decimal("-0.0001"), Decimal("0.0005"))


def price(value: Decimal, now_ms: int, feed: Feed = FEED, reporter: Account = REPORTERS[0]) -> list[Step]:
    """A report; it takes a Tick for clearing to hear of it."""
    return [Call(reporter, "oracle", "report", (feed, value, Decimal("0.01"), Timestamp(now_ms)))]
