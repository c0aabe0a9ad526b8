"""
An endless stream of orders for the engine bench, drawn at random from a seed.

A transaction is a maker's or a taker's, so that hardly anybody trades with himself. One of MAKERS accounts rests orders
(half `post`, half a LIMIT `place`) and, CANCEL of its calls, takes its newest one out by its id; any of all accounts
crosses the spread with IOC orders. There are a few more makers' transactions while the books are thinner than they
were at first. Account, market, side, price and size are drawn evenly. What a batch answered is read back for ids; an
order may be gone when its cancel runs, as on every exchange.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from execution.executor import BatchResult
from genesis.chain import Call, SignedTransaction, Transaction
from genesis.spec import genesis_address
from node.bench.venue import MARKETS, MIDS, RAW, Venue

MAKERS = 2_000
CANCEL = 0.25
MAKING_THIN, MAKING_THICK = 0.66, 0.5
"""Share of makers' transactions."""
TICKS_DEEP = 100
"""Orders rest 1 to this many ticks from the mid; takers accept any of these prices."""
LOTS_MAX = 4
RESTING_AT_FIRST = 30_000
"""Orders in the books before anything is measured, one for each of so many accounts."""

_TICK, _LOT = RAW // 2, RAW // 10
_PLACE = struct.Struct("<qqQqQqqqq")
_POST = struct.Struct("<qqQqQqq")
_WORD = struct.Struct("<q")
_PLACED = struct.Struct("<qQqQqQq")
_LOW = (1 << 64) - 1
_LIMIT, _IOC = 0, 1


@dataclass(slots=True)
class Tally:
    """
    What became of orders. taken: traded on arrival. fills: trades. late: cancels that came too late. refused: anything
    else.
    """

    orders: int = 0
    taken: int = 0
    rested: int = 0
    cancelled: int = 0
    late: int = 0
    refused: int = 0
    gas: int = 0
    fills: int = 0


class Workload:
    """calls: orders under one signature."""

    def __init__(self, venue: Venue, calls: int, seed: int = 1) -> None:
        self._venue, self.calls = venue, calls
        self._random = random.Random(seed)
        self._exchange = genesis_address("exchange")
        self._place, self._post, self._cancel = (venue.selector("exchange", n) for n in ("place", "post", "cancel"))
        number = next(p.number for p in venue.executor.programs() if p.address == self._exchange)
        self._filled = number, [event.name for event in venue.abis["exchange"].events].index("Filled")
        self._standing = 0
        self._thin = RESTING_AT_FIRST * _LOT * (1 + LOTS_MAX) // 2
        self._resting: dict[bytes, deque[int]] = {account: deque(maxlen=256) for account in venue.accounts}

    def first_quotes(self) -> list[SignedTransaction]:
        """What fills the books."""
        return [
            self._venue.sign(account, [self._resting_order()]) for account in self._venue.accounts[:RESTING_AT_FIRST]
        ]

    def transactions(self, count: int) -> list[SignedTransaction]:
        return [self._transaction() for _ in range(count)]

    def _transaction(self) -> SignedTransaction:
        making = MAKING_THIN if self._standing < self._thin else MAKING_THICK
        if self._random.random() < making:
            account = self._random.choice(self._venue.accounts[:MAKERS])
            return self._venue.sign(account, [self._quote(account) for _ in range(self.calls)])
        account = self._random.choice(self._venue.accounts)
        return self._venue.sign(account, [self._crossing_order() for _ in range(self.calls)])

    def _quote(self, account: bytes) -> Call:
        resting = self._resting[account]
        if resting and self._random.random() < CANCEL:
            return Call(self._exchange, self._cancel, _WORD.pack(resting.pop()))
        return self._resting_order()

    def _resting_order(self) -> Call:
        market, side, size = self._draw()
        away = 1 + int(self._random.random() * TICKS_DEEP)
        price = MIDS[market] * RAW + _TICK * (away if side else -away)
        if self._random.random() < 0.5:
            words = _POST.pack(market, side, price & _LOW, price >> 64, size, 0, 0)
            return Call(self._exchange, self._post, words)
        words = _PLACE.pack(market, side, price & _LOW, price >> 64, size, 0, _LIMIT, 0, 0)
        return Call(self._exchange, self._place, words)

    def _crossing_order(self) -> Call:
        market, side, size = self._draw()
        price = MIDS[market] * RAW + _TICK * (-TICKS_DEEP if side else TICKS_DEEP)
        words = _PLACE.pack(market, side, price & _LOW, price >> 64, size, 0, _IOC, 0, 0)
        return Call(self._exchange, self._place, words)

    def _draw(self) -> tuple[int, int, int]:
        """Market, side (0 buys), raw size."""
        draw = int(self._random.random() * MARKETS * 2 * LOTS_MAX)
        return draw % MARKETS, draw // MARKETS % 2, (1 + draw // MARKETS // 2) * _LOT

    def learn(self, batch: Sequence[SignedTransaction], result: BatchResult, tally: Tally) -> None:
        """Note which orders of a batch stand in the book now, and count."""
        tally.gas += result.gas_used
        tally.fills += sum(1 for record in result.events if (record.program, record.event) == self._filled)
        for signed, outcome in zip(batch, result.outcomes, strict=True):
            transaction = signed.transaction
            assert isinstance(transaction, Transaction), "the workload signs calls"
            for call, words, reason in zip(transaction.calls, outcome.results, outcome.call_reasons, strict=True):
                if call.program == self._exchange:
                    self._note(transaction.account, call, words, reason, tally)

    def _note(self, account: bytes, call: Call, words: bytes, reason: str, tally: Tally) -> None:
        tally.orders += 1
        if reason == "unknown order":
            tally.late += 1
        elif reason:
            tally.refused += 1
        elif call.selector == self._cancel:
            tally.cancelled += 1
            self._standing -= _WORD.unpack_from(words)[0]
        elif call.selector == self._post:
            self._rested(account, _WORD.unpack(words)[0], _POST.unpack(call.arguments)[4], tally)
        else:
            order, filled, _, remaining, _, _, _ = _PLACED.unpack(words)
            tally.taken += filled > 0
            self._standing -= filled
            if remaining > 0 and _PLACE.unpack(call.arguments)[6] == _LIMIT:
                self._rested(account, order, remaining, tally)

    def _rested(self, account: bytes, order: int, size: int, tally: Tally) -> None:
        tally.rested += 1
        self._standing += size
        self._resting[account].append(order)
