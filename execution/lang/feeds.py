"""
Prices as programs see them: a Feed answers a Quote, never a bare number; in a World the answers are shocked.

`publish` belongs to the pinned oracle. A World is a scenario: factors on price and volatility and a shift of time.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.lang.ambient import engine
from execution.lang.decimal import Decimal
from execution.lang.kinds import Kind, ValueKind, load_int
from execution.lang.rejection import NO_PRICE, Rejected
from execution.lang.struct import Enum, Struct
from execution.lang.values import Account, Duration, Timestamp


class QuoteStatus(Enum):
    MISSING = 0
    FRESH = 1
    STALE = 2
    HALTED = 3


class Outcome(Enum):
    """What a hook answers: done, or due again in the next batch."""

    DONE = 0
    RETRY = 1


DONE = Outcome.DONE
RETRY = Outcome.RETRY


@dataclass(frozen=True, slots=True)
class Feed:
    """index: place in the oracle's register."""

    index: int

    def quote(self) -> Quote:
        """The last published value and its status now; in a world price and time are the world's."""
        quote: Quote = engine().quote(self)
        return quote

    def price(self) -> Decimal:
        """The price when FRESH, else Rejected "no price"."""
        quote = self.quote()
        if quote.status != QuoteStatus.FRESH:
            raise Rejected(NO_PRICE)
        return quote.price

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("feed", Feed, Feed(0), lambda value: value.index, lambda plain: Feed(load_int(plain)))


class Quote(Struct):
    """time: when the price was observed. confidence: half-width of the interval around it, in units of price."""

    feed: Feed
    price: Decimal
    confidence: Decimal
    time: Timestamp
    status: QuoteStatus


class Crossing(Struct):
    """
    A price was at or beyond a level. number: as `subscribe_cross` gave it. quote: as it is now, perhaps back again.
    """

    quote: Quote
    number: int
    level: Decimal


class Fill(Struct):
    """
    A trade of a program's own at a venue, which numbers its markets and orders. bought: whether the program did. fee:
    in the settlement asset, a rebate is negative. missed: fills before it that found no room, or were given up.
    """

    venue: Account
    market: int
    order: int
    bought: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    missed: int


class World(Struct):
    """number ≥ 1; price and volatility are factors; shift is added to the time."""

    number: int
    price: Decimal
    volatility: Decimal
    shift: Duration


def publish(feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp, max_age: Duration) -> None:
    """Set the quote of a feed and make its subscriptions due; only the pinned oracle: Rejected "not authorised"."""
    engine().publish(feed, price, confidence, time, max_age)
