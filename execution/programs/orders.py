"""
Words shared by those who trade and those who clear: sides, kinds of orders, why an order ended, what a placement did.
"""

from execution.lang import Decimal, Enum, Struct


class Side(Enum):
    BUY = 0
    SELL = 1


class Kind(Enum):
    """
    LIMIT rests what does not trade; IOC cancels it; MARKET is IOC at any price, or up to the price given when above
    0.
    """

    LIMIT = 0
    IOC = 1
    MARKET = 2


class Cause(Enum):
    """
    Why an order, or what was left of it, was cancelled.

    REQUESTED: by its owner. REMAINDER: an IOC or MARKET order's rest. SELF_TRADE: it stood in the way of its owner's
    new order. FILL_LIMIT: the incoming order met its most fills. MARGIN: its owner could not carry the fill.
    REDUCE_ONLY: the fill would not have reduced. HALTED: the contract is closed for opening. LIQUIDATION: its owner
    is being liquidated.
    """

    REQUESTED = 0
    REMAINDER = 1
    SELF_TRADE = 2
    FILL_LIMIT = 3
    MARGIN = 4
    REDUCE_ONLY = 5
    HALTED = 6
    LIQUIDATION = 7


class Verdict(Enum):
    """Clearing's answer to a fill: DONE, or why the resting side cannot have it (nothing has changed then)."""

    DONE = 0
    MARGIN = 1
    REDUCE_ONLY = 2
    HALTED = 3


class Placed(Struct):
    """
    order: id. filled + remaining is the size placed; remaining rests only if LIMIT. notional: sum of size * price of
    the fills.
    """

    order: int
    filled: Decimal
    remaining: Decimal
    notional: Decimal
