"""
Transactions that wait for a batch: bounded, each checked before it is let in, in the order of arrival.

What the kernel would refuse for certain is refused here with a reason and a remedy: another chain's, expired, too
little gas or fee, a sequence already used, a gap in lane 0. What passes may still be refused or fail: state moves on.
`arrived` is set while any waits. Knows the next sequence of each (signer, lane) it has seen; asks its owner for the
others (`unknown`, then `learn`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import SignedTransaction

BYTES_MAX = 64 << 20
LANES_REMEMBERED_MAX = 200_000

LaneKey = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction and whoever waits for its outcome. work: what admission prepared (a compiled bundle), else None."""

    signed: SignedTransaction
    done: Callable[[Any], None]
    work: Any = None


class Mempool:
    """transactions_max: how many may wait."""

    def __init__(self, spec: ChainSpec, transactions_max: int) -> None:
        self._spec, self._transactions_max = spec, transactions_max
        self._queue: deque[Pending] = deque()
        self._ids: set[bytes] = set()
        self._bytes = 0
        self._next: dict[LaneKey, int] = {}
        self.arrived = trio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    def statistics(self) -> dict[str, int]:
        return {"transactions": len(self._queue), "bytes": self._bytes, "lanes_known": len(self._next)}

    def unknown(self, transactions: Iterable[SignedTransaction]) -> tuple[LaneKey, ...]:
        """Lanes whose next sequence must be learnt before these can be admitted."""
        keys = {(signed.signer, signed.transaction.lane) for signed in transactions}
        return tuple(key for key in keys if key not in self._next)

    def learn(self, keys: Sequence[LaneKey], last_used: Sequence[int]) -> None:
        """last_used: −1 for a lane never used. What was learnt meanwhile stands."""
        if len(self._next) + len(keys) > LANES_REMEMBERED_MAX:
            self._next.clear()
        for key, last in zip(keys, last_used, strict=True):
            self._next.setdefault(key, last + 1)

    def forget(self, signed: SignedTransaction) -> None:
        """Its sequence was not used after all: ask again before the next one of that lane."""
        self._next.pop((signed.signer, signed.transaction.lane), None)

    def admit(self, pending: Pending, now_ms: int) -> None:
        """
        Take a transaction in.

        Raises:
            Invalid: it can never run as it stands; the message says what to change.
            Unavailable: the pool is full.
        """
        signed = pending.signed
        self._check_standing(signed, now_ms)
        if signed.id in self._ids:
            raise Invalid("This very transaction is waiting already; ask for its receipt.", "known_transaction")
        if len(self._queue) >= self._transactions_max or self._bytes + len(signed.raw) > BYTES_MAX:
            raise Unavailable(
                f"{len(self._queue)} transactions are waiting, which is the limit; send again in a moment."
            )
        key = (signed.signer, signed.transaction.lane)
        self._check_sequence(signed, self._next[key])
        self._next[key] = signed.transaction.sequence + 1
        self._queue.append(pending)
        self._ids.add(signed.id)
        self._bytes += len(signed.raw)
        self.arrived.set()

    def take(self, gas_max: int, count_max: int) -> list[Pending]:
        """Hand over the oldest, as many as fit; at least one if any waits."""
        batch: list[Pending] = []
        gas = 0
        while self._queue and len(batch) < count_max:
            gas += self._queue[0].signed.transaction.gas
            if batch and gas > gas_max:
                break
            pending = self._queue.popleft()
            self._ids.discard(pending.signed.id)
            self._bytes -= len(pending.signed.raw)
            batch.append(pending)
        if not self._queue:
            self.arrived = trio.Event()
        return batch

    def _check_standing(self, signed: SignedTransaction, now_ms: int) -> None:
        t, spec = signed.transaction, self._spec
        if t.chain != spec.chain_id:
            raise Invalid(f"Signed for chain {t.chain}; this is chain {spec.chain_id}.", "wrong_chain")
        if t.expiry < now_ms:
            raise Invalid(f"Expired at {t.expiry} ms, it is {now_ms} ms; sign it again with a later expiry.", "expired")
        if not spec.gas_transaction_min <= t.gas <= spec.gas_transaction_max:
            limits = f"{spec.gas_transaction_min} to {spec.gas_transaction_max}"
            raise Invalid(f"Gas {t.gas} is outside {limits}; set a limit inside.", "gas_limit")
        if t.fee < spec.fee_min:
            raise Invalid(
                f"Fee {t.fee} per gas is below the chain's minimum {spec.fee_min}; offer more.", "fee_too_low"
            )

    def _check_sequence(self, signed: SignedTransaction, expected: int) -> None:
        t = signed.transaction
        if t.sequence < expected:
            message = f"Sequence {t.sequence} of lane {t.lane} is used; the next is {expected}."
            raise Invalid(message, "sequence_used")
        if t.lane == 0 and t.sequence > expected:
            message = f"Lane 0 leaves no gap: expected sequence {expected}, not {t.sequence}."
            raise Invalid(message, "sequence_gap")
