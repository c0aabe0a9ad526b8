"""
The leader's loop: cut a batch, log it, run it, answer; every `block_time` seal a block, sign it, keep it, tell.

What was answered survives a crash: a receipt leaves only after the batch's inputs are synced to the batch log. A block
is told to nobody before it is stored, so a height can never be signed twice with different content.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import trio

from execution.executor import BatchResult, Executor, Opening
from genesis import chain, codec
from genesis.chain import Deployment, Header, Receipt, VoteKind, Withdrawal
from genesis.crypto import address_of
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec
from node.config import SequencerConfig
from node.engine import EngineThread
from node.log import logger
from node.mempool import Mempool, Pending
from node.open_block import Anchor, Logged, OpenBlock, encode_logged, reopen
from node.store import Pages, Store, StoredBlock

BATCH_BYTES_MAX = 8 << 20
"""Of a batch's transactions on the wire; packed for the engine, whose input holds 16 MiB, they grow by a third."""
BLOCK_BYTES_FULL = chain.BLOCK_BYTES_MAX - 3 * BATCH_BYTES_MAX
"""A block that has so many takes no further batch: one more, deposits and heads still fit."""
BATCHES_A_WRITE = 8
"""Batches are bounded by what their transactions cost; under load several share one synced write of the log."""
STRETCH_MAX = 32.0
"""A batch takes transactions whose limits sum to at most so many times the gas it may use."""
STRETCH_MEMORY = 0.75
"""Weight of the batches before the last in what is known of limits and use."""

log = logger("sequencer")


class Inbox(Protocol):
    def take(self, after: Anchor) -> tuple[Anchor, tuple[chain.InboxEntry, ...]]:
        """The newest confirmed settlement block and the entries after those already consumed; never waits."""

    def validators(self, anchor: Anchor) -> int:
        """Version of the set that certifies a block with this anchor."""


class Listener(Protocol):
    """Told of what happened, after it is durable."""

    async def executed(self, open_block: OpenBlock, receipts: Sequence[Receipt], result: BatchResult) -> None: ...

    async def sealed(self, block: chain.Block, certificate: chain.Certificate, open_block: OpenBlock) -> None: ...


@dataclass(slots=True)
class Tip:
    """Where the chain stands: the newest stored header, and what the next block needs to know of those before it."""

    header: Header | None
    hash: bytes
    time_ms: int
    anchor: Anchor
    span_withdrawals: list[Withdrawal]
    waiting_deployments: dict[int, tuple[Deployment, ...]]


@dataclass(frozen=True, slots=True)
class _Cut:
    """What one batch takes out of the mempool."""

    pending: list[Pending]

    @property
    def transactions(self) -> tuple[chain.SignedTransaction, ...]:
        return tuple(item.signed for item in self.pending)

    @property
    def prepared(self) -> tuple[Deployment, ...]:
        return tuple(item.work for item in self.pending if item.work is not None)


@dataclass(frozen=True, slots=True)
class _Ran:
    """answers: by id, of those that were handed to the engine; None for one that found no room."""

    cut: _Cut
    result: BatchResult
    answers: dict[bytes, Receipt | Invalid | None]

    def known(self) -> list[tuple[Pending, Receipt | Invalid]]:
        """Those that have their outcome."""
        answers = ((item, self.answers.get(item.signed.id)) for item in self.cut.pending)
        return [(item, answer) for item, answer in answers if answer is not None]

    def turned_away(self) -> list[Pending]:
        return [item for item in self.cut.pending if self.answers.get(item.signed.id) is None]


@dataclass(frozen=True, slots=True)
class _Closed:
    """A sealed block on its way to the store; tip: the chain's once it is there."""

    block: chain.Block
    certificate: chain.Certificate
    burnt: list[Withdrawal]
    tip: Tip


class Sequencer:
    """tip: the newest stored block; the open one may stand on a block that is just being stored."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        key: bytes,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        mempool: Mempool,
        inbox: Inbox,
        listener: Listener,
        tip: Tip,
        open_block: OpenBlock | None,
        checkpoint_height: int | None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        view_floor: int = 0,
    ) -> None:
        """view_floor: the highest view in which this node ever signed a block that it gave up since."""
        self._spec, self._config, self._key, self._store = spec, config, key, store
        self._engine, self._executor = engine, executor
        self._mempool, self._inbox, self._listener = mempool, inbox, listener
        self._proposer = address_of(key)
        self._now_ms, self._view_floor = now_ms, view_floor
        self.tip = self._parent = tip
        self.open_block = open_block
        self._stored = trio.Event()
        self._stored.set()
        self._checkpoint_height = checkpoint_height
        self._writing_checkpoint = False
        self._times: dict[str, list[float]] = {}
        self._stretch = 1.0
        self._stop = trio.Event()
        self._halted = False

    def halt(self) -> None:
        """Return from run without sealing the open block, which stays in the batch log and in `open_block`."""
        self._halted = True
        self.stop()

    def stop(self) -> None:
        """Seal the open block, then return from run."""
        self._stop.set()
        self._mempool.arrived.set()

    def statistics(self) -> dict[str, int]:
        return {"height": self.tip.header.height if self.tip.header else 0}

    async def resume(self) -> None:
        """
        Finish what a crash interrupted between two blocks: when batches of the next block are logged, the open one was
        complete. Sealed again it is the same, and the next one is taken up. Called before `run`.

        Raises:
            Corrupt: the next block's batches stand on another block.
        """
        while self.open_block is not None:
            block = self.open_block
            logged = await trio.to_thread.run_sync(self._store.batches, block.opening.height + 1)
            if not logged:
                return
            await self._keep(await self._close(block), block)
            self.open_block = await self._engine.run(reopen, self._executor, self.tip.hash, logged)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            while not self._stop.is_set():
                await self._build_block()

    async def _build_block(self) -> None:
        deadline = trio.current_time() + self._spec.block_time_ms / 1000
        spacing = self._config.batch_interval_ms / 1000
        if self.open_block is None:
            await self._open()
        while not self._stop.is_set():
            if self._full():
                await trio.sleep_until(deadline)
                break
            with trio.move_on_at(deadline):
                await self._mempool.arrived.wait()
            if trio.current_time() >= deadline:
                break
            cut = trio.current_time()
            await self._cut()
            if not self._mempool.arrived.is_set():
                await trio.sleep_until(min(deadline, cut + spacing))
        if not self._halted:
            await self._seal()

    def _full(self) -> bool:
        """Whether the largest transaction might not fit any more, or one found no room in a batch of its own."""
        block, spec = self.open_block, self._spec
        assert block is not None
        return (
            block.stalled
            or block.gas_used > spec.gas_block_max - spec.gas_transaction_max
            or block.size > BLOCK_BYTES_FULL
        )

    async def _open(self) -> None:
        """Fix height, time, parent and anchor, and run the first batch."""
        tip = self._parent
        height = tip.header.height + 1 if tip.header else 1
        time_ms = max(tip.time_ms + 1, self._now_ms())
        gap_ms = time_ms - tip.time_ms if tip.header and time_ms - tip.time_ms > self._spec.outage_ms else 0
        anchor, entries = self._inbox.take(tip.anchor)
        active = tip.waiting_deployments.get(height, ())
        opening = Opening(height, time_ms, gap_ms, tip.hash, entries, active)
        self.open_block = OpenBlock(opening, anchor)
        await self._cut()

    async def _cut(self) -> None:
        """
        Take what waits, as one batch or several; log all in one synced write and run them beside it; then answer.
        """
        block = self.open_block
        assert block is not None
        cuts = self._take(block)
        number = len(block.batches)
        rows = [encode_logged(self._logged(block, cut, first=at == 0)) for at, cut in enumerate(cuts)]
        ran: list[_Ran] = []

        async def execute() -> None:
            for cut in cuts:
                with self._timed("batch_ms"):
                    ready = block.ready(cut.transactions)
                    result = await self._engine.run(self._executor.apply, block.opening, ready)
                    answers = block.add(ready, cut.prepared, result)
                    ran.append(_Ran(cut, result, {one.id: answer for one, answer in zip(ready, answers, strict=True)}))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(execute)
            with self._timed("log_sync_ms"):
                await trio.to_thread.run_sync(self._store.append_batch, block.opening.height, number, *rows)
        self._mempool.put_back([item for one in ran for item in one.turned_away()])
        for one in ran:
            await self._answer(block, one)

    def _take(self, block: OpenBlock) -> list[_Cut]:
        """
        At least one batch, which may be empty; more while there are transactions and room for the largest.

        Signers allow more gas than they use, so a batch takes more than its gas by limits, as far as the last ones went
        below theirs. What the kernel then has no room for stands first in the next.
        """
        left = self._spec.gas_block_max - block.gas_used
        stretch = self._stretch
        cuts: list[_Cut] = []
        while not cuts or (self._mempool.arrived.is_set() and len(cuts) < BATCHES_A_WRITE and left > 0):
            gas_max = min(self._spec.gas_batch_max, left)
            if cuts and gas_max < self._spec.gas_transaction_max:
                break
            count_max = self._config.batch_transactions_max
            cut = _Cut(self._mempool.take(int(gas_max * stretch), count_max, BATCH_BYTES_MAX))
            left -= int(sum(signed.transaction.gas for signed in cut.transactions) / stretch)
            cuts.append(cut)
            if block.size + sum(item.size for one in cuts for item in one.pending) > BLOCK_BYTES_FULL:
                break
        return cuts

    def _logged(self, block: OpenBlock, cut: _Cut, first: bool) -> Logged:
        opens = first and not block.batches
        return Logged(block.opening if opens else None, block.anchor if opens else None, cut.transactions, cut.prepared)

    async def _answer(self, block: OpenBlock, ran: _Ran) -> None:
        known = ran.known()
        for item, answer in known:
            self._mempool.settle(item, refused=isinstance(answer, Invalid))
        receipts = [answer for _, answer in known if isinstance(answer, Receipt)]
        self._learn(sum(item.signed.transaction.gas for item, a in known if isinstance(a, Receipt)), receipts)
        await self._listener.executed(block, receipts, ran.result)
        for item, answer in known:
            item.done(answer)

    def _learn(self, limits: int, receipts: Sequence[Receipt]) -> None:
        """How far below its limits a batch went; limits: sum of those that ran."""
        used = sum(receipt.gas_used for receipt in receipts)
        if used:
            seen = STRETCH_MEMORY * self._stretch + (1 - STRETCH_MEMORY) * limits / used
            self._stretch = min(max(seen, 1.0), STRETCH_MAX)

    async def _seal(self) -> None:
        """
        Close the block and store it while the next one is built on it: its hash is known, but nobody is told before it
        is on disk, and never are two on their way there. Only a checkpoint waits for its block.
        """
        with self._timed("sealed_wait_ms"):
            await self._stored.wait()
        block = self.open_block
        assert block is not None
        closed = await self._close(block)
        self._stored = trio.Event()
        self._nursery.start_soon(self._keep, closed, block)
        height = block.opening.height
        if height % self._config.checkpoint_blocks == 0:
            await self._stored.wait()
            await self._checkpoint(height)

    async def _close(self, block: OpenBlock) -> _Closed:
        """Seal, sign and certify; the next block goes on from here."""
        tip = self._parent
        with self._timed("seal_ms"):
            sealed = await self._engine.run(self._executor.seal)
        burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
        withdrawals = span_withdrawals(tip, block.opening.height, self._spec, burnt)
        view = max(tip.header.view if tip.header else 0, self._view_floor) + 1
        header = block.header(sealed, withdrawals, self._proposer, self._inbox.validators(block.anchor), view)
        signed = chain.sign_block(header, block.body(), self._key)
        digest = (VoteKind.FINALISE, self._spec.chain_id, header.height, header.view, header.hash(), header.validators)
        certificate = chain.certify([chain.sign_vote(*digest, self._key)])
        self.open_block = None
        self._parent = advance(tip, signed, withdrawals, self._spec)
        return _Closed(signed, certificate, burnt, self._parent)

    async def _keep(self, closed: _Closed, block: OpenBlock) -> None:
        """Store a closed block, then tell of it."""
        with self._timed("store_ms"):
            await trio.to_thread.run_sync(self._put, closed, block)
        self.tip = closed.tip
        self._stored.set()
        log.debug("sealed", height=block.opening.height, batches=len(block.batches), **self._medians())
        await self._listener.sealed(closed.block, closed.certificate, block)

    def _put(self, closed: _Closed, block: OpenBlock) -> None:
        """On a thread: nothing changes a closed block any more."""
        header = closed.block.header
        stored = StoredBlock(
            header.height,
            codec.encode((header.fields(), closed.block.signature, closed.certificate.fields())),
            codec.encode(closed.block.body.fields()),
            block.results(closed.burnt),
            [receipt.transaction for receipt in block.receipts],
        )
        self._store.put_block(stored, {})

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """Note how long the block inside took, for the log."""
        begun = time.perf_counter()
        yield
        self._times.setdefault(what, []).append((time.perf_counter() - begun) * 1000)

    def _medians(self) -> dict[str, float]:
        """Of the times since the last block, ms."""
        medians = {what: round(statistics.median(times), 3) for what, times in self._times.items()}
        self._times.clear()
        return medians

    async def _checkpoint(self, height: int) -> None:
        """
        Copy the pages changed since the last checkpoint, then write them while the chain goes on; not while the last
        one is still being written, for then the next one takes its pages along.
        """
        if self._writing_checkpoint:
            return
        self._writing_checkpoint = True
        since = self._checkpoint_height
        meta, chunks = await self._engine.run(_copy_pages, self._executor, since)
        self._checkpoint_height = height
        self._nursery.start_soon(self._write_checkpoint, height, meta, chunks)

    async def _write_checkpoint(self, height: int, meta: bytes, chunks: Sequence[Pages]) -> None:
        await trio.to_thread.run_sync(self._store.put_checkpoint, height, meta, chunks)
        self._writing_checkpoint = False
        log.info("checkpoint", height=height, pages=sum(len(chunk.data) // 1024 for chunk in chunks))


def _copy_pages(executor: Executor, since: int | None) -> tuple[bytes, list[Pages]]:
    chunks = [Pages(c.program, c.first_page, c.pages) for c in executor.export(since)]
    return executor.checkpoint_meta(), chunks


def span_withdrawals(tip: Tip, height: int, spec: ChainSpec, burnt: Sequence[Withdrawal]) -> list[Withdrawal]:
    """All withdrawals of the commitment span that `height` is in, up to and with `burnt`, those of its own block."""
    first, _ = chain.commitment_span(height, spec.commitment_blocks)
    return [*([] if height == first else tip.span_withdrawals), *burnt]


def advance(tip: Tip, block: chain.Block, withdrawals: list[Withdrawal], spec: ChainSpec) -> Tip:
    """The tip after `block`. Raises Corrupt when it does not follow."""
    header = block.header
    if header.parent != tip.hash:
        raise Corrupt(f"block {header.height} names another parent than the block before it")
    if tip.header is not None and header.view <= tip.header.view:
        raise Corrupt(f"block {header.height} is of view {header.view}, which is not above its parent's")
    waiting = {height: items for height, items in tip.waiting_deployments.items() if height > header.height}
    if block.body.deployments:
        waiting[header.height + spec.deployment_delay_blocks] = block.body.deployments
    anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
    return Tip(header, header.hash(), header.time_ms, anchor, withdrawals, waiting)
