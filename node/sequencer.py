"""
The leader's loop: cut a batch, log it, run it, answer; when consensus wants a block, and its time has come, seal it.

What was answered survives a crash of this node: a receipt leaves only after the batch's inputs are synced to the batch
log. Work on the next block begins as soon as one is sealed, if this node is likely to lead on. A block that comes to
nothing (another one stands in its place) is taken back: its receipts become "reverted", its transactions wait again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import trio

from execution.executor import BatchResult, Executor, Opening
from genesis import chain
from genesis.chain import Block, Deployment, Header, Receipt, SignedTransaction, Withdrawal
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from node.config import SequencerConfig
from node.consensus.doors import Signer
from node.engine import EngineThread
from node.heritage import Heirs, NoHeirs
from node.line import Executed, Line, Listener
from node.log import logger
from node.mempool import Mempool, Pending, leaves_free
from node.meters import Meters
from node.open_block import Anchor, Logged, OpenBlock, decode_logged, encode_logged, reopen, run_batch
from node.store import Store
from node.tip import advance, gap_ms, span_withdrawals
from node.waiting_again import GivenUp, put_back

BATCH_BYTES_MAX = 2 << 20
"""Of a batch's transactions on the wire; packed for the engine, whose input holds 16 MiB, they grow by a third."""
BLOCK_BYTES_FULL = 3 << 20
"""
A block that has so many takes no further batch. With one batch more and what deployments record it still is one message
between validators.
"""
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

    def validators(self, parent: Anchor, anchor: Anchor) -> int:
        """Version of the set that certifies a block, by its parent's anchor and its own."""


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What consensus asks for: a block of this view on this parent.

    again: a next one is likely to be asked for. late: views before this one came to nothing, so clients have waited.
    before: who led them, the latest first, and whoever left with the set before. validators: version of the set.
    """

    view: int
    parent: bytes
    built: Callable[[Block], None]
    again: bool
    late: bool = False
    before: tuple[bytes, ...] = ()
    validators: int = 0


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


class Sequencer:
    """open_block: what is being built, on the newest block of the line."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        signer: Signer,
        line: Line,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        mempool: Mempool,
        inbox: Inbox,
        listener: Listener,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        heirs: Heirs | None = None,
        meters: Meters | None = None,
    ) -> None:
        """
        Args:
            heirs: whom this node's batches are told, and whose it goes on with; None of a validator alone.
        """
        self._heirs = heirs or NoHeirs()
        self._spec, self._config, self._signer, self._line, self._store = spec, config, signer, line, store
        self._engine, self._executor = engine, executor
        self._mempool, self._inbox, self._listener = mempool, inbox, listener
        self._now_ms = now_ms
        self.open_block: OpenBlock | None = None
        self._turn: Turn | None = None
        self._goes_on = False
        self._changed = trio.Event()
        self._times: dict[str, list[float]] = {}
        self._meters = meters or Meters()
        self._stretch = 1.0
        self._stop = trio.Event()
        self._halted = False
        self._left = set(store.logged())
        self._complete = -1
        """Height of the open block, if another leader had sealed it."""
        self.opened = trio.Event()
        """Set once a block has been opened, or taken up again."""

    # What others ask for

    def lead(self, turn: Turn) -> None:
        """Build a block; replaces what was asked for before."""
        self._turn, self._goes_on = turn, True
        self._wake()

    def stand_back(self) -> None:
        """Lead no more; what is open is given up by `release`, or before another block is executed."""
        self._turn, self._goes_on = None, False
        self._wake()

    def halt(self) -> None:
        """Return from run without sealing the open block, which stays in the batch log and in `open_block`."""
        self._halted = True
        self.stop()

    def stop(self) -> None:
        """Seal the open block, if this node leads, then return from run."""
        self._stop.set()
        self._mempool.arrived.set()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    @property
    def in_office(self) -> bool:
        """Whether this node builds, or is about to."""
        return self._turn is not None or self._goes_on

    async def release(self, fallen: Sequence[Executed] = ()) -> None:
        """
        Give up the open block and blocks that fell, if this node built or proposed them: their transactions wait again.
        Needs the line's turn.

        Logged batches of an earlier life that no block took up wait again too, once this node does not lead.
        """
        transactions: list[tuple[SignedTransaction, Deployment | None]] = []
        for executed in fallen:
            if executed.block.header.proposer == self._signer.address or not executed.opened:
                transactions += _transactions(executed.open_block)
        block, self.open_block = self.open_block, None
        if block is not None:
            await self._line.drop_open()
            transactions += _transactions(block)
            await self._listener.reverted(block.receipts)
        for height in sorted(self._left):
            logged = [decode_logged(row) for row in self._store.batches(height)]
            for batch in logged:
                works = {work.transaction_id: work for work in batch.deployments}
                transactions += [(signed, works.get(signed.id)) for signed in batch.transactions]
        self._left.clear()
        await self._wait_again(transactions)

    async def _wait_again(self, transactions: Sequence[tuple[SignedTransaction, Deployment | None]]) -> None:
        if transactions:
            given_up = GivenUp(tuple(transactions), ())
            await put_back(self._mempool, self._engine, self._executor, given_up, self._now_ms())

    # The loop

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while not self._stop.is_set():
            if self.in_office:
                await self._build_block()
            else:
                await self._changed.wait()

    async def _build_block(self) -> None:
        late = self._turn is not None and self._turn.late
        deadline = trio.current_time() + (0 if late else self._spec.block_time_ms / 1000)
        spacing = self._config.batch_interval_ms / 1000
        complete = await self._open()
        while not self._stop.is_set() and self.open_block is not None and not complete:
            if self._full():
                await self._until(deadline)
                break
            with trio.move_on_at(deadline):
                await self._mempool.arrived.wait()
            if trio.current_time() >= deadline:
                break
            cut = trio.current_time()
            async with self._line.turn:
                if not self._is_open():
                    break
                await self._cut()
            if not self._mempool.arrived.is_set():
                await self._until(min(deadline, cut + spacing))
        while self.open_block is not None and self._turn is None and self._goes_on and not self._halted:
            await self._changed.wait()
        if not self._halted and self._wanted():
            await self._seal()

    async def _until(self, deadline: float) -> None:
        """Sleep, but not beyond the end of the office."""
        with trio.move_on_at(deadline):
            while self.open_block is not None:
                await self._changed.wait()

    def _is_open(self) -> bool:
        return self.open_block is not None

    def _wanted(self) -> bool:
        """Whether consensus waits for a child of the open block's parent."""
        turn, block = self._turn, self.open_block
        return turn is not None and block is not None and turn.parent == block.opening.parent

    def _full(self) -> bool:
        """Whether the largest transaction might not fit any more, or one found no room in a batch of its own."""
        block, spec = self.open_block, self._spec
        assert block is not None
        return (
            block.stalled
            or block.gas_used > spec.gas_block_max - spec.gas_transaction_max
            or block.size > BLOCK_BYTES_FULL
        )

    async def _open(self) -> bool:
        """
        Take up the open block, or begin one where consensus wants it, else on the newest block; whether it is complete.

        Batches that an earlier life logged on the very parent are run again. When there are logged ones on top of it,
        it had been sealed: sealed again it is the same.
        """
        async with self._line.turn:
            turn = self._turn
            if self.open_block is not None and turn is not None and turn.parent != self.open_block.opening.parent:
                await self.release()
            if self.open_block is None and turn is not None and await self._propose_again(turn):
                return False
            if self.open_block is None and self.in_office and (turn is None or await self._stand_on(turn)):
                await self._begin()
            height = self.open_block.opening.height if self.open_block else 0
            return height + 1 in self._left or height == self._complete

    async def _propose_again(self, turn: Turn) -> bool:
        """
        What a leader before this one had sealed, and was run here, needs no more than a signature; whether that is all
        there is to do. While others are asked, the turn may go, or the block become one for good.
        """
        found = self._line.undecided_on(turn.parent)
        if found is None or found.block.header.validators != turn.validators:
            return False
        if not await self._heirs.take_over(found.block, found.parent, turn.before) or self._turn is not turn:
            return self._turn is not turn
        header = replace(found.block.header, proposer=self._signer.address, view=turn.view)
        signature = await self._signed(header)
        if self._turn is not turn:
            return True
        self._turn, self._goes_on = None, False
        if signature is not None and self._line.undecided_on(turn.parent) is found:
            self._goes_on = turn.again
            block = Block(header, found.block.body, signature)
            self._line.propose_again(block)
            receipts = len(found.open_block.receipts)
            log.info("proposes another leader's block again", height=header.height, receipts=receipts)
            turn.built(block)
        return True

    async def _stand_on(self, turn: Turn) -> bool:
        """Whether the state could be brought to the parent; if not, the chain went on without this turn."""
        if self._line.newest().hash == turn.parent:
            return True
        try:
            await self.release(await self._line.stand_on(turn.parent))
        except Unavailable:
            if self._turn is turn:
                self.stand_back()
            return False
        return True

    async def _begin(self) -> None:
        tip = self._line.newest()
        logged = self._store.batches(tip.height + 1) if tip.height + 1 in self._left else ()
        head = decode_logged(logged[0]).opening if logged else None
        if logged and (head is None or head.parent == tip.hash):
            self._left.discard(tip.height + 1)
            self.open_block = await self._engine.run(reopen, self._executor, tip.hash, logged)
            assert self.open_block is not None, "there were batches"
            await self._listener.reopened(self.open_block)
        else:
            await self.release()  # batches logged by an earlier life, on another block
            if not await self._go_on():
                await self._begin_anew()
        if self.open_block is not None:
            self.opened.set()

    async def _go_on(self) -> bool:
        """
        Take up what a leader before this one had begun, under its opening: receipts come out as it gave them. Whether
        there was any; what cannot be taken up waits here.
        """
        tip = self._line.newest()
        left = await self._heirs.left(tip, self._turn.before if self._turn else ())
        if left is None:
            return False
        transactions = [(one, None) for batch in left.batches for one in batch]
        if self._turn is not None and self._inbox.validators(tip.anchor, left.anchor) != self._turn.validators:
            await self._wait_again(transactions)  # begun before the set that certifies now had taken a lost one's place
            return False
        block = OpenBlock(left.opening, left.anchor)
        try:
            ran = [await self._engine.run(run_batch, self._executor, block, batch) for batch in left.batches]
        except Invalid as error:
            log.warning("what a leader had run does not run here", height=block.opening.height, reason=str(error))
            await self._line.drop_open()
            await self._wait_again(transactions)
            return False
        self.open_block = block
        self._complete = block.opening.height if left.complete else -1
        await self._keep(block, 0, [_Cut([Pending(one, _nobody) for one in batch]) for batch in left.batches])
        for signed, _ in transactions:
            self._mempool.passed((signed.signer, signed.transaction.lane), signed.transaction.sequence)
        for receipts, result in ran:
            await self._listener.executed(block, receipts, result)
        log.info("went on with another leader's block", height=block.opening.height, receipts=len(block.receipts))
        return True

    async def _begin_anew(self) -> None:
        """Fix height, time, parent and anchor, and run the first batch."""
        tip = self._line.newest()
        height = tip.height + 1
        time_ms = max(tip.time_ms + 1, self._now_ms())
        anchor, entries = self._inbox.take(tip.anchor)
        active = tip.waiting_deployments.get(height, ())
        opening = Opening(height, time_ms, gap_ms(tip.time_ms, time_ms, height, self._spec), tip.hash, entries, active)
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
        ran: list[_Ran] = []

        async def execute() -> None:
            for cut in cuts:
                with self._timed("batch_ms"), self._meters.batch.timed():
                    ready = block.ready(cut.transactions)
                    result = await self._engine.run(self._executor.apply, block.opening, ready)
                    answers = block.add(ready, cut.prepared, result)
                    ran.append(_Ran(cut, result, {one.id: answer for one, answer in zip(ready, answers, strict=True)}))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(execute)
            with self._timed("log_sync_ms"):
                await self._keep(block, number, cuts)
        self._mempool.put_back([item for one in ran for item in one.turned_away()])
        for one in ran:
            await self._answer(block, one)

    async def _keep(self, block: OpenBlock, number: int, cuts: Sequence[_Cut]) -> None:
        """Tell batches, from `number` on, to whoever may lead next, and sync them to the log."""
        for at, cut in enumerate(cuts, number):
            self._heirs.tell(block.opening, block.anchor, at, cut.transactions)
        rows = [encode_logged(_logged(block, cut, first=at == 0)) for at, cut in enumerate(cuts, number)]
        if rows:
            await trio.to_thread.run_sync(self._store.append_batch, block.opening.height, number, *rows)

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

    async def _answer(self, block: OpenBlock, ran: _Ran) -> None:
        known = ran.known()
        for item, answer in known:
            self._mempool.settle(item, leaves_free(answer))
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
        Close the block, have it signed, and hand it to consensus; the next one goes on from here. Not signed, it is
        given up, and so is the view.
        """
        async with self._line.turn:
            turn, block = self._turn, self.open_block
            if turn is None or block is None:
                return
            self._turn, self._goes_on, self.open_block = None, turn.again, None
            parent = self._line.newest()
            with self._timed("seal_ms"):
                sealed = await self._engine.run(self._executor.seal)
            self._meters.block.observe(sum((*self._times.get("batch_ms", ()), *self._times["seal_ms"])) / 1000)
            burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
            withdrawals = span_withdrawals(parent, block.opening.height, self._spec, burnt)
            version = self._inbox.validators(parent.anchor, block.anchor)
            header = block.header(sealed, withdrawals, self._signer.address, version, turn.view)
            signature = await self._signed(header)
            if signature is None:
                self._goes_on, self.open_block = False, block
                await self.release()
                return
            signed = Block(header, block.body(), signature)
            tip = advance(parent, signed, withdrawals, self._spec)
            await self._line.take(Executed(signed, tip, parent, block, burnt, sealed))
            log.debug("sealed", height=block.opening.height, batches=len(block.batches), **self._medians())
            turn.built(signed)

    async def _signed(self, header: Header) -> bytes | None:
        try:
            return await self._signer.propose(header)
        except (Invalid, Unavailable) as error:
            log.error("a proposal is not signed", height=header.height, view=header.view, reason=str(error))
            return None

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


def _logged(block: OpenBlock, cut: _Cut, first: bool) -> Logged:
    return Logged(block.opening if first else None, block.anchor if first else None, cut.transactions, cut.prepared)


def _nobody(_: object) -> None:
    """Whoever ran it first has answered."""


def _transactions(block: OpenBlock) -> list[tuple[SignedTransaction, Deployment | None]]:
    works = {work.transaction_id: work for work in block.deployments}
    return [(one, works.get(one.id)) for batch in block.batches for one in batch.open()]
