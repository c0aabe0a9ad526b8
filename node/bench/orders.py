"""
Orders of the node bench: one signed transaction each, ready as it goes over the wire, drawn at random from a seed.

Half of them rest (a LIMIT `place` or a `post`), 0.38 cross the spread with an IOC `place`, the others cancel up to
CANCELLED resting ones of their account. Prices are 1 to TICKS_DEEP ticks from the mid, so nothing fails for its price;
each kind goes to its account's lane of its order class.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from genesis.crypto import address_of
from genesis.transaction import Call, OrderClass, Transaction, sign
from node.bench.site import LOT, PRICE, TICK
from node.programs import Programs
from node.views import hexadecimal

REST, TAKE = 0.50, 0.38
TICKS_DEEP = 100
LOTS_MAX = 4
CANCELLED = 5
GAS = 600_000
"""Limit of one order; an order that fills ten others stays below."""
VALID_MS = 3_600_000


class Orders:
    """accounts: private keys; each order is the next account's, in turn."""

    def __init__(self, programs: Programs, chain: int, fee: int, accounts: Sequence[bytes], seed: int) -> None:
        self._exchange, self._chain, self._fee = programs["exchange"], chain, fee
        self._accounts = [(key, address_of(key)) for key in accounts]
        self._sequences: dict[tuple[bytes, int], int] = {}
        self._turn = 0
        self._random = random.Random(seed)
        self._calls = lru_cache(maxsize=None)(self._call)

    def frame(self, count: int) -> list[str]:
        """The next `count` orders, 0x-hexadecimal."""
        return [self.of(self._turn) for _ in range(count)]

    def of(self, number: int) -> str:
        """The next order of one account."""
        self._turn = number + 1
        key, account = self._accounts[number % len(self._accounts)]
        order, call = self._draw()
        lane = order.value << 30 | 1
        sequence = self._sequences[account, lane] = self._sequences.get((account, lane), 0) + 1
        expiry = time.time_ns() // 1_000_000 + VALID_MS
        transaction = Transaction(self._chain, account, lane, sequence, expiry, GAS, self._fee, True, (call,))
        return hexadecimal(sign(transaction, key).raw)

    def _draw(self) -> tuple[OrderClass, Call]:
        kind = self._random.random()
        if kind >= REST + TAKE:
            return OrderClass.CANCEL, self._calls("cancel_all", 0, 0, 0)
        side, lots = self._random.randrange(2), self._random.randint(1, LOTS_MAX)
        if kind >= REST:
            return OrderClass.TRADE, self._calls("IOC", side, TICKS_DEEP, lots)
        away = -self._random.randint(1, TICKS_DEEP)
        if kind >= REST / 2:
            return OrderClass.TRADE, self._calls("LIMIT", side, away, lots)
        return OrderClass.POST_ONLY, self._calls("post", side, away, lots)

    def _call(self, kind: str, side: int, ticks: int, lots: int) -> Call:
        """ticks: from the mid, towards the other side of the book."""
        if kind == "cancel_all":
            return self._exchange.call("cancel_all", 0, CANCELLED)
        price = str(PRICE + Decimal(TICK) * (-ticks if side else ticks))
        words = (0, "SELL" if side else "BUY", price, str(Decimal(LOT) * lots))
        if kind == "post":
            return self._exchange.call("post", *words, 0)
        return self._exchange.call("place", *words, kind, 0, False)
