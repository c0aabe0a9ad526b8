"""
The small data of a chain under CPython: a deployed program, a call frame, an emitted event, a stored price.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.lang.decimal import Decimal
from execution.lang.entries import EntryPoint
from execution.lang.feeds import Feed, Quote, QuoteStatus, World
from execution.lang.kinds import INT_MIN
from execution.lang.program import Program
from execution.lang.struct import Event
from execution.lang.values import Account, Duration, Timestamp


@dataclass(frozen=True, slots=True)
class Deployed:
    """number: index of creation, from 1."""

    number: int
    program: Program
    cls: type[Program]
    entries: dict[str, EntryPoint]


@dataclass(frozen=True, slots=True)
class Frame:
    """A program on the stack. view and world are inherited by everything it calls."""

    me: Account
    sender: Account
    view: bool
    world: World | None


@dataclass(frozen=True, slots=True)
class Emitted:
    program: Account
    event: Event


@dataclass(frozen=True, slots=True)
class Opened:
    """The block at hand."""

    time: Timestamp
    height: int
    gap: Duration


@dataclass(frozen=True, slots=True)
class Stored:
    """What was published. max_age: FRESH while now − time ≤ max_age; negative: HALTED."""

    price: Decimal
    confidence: Decimal
    time: Timestamp
    max_age: Duration

    def status(self, now: Timestamp) -> QuoteStatus:
        if self.max_age < Duration(0):
            return QuoteStatus.HALTED
        return QuoteStatus.FRESH if now.ms - self.time.ms <= self.max_age.ms else QuoteStatus.STALE


def answer(feed: Feed, stored: Stored | None, now: Timestamp, world: World | None) -> Quote:
    """The quote at real time `now`; in a world the price is scaled, half to even, and the time shifted (it wraps)."""
    if stored is None:
        return Quote(feed, Decimal(0), Decimal(0), Timestamp(0), QuoteStatus.MISSING)
    quote = Quote(feed, stored.price, stored.confidence, stored.time, stored.status(now))
    if world is None:
        return quote
    return quote.replace(price=quote.price * world.price, time=shifted(quote.time, world))


def shifted(time: Timestamp, world: World | None) -> Timestamp:
    """The time as a world shows it, modulo 2⁶⁴ ms."""
    if world is None:
        return time
    return Timestamp((time.ms + world.shift.ms - INT_MIN) % (1 << 64) + INT_MIN)
