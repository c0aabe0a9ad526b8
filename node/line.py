"""
The line of blocks this node stands on: the stored chain, and above it what has been executed and may still fall.

Owner of the engine's state and of what is stored of blocks. Whoever moves the state holds `turn`. Executing a block on
another parent than the newest one first takes back what lies above that parent; what is taken back keeps its results,
so that it need not run again should it be certified after all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import trio

from execution.executor import BatchResult, Executor, Sealed
from execution.transition import apply_batch, opening_of, seal_block
from execution.vm import upgrade
from execution.vm.checkpoint import encode_trees
from genesis import codec
from genesis.chain import Block, Certificate, Header, Receipt, SignedTransaction, Withdrawal
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from node.engine import EngineThread
from node.log import logger
from node.meters import Meters
from node.open_block import Anchor, OpenBlock
from node.signatures import Opened, Signatures, with_signers
from node.store import Note, Pages, Store, StoredBlock
from node.tip import Tip, advance, span_withdrawals

LOOK_S = 0.005
PREPARED_MAX = 1_024
"""Blocks whose signers are known before their turn; beyond it the oldest are found again when it comes."""
REFUSED_MAX = 16
"""Blocks that did not come out, remembered so that none is run twice."""

T = TypeVar("T")

log = logger("line")


class Listener(Protocol):
    """Told of what happened; of what is certified, after it is durable."""

    async def executed(self, open_block: OpenBlock, receipts: Sequence[Receipt], result: BatchResult) -> None: ...

    async def sealed(self, block: Block, certificate: Certificate, open_block: OpenBlock) -> None: ...

    async def reopened(self, open_block: OpenBlock) -> None:
        """An open block was taken up from the batch log."""

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
        """What these were of is no more; the transactions may run again."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Pages changed since the checkpoint of height `since`, copied when their block was sealed."""

    since: int | None
    meta: bytes
    chunks: tuple[Pages, ...]
    trees: bytes


@dataclass(frozen=True, slots=True)
class Executed:
    """
    A sealed block and all that running it left. tip: after it. results: of each batch, with its receipts. opened: its
    batches' transactions, of a block that somebody else built.
    """

    block: Block
    tip: Tip
    parent: Tip
    open_block: OpenBlock
    burnt: list[Withdrawal]
    sealed: Sealed
    results: tuple[tuple[Sequence[Receipt], BatchResult], ...] = ()
    copied: Copied | None = None
    opened: Opened = ()


class Line:
    """tip: the newest stored block. checkpoint: height of the one on disk."""

    def __init__(
        self,
        spec: ChainSpec,
        checkpoint_blocks: int,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        listener: Listener,
        tip: Tip,
        checkpoint: int | None,
        meters: Meters | None = None,
    ) -> None:
        self._spec, self._checkpoint_blocks, self._store = spec, checkpoint_blocks, store
        self._engine, self._executor, self._listener = engine, executor, listener
        self.tip = tip
        self._meters = meters or Meters()
        self.turn = trio.Lock()
        self.grown = trio.Event()
        """Set, and replaced, when a block has been stored."""
        self._above: list[Executed] = []
        self._decided = tip.hash
        """The newest block that is for good: stored, or on its way to the store."""
        self._aside: dict[bytes, Executed] = {}
        self.refused: dict[bytes, str] = {}
        """What did not come out as the headers of recent blocks say, by hash."""
        self._checkpoint = checkpoint
        self._to_write, self._writing = trio.open_memory_channel[tuple[int, Copied]](1)
        self._write_pending = False
        self._signatures = Signatures()
        self._prepared: OrderedDict[bytes, tuple[int, Opened]] = OrderedDict()
        """With their heights."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write checkpoints beside the chain's work, one at a time."""
        task_status.started()
        with closing(self._signatures):
            async for height, copied in self._writing:
                put = partial(self._store.put_checkpoint, height, copied.meta, copied.chunks, copied.trees)
                await trio.to_thread.run_sync(put)
                self._write_pending = False
                log.info("checkpoint", height=height, pages=sum(len(chunk.data) // 1024 for chunk in copied.chunks))

    async def written(self) -> None:
        """Wait until no checkpoint is on its way to the disk."""
        while self._write_pending:
            await trio.sleep(LOOK_S)

    # Where it stands

    def newest(self) -> Tip:
        """After the newest executed block, stored or not."""
        return self._above[-1].tip if self._above else self.tip

    def above(self) -> list[Executed]:
        """Executed and not stored yet, ascending."""
        return list(self._above)

    def holds(self, block_hash: bytes) -> bool:
        """Whether the block has been executed here and found right."""
        return block_hash in self._aside or self.is_on(block_hash)

    def is_on(self, block_hash: bytes) -> bool:
        """Whether the state has this block in it."""
        return block_hash == self.tip.hash or any(one.tip.hash == block_hash for one in self._above)

    def tip_after(self, block_hash: bytes) -> Tip:
        """Raises Unavailable when the block is not executed here."""
        if block_hash == self.tip.hash:
            return self.tip
        for one in (*self._above, *self._aside.values()):
            if one.tip.hash == block_hash:
                return one.tip
        raise Unavailable(f"Block {block_hash.hex()} has not been executed here.")

    async def stand_on(self, parent: bytes) -> list[Executed]:
        """
        Bring the state to the end of a block, running again what it lacks; the blocks taken back. Needs `turn`.

        Raises:
            Unavailable: the block, or one between it and the stored chain, is not here, or it lies below or beside one
                that is for good.
        """
        path: list[Executed] = []
        known = [self.tip.hash, *(one.tip.hash for one in self._above)]
        while parent not in known:
            lacking = self._aside.get(parent)
            if lacking is None:
                raise Unavailable(f"Block {parent.hex()} is not on this node's line; it is fetched first.")
            path.append(lacking)
            parent = lacking.block.header.parent
        if known.index(parent) < known.index(self._decided):
            raise Unavailable(f"Block {parent.hex()} lies below one that is for good.")
        fallen = await self._fall_back(known.index(parent))
        for executed in reversed(path):
            await self._engine.run(run_block, self._spec, self._executor, executed.parent, executed.block, None)
            self._above.append(self._aside.pop(executed.tip.hash))
        return fallen

    async def _fall_back(self, keep: int) -> list[Executed]:
        """Take back all above the first `keep` that are not stored."""
        fallen = self._above[keep:]
        if fallen:
            del self._above[keep:]  # at once: who looks without the turn sees where the state is going
            self._aside |= {one.tip.hash: one for one in fallen}
            await self._engine.run(self._executor.rollback, self.newest().height)
            receipts = [receipt for one in fallen for receipt in one.open_block.receipts]
            await self._listener.reverted(receipts)
        return fallen

    async def drop_open(self) -> None:
        """Undo the batches of a block that was never sealed. Needs `turn`."""
        await self._engine.run(self._executor.rollback, self.newest().height)

    async def examine(self, parent: bytes, work: Callable[[Executor, Tip], T]) -> T:
        """
        Do something on the engine's thread at the end of a block, which must leave it there. Needs `turn`.

        Raises:
            Unavailable: the block is not here.
        """
        await self.stand_on(parent)
        return await self._engine.run(work, self._executor, self.newest())

    # Growing

    def prepare(self, block: Block) -> None:
        """Recover the signers of a block that comes soon; may be called on a thread. Raises Invalid."""
        if block.header.height <= self.tip.height:
            return
        self._prepared[block.hash()] = block.header.height, self._signatures.with_signers(block.body)
        while len(self._prepared) > PREPARED_MAX:
            self._prepared.popitem(last=False)

    def _forget_prepared(self, height: int) -> None:
        """What came by another way than it was prepared for, votes say, is not executed any more."""
        passed = [name for name, (at, _) in list(self._prepared.items()) if at <= height]
        for name in passed:
            self._prepared.pop(name, None)  # others are prepared on threads meanwhile

    async def execute(self, block: Block) -> tuple[Executed, list[Executed]] | None:
        """
        Run somebody else's block on its parent; None if something its header says did not come out. With it the blocks
        that had to be taken back. Needs `turn`, and no open block.

        What differs from the newest block in nothing but who proposed it and when, as what a new leader takes over
        does, has been run.

        Raises:
            Unavailable: its parent is not here.
        """
        if self._is_newest_again(block):
            return self.propose_again(block), []
        _, opened = self._prepared.pop(block.hash(), (0, None))
        if opened is None:
            opened = await trio.to_thread.run_sync(with_signers, block.body)
        fallen = await self.stand_on(block.header.parent)
        parent = self.newest()
        try:
            with self._meters.block.timed():
                executed = await self._engine.run(run_block, self._spec, self._executor, parent, block, opened)
        except Invalid as error:
            await self.drop_open()
            self.refused[block.hash()] = str(error)
            while len(self.refused) > REFUSED_MAX:
                del self.refused[next(iter(self.refused))]
            log.error("a block does not run as its header says", height=block.header.height, reason=str(error))
            return None
        await self.take(executed)
        for receipts, result in executed.results:
            await self._listener.executed(executed.open_block, receipts, result)
        return executed, fallen

    def _is_newest_again(self, block: Block) -> bool:
        newest = self.undecided_on(block.header.parent)
        if newest is None:
            return False
        header = replace(newest.block.header, proposer=block.header.proposer, view=block.header.view)
        return header == block.header and newest.block.body == block.body

    def undecided_on(self, parent: bytes) -> Executed | None:
        """The newest block executed here, if that is its parent, and it may still fall."""
        newest = self._above[-1] if self._above else None
        falls = newest is not None and newest.tip.hash != self._decided and newest.block.header.parent == parent
        return newest if falls else None

    def propose_again(self, block: Block) -> Executed:
        """
        Another block of what the newest one holds takes its place; either may be certified yet. Needs `turn`, and that
        the newest one is `undecided_on` the same parent.
        """
        before = self.undecided_on(block.header.parent)
        assert before is not None, "what is for good stays"
        self._above.pop()
        self._aside[before.tip.hash] = before
        tip = advance(before.parent, block, before.tip.span_withdrawals, self._spec)
        self._above.append(executed := replace(before, block=block, tip=tip))
        return executed

    async def take(self, executed: Executed) -> None:
        """A block just sealed here becomes the newest. Needs `turn`."""
        if executed.tip.height % self._checkpoint_blocks == 0 and not self._write_pending:
            since = self._checkpoint
            executed = replace(executed, copied=await self._engine.run(copy_pages, self._executor, since))
        self._above.append(executed)

    def decide(self, block_hash: bytes) -> None:
        """A block that the state has in it is for good: `stand_on` goes below it no more."""
        assert self.is_on(block_hash), "the state moves to what is decided first"
        self._decided = block_hash

    async def store(self, certified: Sequence[tuple[bytes, Certificate]], notes: Sequence[Note], decided: int) -> None:
        """
        Keep blocks executed here, by hash, in order, with consensus' notes, in one synced write; then tell of them.
        The last of them has been decided.

        Raises:
            Corrupt: the disk failed.
        """
        found = [self._find(block_hash) for block_hash, _ in certified]
        certificates = [certificate for _, certificate in certified]

        def write() -> None:
            """On a thread: nothing changes a sealed block any more."""
            rows = [stored_row(one, certificate) for one, certificate in zip(found, certificates, strict=True)]
            self._store.put(rows, notes, decided)

        await trio.to_thread.run_sync(write)
        for executed, certificate in zip(found, certificates, strict=True):
            await self._stored(executed, certificate)

    async def _stored(self, executed: Executed, certificate: Certificate) -> None:
        async with self.turn:
            self.tip = executed.tip
            self._above = [one for one in self._above if one.tip.height > executed.tip.height]
            self._aside = {name: one for name, one in self._aside.items() if one.tip.height > executed.tip.height}
        self._forget_prepared(executed.tip.height)
        self.grown.set()
        self.grown = trio.Event()
        copied = executed.copied
        if copied is not None and copied.since == self._checkpoint and not self._write_pending:
            self._write_pending = True
            self._checkpoint = executed.tip.height
            self._to_write.send_nowait((executed.tip.height, copied))
        await self._listener.sealed(executed.block, certificate, executed.open_block)

    def _find(self, block_hash: bytes) -> Executed:
        for one in (*self._above, *self._aside.values()):
            if one.tip.hash == block_hash:
                return one
        raise AssertionError("only what was executed is stored")


def run_block(
    spec: ChainSpec,
    executor: Executor,
    parent: Tip,
    block: Block,
    opened: Opened | None,
) -> Executed:
    """
    Run a block on the state after `parent` and hold everything its header says against what came out.

    Args:
        opened: its transactions with their signers, batch by batch; None recovers them here.

    Raises:
        Invalid: "wrong_block" names what differs; the block may be open in the executor, or sealed.
    """
    opened = with_signers(block.body) if opened is None else opened
    height = block.header.height
    opening = opening_of(block, parent.waiting_deployments.get(height, ()))
    anchor = Anchor(block.header.anchor_number, block.header.anchor_hash, block.header.inbox_count)
    again = OpenBlock(opening, anchor)
    results: list[tuple[Sequence[Receipt], BatchResult]] = []
    for transactions in opened:
        _check_kernels(block, transactions, spec)
        result = apply_batch(executor, opening, transactions)
        answers = again.add(transactions, block.body.deployments, result)
        results.append(([one for one in answers if isinstance(one, Receipt)], result))
    again.deployments = list(block.body.deployments)
    sealed = seal_block(executor)
    burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
    withdrawals = span_withdrawals(parent, height, spec, burnt)
    header = again.header(sealed, withdrawals, block.header.proposer, block.header.validators, block.header.view)
    if header != block.header:
        raise Invalid(difference(header, block.header), "wrong_block")
    tip = advance(parent, block, withdrawals, spec)
    return Executed(block, tip, parent, again, burnt, sealed, tuple(results), opened=opened)


def _check_kernels(block: Block, transactions: Sequence[SignedTransaction], spec: ChainSpec) -> None:
    """A kernel that a block records is the one that the admin signed. Raises Invalid."""
    recorded = {one.transaction_id: one for one in block.body.deployments}
    for signed in transactions:
        found = recorded.get(signed.id) if upgrade.upgrades(signed.transaction) else None
        if found is not None and found != upgrade.deployment_of(signed, spec):
            raise Invalid("it records another kernel than was signed", "wrong_block")


def difference(again: Header, signed: Header) -> str:
    """What came out otherwise than it was signed; "" for nothing."""
    pairs = zip(Header.__slots__, again.fields(), signed.fields(), strict=True)
    rows = [f"{name} is {_show(new)} again, {_show(old)} was signed" for name, new, old in pairs if new != old]
    return "; ".join(rows)


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def stored_row(executed: Executed, certificate: Certificate) -> StoredBlock:
    """What the store keeps of a block."""
    header = executed.block.header
    return StoredBlock(
        header.height,
        codec.encode((header.fields(), executed.block.signature, certificate.fields())),
        codec.encode(executed.block.body.fields()),
        executed.open_block.results(executed.burnt),
        [receipt.transaction for receipt in executed.open_block.receipts],
    )


def copy_pages(executor: Executor, since: int | None) -> Copied:
    """A checkpoint's pages that changed since the one of a height, and what restores them; None: all pages."""
    chunks = tuple(Pages(c.program, c.first_page, c.pages) for c in executor.export(since))
    return Copied(since, executor.checkpoint_meta(), chunks, encode_trees(executor.trees()))
