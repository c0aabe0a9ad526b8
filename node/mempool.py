"""
Transactions that wait for a batch: bounded, each checked before it is let in, in the order of arrival.

What the kernel would refuse for certain is refused here with a reason and a remedy: another chain's, expired, too
little gas or fee, a sequence already used, a gap in lane 0. What passes may still be refused or fail: state moves on.
A deployment first keeps its place in its lane while it is compiled (`hold`); what follows it in that lane waits with
it. `arrived` is set while any waits. Knows the next sequence of each (signer, lane) it has seen; asks its owner for the
others (`unknown`, then `learn`, then `admit` without a pause between).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from genesis.chain import Deployment, SignedTransaction
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import KINDS_WITH_SOURCE

BYTES_MAX = 64 << 20
LANES_REMEMBERED_MAX = 200_000
HELD_MAX = 16
"""Deployments that wait for the compiler, which takes one at a time."""

HEARERS_MAX = 32
"""Who waits for the outcome of one transaction; it may come by every node, and again when another leads."""

PAST = -1
"""No lane's epoch."""

LaneKey = tuple[bytes, int]


@dataclass(eq=False, slots=True)
class Pending:
    """
    A transaction and whoever waits for its outcome: `answer`, and `also` who joined. work: what compiling a deployment
    gave.

    lane: where it was let in. epoch: of that lane then, or PAST. When one of lane 0 is refused, those behind it are of
    the past. held: it waits for the compiler.
    """

    signed: SignedTransaction
    answer: Callable[[Any], None]
    work: Deployment | None = None
    lane: _Lane | None = None
    epoch: int = 0
    held: bool = False
    also: tuple[Callable[[Any], None], ...] = ()

    def join(self, answer: Callable[[Any], None]) -> None:
        """Raises Unavailable: HEARERS_MAX wait for it."""
        if len(self.also) + 1 >= HEARERS_MAX:
            message = f"{HEARERS_MAX} wait for this transaction's outcome, which is the limit; ask for its receipt."
            raise Unavailable(message)
        self.also = (*self.also, answer)

    def done(self, outcome: Any) -> None:
        """Its outcome is known: all that wait hear it, in the order they came."""
        for answer in (self.answer, *self.also):
            answer(outcome)

    @property
    def key(self) -> LaneKey:
        return self.signed.signer, self.signed.transaction.lane

    @property
    def size(self) -> int:
        """Bytes it will take in a block."""
        return len(self.signed.raw) + (len(self.work.wasm) + len(self.work.abi) if self.work else 0)


@dataclass(slots=True)
class _Lane:
    """
    next: sequence expected. inside: transactions let in and not settled. held: a deployment being compiled, and what
    follows it.
    """

    next: int
    epoch: int = 0
    inside: int = 0
    held: deque[Pending] = field(default_factory=deque)


class Mempool:
    """transactions_max: how many may wait."""

    def __init__(self, spec: ChainSpec, transactions_max: int) -> None:
        self._spec, self._transactions_max = spec, transactions_max
        self._queue: deque[Pending] = deque()
        self._ids: dict[bytes, Pending] = {}
        self._bytes = 0
        self._compiling = 0
        self._lanes: dict[LaneKey, _Lane] = {}
        self.arrived = trio.Event()

    def __len__(self) -> int:
        """Those that wait, for a batch or for the compiler."""
        return len(self._ids)

    def statistics(self) -> dict[str, int]:
        return {
            "transactions": len(self._ids),
            "bytes": self._bytes,
            "compiling": self._compiling,
            "lanes_known": len(self._lanes),
        }

    # Lanes

    def unknown(self, transactions: Iterable[SignedTransaction]) -> tuple[LaneKey, ...]:
        """Lanes whose next sequence must be learnt before these can be admitted."""
        keys = {(signed.signer, signed.transaction.lane) for signed in transactions}
        return tuple(key for key in keys if key not in self._lanes)

    def forget(self, transactions: Iterable[SignedTransaction]) -> None:
        """
        Lanes at rest that expect another sequence than comes: it may have been used in a block without this pool
        knowing (a forced transaction), so it has to be learnt again.
        """
        firsts: dict[LaneKey, int] = {}
        for signed in transactions:
            firsts.setdefault((signed.signer, signed.transaction.lane), signed.transaction.sequence)
        for key, sequence in firsts.items():
            lane = self._lanes.get(key)
            if lane is not None and lane.inside == 0 and lane.next != sequence:
                del self._lanes[key]

    def learn(self, keys: Sequence[LaneKey], last_used: Sequence[int]) -> None:
        """last_used: −1 for a lane never used. What was learnt meanwhile stands."""
        if len(self._lanes) + len(keys) > LANES_REMEMBERED_MAX:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.inside}
        for key, last in zip(keys, last_used, strict=True):
            if key not in self._lanes:
                self._lanes[key] = _Lane(last + 1)

    def waiting(self) -> list[Pending]:
        """All that waits, each lane in its order."""
        return [*self._queue, *(pending for lane in self._lanes.values() for pending in lane.held)]

    def empty(self) -> list[Pending]:
        """
        Hand over what is `waiting`, and forget the lanes: the chain went back. Whoever calls it learns lanes anew and
        lets everything in again; a deployment that is being compiled is held again.
        """
        waiting = self.waiting()
        self._queue.clear()
        self._ids.clear()
        self._lanes.clear()
        self._bytes = self._compiling = 0
        self.arrived = trio.Event()
        return waiting

    # In

    def admit(self, pending: Pending, now_ms: int) -> None:
        """
        Take a transaction in.

        Raises:
            Invalid: it can never run as it stands; the message says what to change.
            Unavailable: the pool is full.
        """
        lane = self._enter(pending, now_ms)
        if lane.held:
            self._keep_back(pending, lane)
        else:
            self._enqueue(pending)

    def join(self, transaction: bytes, answer: Callable[[Any], None]) -> bool:
        """
        Whether this very transaction waits here; if so, `answer` is called as well once its outcome is known.

        Raises:
            Unavailable: HEARERS_MAX wait for it.
        """
        pending = self._ids.get(transaction)
        if pending is None:
            return False
        pending.join(answer)
        return True

    def hold(self, pending: Pending, now_ms: int) -> None:
        """
        Keep a deployment's place in its lane until `release` or `drop`; raises as `admit` does.

        Raises:
            Unavailable: too many deployments wait for the compiler.
        """
        if self._compiling >= HELD_MAX:
            raise Unavailable(f"{HELD_MAX} deployments wait for the compiler, which is the limit; send again later.")
        lane = self._enter(pending, now_ms)
        self._keep_back(pending, lane)
        self._compiling += 1

    def release(self, pending: Pending, work: Deployment) -> None:
        """A held deployment has been compiled: it goes on, and what waited behind it."""
        if not self._is_held(pending):
            return
        pending.work = work
        self._bytes += len(work.wasm) + len(work.abi)
        self._compiling -= 1
        self._let_go(pending)

    def drop(self, pending: Pending, error: Invalid | Unavailable) -> None:
        """A held deployment comes to nothing; its sequence is free again, and lane 0 leaves no gap behind it."""
        if not self._is_held(pending):
            return
        lane = self._lanes[pending.key]
        if pending.signed.transaction.lane == 0 and pending.epoch == lane.epoch:
            for follower in list(lane.held)[lane.held.index(pending) + 1 :]:
                follower.epoch = PAST
        self._compiling -= 1
        self._leave(pending)
        self._settle(pending, lane)
        pending.done(error)
        self._let_go(pending)

    def is_held(self, transaction: bytes) -> bool:
        """Whether it waits for the compiler: a deployment that is compiled, or what follows it in its lane."""
        pending = self._ids.get(transaction)
        return pending is not None and pending.held

    def _is_held(self, pending: Pending) -> bool:
        """Not so when it was refused meanwhile, for the chain went back."""
        lane = self._lanes.get(pending.key)
        return lane is not None and pending in lane.held

    def _enter(self, pending: Pending, now_ms: int) -> _Lane:
        signed = pending.signed
        self.check_standing(signed, now_ms)
        if signed.id in self._ids:
            raise Invalid("This very transaction is waiting already; ask for its receipt.", "known_transaction")
        if len(self._ids) >= self._transactions_max or self._bytes + pending.size > BYTES_MAX:
            raise Unavailable(f"{len(self._ids)} transactions are waiting, which is the limit; send again in a moment.")
        lane = self._lanes[pending.key]
        self._check_sequence(signed, lane.next)
        lane.next = signed.transaction.sequence + 1
        lane.inside += 1
        pending.lane, pending.epoch = lane, lane.epoch
        self._ids[signed.id] = pending
        self._bytes += pending.size
        return lane

    def _keep_back(self, pending: Pending, lane: _Lane) -> None:
        lane.held.append(pending)
        pending.held = True

    def _enqueue(self, pending: Pending) -> None:
        pending.held = False
        self._queue.append(pending)
        self.arrived.set()

    def _leave(self, pending: Pending) -> None:
        self._ids.pop(pending.signed.id, None)
        self._bytes -= pending.size

    def _let_go(self, pending: Pending) -> None:
        """
        The compiler is done with a deployment. What is held stands in the order of the lane, so all that are ready at
        its head go; the next deployment without its work stops them.
        """
        lane = self._lanes[pending.key]
        if pending.work is None:
            lane.held.remove(pending)
        while lane.held and not _is_compiling(lane.held[0]):
            self._enqueue(lane.held.popleft())

    # Out

    def take(self, gas_max: int, count_max: int, bytes_max: int) -> list[Pending]:
        """
        Hand over the oldest, as many as fit; at least one if any waits. gas_max is of their limits. Each is `settle`d
        once its outcome is known, or `put_back`.

        Those behind a refused one of lane 0 are refused on the way.
        """
        batch: list[Pending] = []
        gas = size = 0
        while self._queue and len(batch) < count_max:
            first = self._queue[0]
            gas += first.signed.transaction.gas
            size += first.size
            if batch and (gas > gas_max or size > bytes_max):
                break
            self._queue.popleft()
            self._leave(first)
            if first.epoch == self._lanes[first.key].epoch:
                batch.append(first)
                continue
            gas, size = gas - first.signed.transaction.gas, size - first.size
            self._settle(first, self._lanes[first.key])
            first.done(Invalid("A transaction before it in lane 0 was refused; send both again.", "sequence_gap"))
        if not self._queue:
            self.arrived = trio.Event()
        return batch

    def put_back(self, turned_away: Sequence[Pending]) -> list[Pending]:
        """
        What found no room, in its order: it stands first again, and nobody is told anything. Those whose lane has been
        forgotten meanwhile, for the chain went back, are returned.
        """
        strangers: list[Pending] = []
        for pending in reversed(turned_away):
            if self._lanes.get(pending.key) is not pending.lane:
                strangers.insert(0, pending)
                continue
            self._queue.appendleft(pending)
            self._ids[pending.signed.id] = pending
            self._bytes += pending.size
            self.arrived.set()
        return strangers

    def settle(self, pending: Pending, refused: bool) -> None:
        """
        Its outcome is known. Refused: it leaves its sequence free (`leaves_free`). Of one that was taken before the
        chain went back nothing is learnt: its lane has been forgotten.
        """
        lane = pending.lane
        assert lane is not None, "only what was let in is settled"
        if not refused:
            lane.inside -= 1
            return
        current = pending.epoch == lane.epoch
        self._settle(pending, lane)
        if current and pending.signed.transaction.lane == 0:
            lane.epoch += 1

    def _settle(self, pending: Pending, lane: _Lane) -> None:
        """One that was not executed gives its sequence back, unless a later one of its lane, not 0, goes on."""
        lane.inside -= 1
        t = pending.signed.transaction
        if pending.epoch == lane.epoch and (t.lane == 0 or lane.next == t.sequence + 1):
            lane.next = t.sequence

    def passed(self, key: LaneKey, sequence: int) -> None:
        """A block of somebody else's used a sequence."""
        lane = self._lanes.get(key)
        if lane is not None and lane.next <= sequence:
            lane.next = sequence + 1

    # Checks

    def check_standing(self, signed: SignedTransaction, now_ms: int) -> None:
        """What can be said of a transaction without knowing the state. Raises Invalid."""
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


def leaves_free(outcome: object) -> bool:
    """Whether this outcome of a transaction leaves its sequence free: refused, and not because that is used."""
    return isinstance(outcome, Unavailable) or (isinstance(outcome, Invalid) and outcome.code != "sequence_used")


def _is_compiling(pending: Pending) -> bool:
    return pending.work is None and pending.signed.transaction.kind in KINDS_WITH_SOURCE
