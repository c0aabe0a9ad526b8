"""
A block run with an eye on everything: receipts, the pages it writes, and what had been written at points on the way.

A batch is one call into the engine, so nobody sees the state between two of its transactions. A point is the block up
to there, run on its own from the parent: the first transactions of a batch run alone as they do among all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from execution.executor import PAGE_BYTES, Executor, TouchedPage
from execution.transition import apply_batch, opening_of, seal_block
from genesis import codec
from genesis.chain import Block, Header, SignedTransaction, Withdrawal
from genesis.spec import ChainSpec
from node.open_block import Anchor, OpenBlock
from node.running_order import first_to_run
from node.tip import Tip, span_withdrawals

POINTS_MAX = 256
PIECE_BYTES = 64
"""No smaller than what is written together: an entry of a small map."""
RERUN_MAX = 20_000
"""Transactions run again for all points of a block together: about a second."""


@dataclass(frozen=True, slots=True)
class Place:
    """After the first `ran` of a batch, in the order they run; 0 is after its hooks, or after the block's opening."""

    batch: int
    ran: int


@dataclass(frozen=True, slots=True)
class Point:
    """digest: of all that the block has written up to here."""

    place: Place
    digest: bytes

    def fields(self) -> tuple[Any, ...]:
        return (self.place.batch, self.place.ran, self.digest)

    @classmethod
    def of(cls, members: object) -> Point:
        batch, ran, digest = codec.expect_array(members, 3, "A point")
        return cls(Place(batch, ran), digest)


@dataclass(frozen=True, slots=True)
class Observed:
    """header: what this run gives, with proposer and view of the block's own. receipts: encoded."""

    header: Header
    receipts: tuple[bytes, ...]
    touched: tuple[TouchedPage, ...]
    points: tuple[Point, ...]


def observe(spec: ChainSpec, executor: Executor, parent: Tip, block: Block) -> Observed:
    """
    Run a block on the state after its parent, in which it leaves the executor.

    Raises:
        Invalid: it does not fit there. Corrupt: the engine failed.
    """
    run = _Run(executor, parent, block)
    points = tuple(Point(place, run.digest(place)) for place in places_of(block))
    made = run.whole()
    touched = executor.touched()
    sealed = seal_block(executor)
    executor.rollback(parent.height)
    burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
    withdrawals = span_withdrawals(parent, block.header.height, spec, burnt)
    stated = block.header
    header = made.header(sealed, withdrawals, stated.proposer, stated.validators, stated.view)
    return Observed(header, tuple(made.encoded), touched, points)


def places_of(block: Block) -> list[Place]:
    """Points of a block, every one if they are few: the same for whoever asks."""
    lengths = [len(batch.transactions) for batch in block.body.batches]
    every = [Place(batch, ran) for batch, length in enumerate(lengths) for ran in range(length + 1)]
    count = min(POINTS_MAX, max(1, 2 * RERUN_MAX // max(1, sum(lengths))))
    stride = -(-len(every) // count)
    return every[::stride] if every else []


class _Run:
    def __init__(self, executor: Executor, parent: Tip, block: Block) -> None:
        self._executor, self._parent, self._block = executor, parent, block
        self._opening = opening_of(block, parent.waiting_deployments.get(block.header.height, ()))
        self._batches = [batch.open() for batch in block.body.batches]

    def digest(self, place: Place) -> bytes:
        for batch in self._up_to(place):
            apply_batch(self._executor, self._opening, batch)
        found = digest_of(self._executor.touched())
        self._executor.rollback(self._parent.height)
        return found

    def _up_to(self, place: Place) -> Iterator[Sequence[SignedTransaction]]:
        yield from self._batches[: place.batch]
        batch = self._batches[place.batch]
        yield [batch[at] for at in first_to_run(batch, place.ran)]

    def whole(self) -> OpenBlock:
        """All of it, the block left open."""
        header, body = self._block.header, self._block.body
        made = OpenBlock(self._opening, Anchor(header.anchor_number, header.anchor_hash, header.inbox_count))
        for batch in self._batches:
            made.add(batch, body.deployments, apply_batch(self._executor, self._opening, batch))
        made.deployments = list(body.deployments)
        return made


def digest_of(touched: Sequence[TouchedPage]) -> bytes:
    """Of the pieces that were changed, as they are now: what else lies on a page may have been wrong before."""
    hashed = sha256()
    for one in touched:
        for at in range(0, PAGE_BYTES, PIECE_BYTES):
            piece = one.now[at : at + PIECE_BYTES]
            if piece != one.before[at : at + PIECE_BYTES]:
                hashed.update(codec.encode((one.program, one.page, at, piece)))
    return hashed.digest()
