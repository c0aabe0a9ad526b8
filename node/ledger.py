"""
Consensus' door to the chain's content, over line and sequencer: what it asks is done here, what must last is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from genesis import codec
from genesis.chain import Block
from genesis.crypto import ZERO_ADDRESS, ZERO_HASH
from genesis.errors import Corrupt, Invalid
from node.consensus.accusation import Accusation
from node.consensus.doors import Certified, Kept, Remembered
from node.consensus.schedule import failed_leaders
from node.consensus.words import Link, Quorum, Said, said_of
from node.evidence import keep_evidence
from node.faults.keeping import Capture, keep_fault
from node.judge import Judge
from node.line import Executed, Line
from node.log import logger
from node.membership import Membership
from node.mempool import Mempool
from node.recovery import stored_block, stored_header
from node.sequencer import Sequencer, Turn
from node.store import Note, Store

PROPOSAL, QUORUM = 3, 4
"""Kinds of notes: 0 to 2 are votes, quorums follow from 4 on, by the kind of their vote."""
NOTE_BYTES_MAX = 64 << 20

log = logger("ledger")


class ChainLedger:
    """See `Ledger`. view_floor: no view up to it is used any more: blocks in it were given up with settlement's."""

    def __init__(
        self,
        line: Line,
        sequencer: Sequencer,
        store: Store,
        mempool: Mempool,
        membership: Membership,
        judge: Judge,
        view_floor: int,
        capture: Capture,
        proposed: Callable[[Block], None] = lambda _: None,
    ) -> None:
        """capture: see `faults.capture`. proposed: told of each proposal that this node looks at."""
        self._capture, self._proposed = capture, proposed
        self._line, self._sequencer, self._store, self._mempool = line, sequencer, store, mempool
        self._membership, self._judge, self._view_floor = membership, judge, view_floor
        self._untidy = trio.Event()
        self._accusing = trio.Lock()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Give up what this node was building once it does not lead any more, so that it reaches whoever does."""
        task_status.started()
        while True:
            await self._untidy.wait()
            self._untidy = trio.Event()
            async with self._line.turn:
                if not self._sequencer.in_office:
                    await self._sequencer.release()

    def remembered(self) -> Remembered:
        tip = self._line.tip
        kept = _kept(self._store.notes())
        if tip.header is None:
            return Remembered(Link(self._view_floor, 0, tip.hash, ZERO_HASH, ZERO_ADDRESS, 0), None, kept)
        row = self._store.header(tip.height)
        assert row is not None, "the tip is stored"
        header, _, certificate = stored_header(row)
        view = max(header.view, self._view_floor)
        link = replace(Link.of(header), view=view)
        return Remembered(link, certificate if view == header.view else None, kept)

    def lead(self, view: int, parent: Link, built: Callable[[Block], None], again: bool) -> None:
        rules = self._membership.next(parent.anchor)
        before = failed_leaders(rules, parent, view)
        if parent.proposer not in rules.stakes:
            before = (*before, parent.proposer)  # it has left with its set, and a block begun
        self._sequencer.lead(
            Turn(view, parent.hash, built, again, late=view > parent.view + 1, before=before, validators=rules.version)
        )

    def burden(self) -> str:
        return self._store.pace.burden()

    def stand_back(self) -> None:
        self._sequencer.stand_back()
        self._untidy.set()

    async def beside(self, work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
        return await trio.to_thread.run_sync(work)

    def prepare(self, block: Block) -> None:
        self._line.prepare(block)

    async def execute(self, block: Block, vouched: bool) -> bool:
        if not vouched:
            self._proposed(block)
        if self._line.holds(block.hash()):
            return True
        if block.hash() in self._line.refused:
            return False
        await self._membership.reach(block.header.anchor_number)  # or nobody here knew who certifies its children
        try:
            if not vouched:
                await self._judge.check(block, self._line.tip_after(block.header.parent))
            async with self._line.turn:
                return await self._execute(block)
        except Invalid as error:
            log.error("a proposed block is refused", height=block.header.height, reason=str(error), code=error.code)
            return False

    async def _execute(self, block: Block) -> bool:
        if self._sequencer.open_block is not None:
            await self._sequencer.release()
        done = await self._line.execute(block)
        if done is None:
            return False
        executed, fallen = done
        if fallen:
            await self._sequencer.release(fallen)
        self._pass(executed)
        return True

    def _pass(self, executed: Executed) -> None:
        """Lanes move on with what others' blocks hold."""
        for batch in executed.opened:
            for signed in batch:
                self._mempool.passed((signed.signer, signed.transaction.lane), signed.transaction.sequence)

    async def keep(self, kept: Kept) -> None:
        certified = [(one.block.hash(), one.certificate) for one in kept.committed]
        decided = kept.committed[-1].block.header.view if kept.committed else 0
        if certified and not self._line.is_on(certified[-1][0]):
            await self._move_to(certified[-1][0])
        if certified:
            self._line.decide(certified[-1][0])
        await self._line.store(certified, _notes(kept), decided)
        if certified and not self._sequencer.in_office:
            self._untidy.set()

    async def diverged(self, block: Block, quorum: Quorum | None) -> str:
        async with self._line.turn:
            await self._sequencer.release()
            return await keep_fault(self._line, self._capture, self._store.path.parent, block, quorum)

    async def _move_to(self, block_hash: bytes) -> None:
        """The chain goes on along another branch than this node stood on."""
        async with self._line.turn:
            await self._sequencer.release()
            await self._sequencer.release(await self._line.stand_on(block_hash))

    async def accuse(self, accusation: Accusation) -> None:
        async with self._accusing:
            if await trio.to_thread.run_sync(keep_evidence, self._store, accusation):
                log.error("a validator contradicted itself; `tenor node evidence` has the proof", view=accusation.view)

    async def certified(self, first: int, last: int, bytes_max: int) -> Sequence[Certified]:
        return await trio.to_thread.run_sync(self._read, first, last, bytes_max)

    def _read(self, first: int, last: int, bytes_max: int) -> Sequence[Certified]:
        return certified_blocks(self._store, first, last, bytes_max)


def certified_blocks(store: Store, first: int, last: int, bytes_max: int) -> Sequence[Certified]:
    """As `Ledger.certified`; on a thread. Raises Invalid "pruned"."""
    store.check_kept(first)
    found: list[Certified] = []
    size = 0
    for row in store.blocks(first, last):
        size += len(row.body)
        if found and size > bytes_max:
            break
        found.append(Certified(*stored_block(row)))
    return found


def _notes(kept: Kept) -> list[Note]:
    said = [Note(one.view, int(one.kind), codec.encode((one.height, one.hash))) for one in kept.said]
    proposals = [Note(block.header.view, PROPOSAL, block.encode()) for block in kept.proposals]
    quorums = [Note(q.said.view, QUORUM + int(q.said.kind), codec.encode(q.fields())) for q in kept.quorums]
    return [*said, *proposals, *quorums]


def _kept(notes: Sequence[Note]) -> Kept:
    """Inverse of `_notes`. Raises Corrupt: only our own disk is read here."""
    said: list[Said] = []
    proposals: list[Block] = []
    quorums: list[Quorum] = []
    try:
        for note in notes:
            if note.kind < PROPOSAL:
                height, block_hash = codec.decode_array(note.data, 2, NOTE_BYTES_MAX, "A noted vote")
                said.append(said_of(note.kind, note.view, height, block_hash))
            elif note.kind == PROPOSAL:
                proposals.append(Block.decode(note.data))
            else:
                quorums.append(Quorum.of(codec.decode(note.data, NOTE_BYTES_MAX)))
    except Invalid as error:
        raise Corrupt(f"what consensus had noted does not decode: {error}") from error
    return Kept(tuple(said), tuple(proposals), tuple(quorums))
