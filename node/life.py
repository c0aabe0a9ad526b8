"""
The chain's life in this node: inbox, batcher and sequencer side by side, until asked to stop; and when settlement takes
back a block that the chain stands on, an end and a new beginning from where it still stands.

Gateway, service and mempool live through it: clients see receipts become "reverted" and blocks come again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import trio

from execution.executor import BatchResult, Executor
from genesis.chain import Block, Certificate, Receipt
from genesis.errors import Corrupt, Unavailable
from genesis.membership import ValidatorSet
from genesis.spec import ChainSpec, genesis_hash
from node.ahead import Ahead
from node.batcher import Batcher, Stages
from node.config import SequencerConfig
from node.consensus.doors import Signer
from node.consensus.service import Consensus
from node.engine import EngineThread
from node.faults.capture import capture
from node.forwarder import Forwarder
from node.heritage import Heritage, NoHeirs
from node.inbox import Inbox, is_settled
from node.judge import Judge
from node.ledger import ChainLedger
from node.line import Line
from node.log import logger
from node.membership import Membership
from node.mempool import Mempool
from node.meters import Meters
from node.open_block import OpenBlock
from node.recovery import Recovered
from node.reorganisation import collect, fork_height, rollbacks, state_at, truncate
from node.sequencer import Sequencer
from node.service import Service
from node.store import Store
from node.waiting_again import put_back
from p2p.memory import open_memory_network
from p2p.network import Network, Peer, Statistics
from settlement.adapter import SettlementAdapter

NEWS_S = 1.0
"""How often a node looks for others it did not know."""
LEFT_LOOK_S = 0.05
"""How often a node that stops looks whether the others have left before it."""
DRAIN_S = 10.0
"""How long a node that stops waits until what it told as executed is certified, or handed on to whoever leads next."""

log = logger("life")


async def _nothing() -> None:
    """Where all are known from the beginning."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    A node's place among validators: the network, and the others in it by their addresses, those of later sets among
    them. news: who they are when that has changed since it was asked last, else None.
    """

    network: Network
    peers: Mapping[bytes, Peer]
    news: Callable[[], Awaitable[Mapping[bytes, Peer] | None]] = _nothing


class Life:
    """`begin` before the node serves, then `run`."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        signer: Signer,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        adapter: SettlementAdapter,
        mempool: Mempool,
        service: Service,
        stages: Stages,
        poll_s: float,
        genesis_root: bytes,
        meters: Meters,
        place: Place | None = None,
    ) -> None:
        """place: none on a chain of one."""
        self._meters = meters
        self._place, self._network = place, place.network if place else None
        self._peers = place.peers if place else {}
        self._spec, self._config, self._signer, self._store = spec, config, signer, store
        self._engine, self._executor, self._adapter = engine, executor, adapter
        self._mempool, self._service, self._stages = mempool, service, stages
        self._poll_s, self._genesis_root = poll_s, genesis_root
        self._asked = trio.Event()
        self._told = False
        self._reverted_s = -math.inf
        """When receipts last came to nothing."""

    @property
    def line(self) -> Line:
        """Of this stretch of life; another one after going back. So is `consensus`."""
        return self._line

    @property
    def consensus(self) -> Consensus:
        """Once `run` has started."""
        return self._consensus

    @property
    def signer(self) -> Signer:
        return self._signer

    @property
    def peers(self) -> Mapping[bytes, Peer]:
        return self._peers

    def lags(self) -> bool:
        return self._consensus.lags()

    def network(self) -> Statistics:
        """As that of the network."""
        return self._consensus.network()

    def stop(self) -> None:
        """Take no transactions any more, seal the open block, then return from run."""
        self._asked.set()
        self._service.leave()
        self._sequencer.stop()

    async def begin(self, recovered: Recovered) -> None:
        """Take the chain up where recovery, or going back, left it."""
        spec, before, anchor = self._spec, rollbacks(self._store), recovered.tip.anchor
        self._membership = sets = Membership.stored(spec, self._adapter, self._store, anchor.number)
        self._inbox = Inbox(self._adapter, spec, anchor, self._poll_s, sets)
        self._batcher = Batcher(
            spec, self._store, self._adapter, self._stages, self._service.staged, self._poll_s,
            max((one.height for one in before), default=0), self._network is None,
        )  # fmt: skip
        self._line = line = Line(
            spec, self._config.checkpoint_blocks, self._store, self._engine, self._executor, self, recovered.tip,
            recovered.checkpoint, self._meters,
        )  # fmt: skip
        judge = Judge(
            spec, self._adapter, sets, partial(self._engine.run, self._executor.programs), self._service.intake.compiler
        )
        self._heritage = (
            Heritage(spec, self._signer.address, self._network, self._peers, judge, _now_ms)
            if self._network is not None
            else NoHeirs()
        )
        self._sequencer = Sequencer(
            spec, self._config, self._signer, line, self._store, self._engine, self._executor, self._mempool,
            self._inbox, self, heirs=self._heritage, meters=self._meters,
        )  # fmt: skip
        view_floor = max((one.view for one in before), default=0)
        self._ledger = ChainLedger(
            line, self._sequencer, self._store, self._mempool, sets, judge, view_floor,
            partial(capture, spec, genesis_hash(spec, self._genesis_root), self._signer.address),
            self._heritage.proposed,
        )  # fmt: skip
        await self._service.attach(line)
        if self._asked.is_set():
            self._sequencer.stop()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Until `stop`. Started once what an earlier life had left open is open again.

        Raises:
            Corrupt: disk or engine failed, or settlement took back what cannot be given up.
        """
        while True:
            async with AsyncExitStack() as stack:
                network = self._network or await _alone(stack)
                nursery = await stack.enter_async_context(trio.open_nursery())
                for service in (self._inbox, self._batcher, self._line, self._ledger, self._heritage):
                    await nursery.start(service.run)
                self._consensus = Consensus(
                    self._membership, self._signer, network, self._peers, self._ledger, _now_ms,
                    self._spec.time_ahead_ms_max, recalls=not self._told, sync=self._meters.sync,
                )  # fmt: skip
                self._forwarder = Forwarder(
                    self._mempool, network, self._leader, self._service.intake.run_here, self._heritage.orphans,
                    lambda: self._sequencer.open_block is not None,
                    lambda peer: peer not in self._peers.values(),
                )  # fmt: skip
                intake = self._service.intake
                ahead = Ahead(
                    network, lambda: self._peers.values(), self._consensus.suffice, intake.check_ahead, intake.compile,
                    intake.compiler.turn,
                )  # fmt: skip
                intake.tell = ahead.tell
                intake.forwarder, self._service.consensus = self._forwarder, self._consensus
                self._consensus.moved = self._forwarder.wake
                await nursery.start(self._consensus.run)
                await nursery.start(self._forwarder.run)
                await nursery.start(ahead.run)
                nursery.start_soon(self._halt_when_lost, self._inbox, self._sequencer)
                nursery.start_soon(self._meet)
                nursery.start_soon(self._leave_alone, nursery.cancel_scope)
                nursery.start_soon(self._tell_opened, task_status)
                await self._sequencer.run()
                if self._asked.is_set():
                    self._consensus.leave()
                await self._drain()
                nursery.cancel_scope.cancel()
            if self._asked.is_set():
                return
            await self.begin(await self._go_back())

    def _leader(self) -> Peer | None:
        """Who leads now, unless it is this node."""
        return self._peers.get(self._consensus.machine.standing().leader)

    def unready(self) -> str:
        """See `Consensus.unready`."""
        return self._consensus.unready()

    def sets(self) -> Sequence[ValidatorSet]:
        """Those that this node has read, by version."""
        return self._membership.sets

    def certifies(self, key: bytes) -> bool:
        """Whether a key is in the set that certifies the next block."""
        return key in self._membership.next(self._line.tip.anchor.number).stakes

    async def _meet(self) -> None:
        """Validators of sets to come are met while this node runs."""
        while self._place is not None:
            news = await self._place.news()
            if news is not None:
                self._peers = news
                self._consensus.meet(news)
                self._heritage.meet(news)
            await trio.sleep(NEWS_S)

    async def _tell_opened(self, task_status: trio.TaskStatus[None]) -> None:
        """A validator alone leads at once, and what it had answered is there again when its first block is open."""
        if self._network is None and self._consensus.machine.me is not None:
            await self._sequencer.opened.wait()
        if not self._told:
            self._told = True
            task_status.started()

    async def _leave_alone(self, scope: trio.CancelScope) -> None:
        """Once asked to stop: end when too few others are left to certify anything. What is logged waits on disk."""
        await self._asked.wait()
        while self._consensus.has_quorum():
            await trio.sleep(LEFT_LOOK_S)
        scope.cancel()

    async def _drain(self) -> None:
        """Let what was proposed become certified, and what came to nothing reach the next leader, if that can be."""
        height = self._line.newest().height
        with trio.move_on_after(DRAIN_S):
            while self._line.tip.height < height:
                await self._line.grown.wait()
            await self._line.written()
            while self._asked.is_set() and self._network is not None and not self._handed_on():
                await trio.sleep(LEFT_LOOK_S)

    def _handed_on(self) -> bool:
        """
        Whether this node has nothing left that had been told as executed, and came to nothing. Whoever waits for
        anything else sends it again.
        """
        lately = trio.current_time() < self._reverted_s + DRAIN_S
        return self._sequencer.open_block is None and (self._forwarder.idle() or not lately)

    async def _halt_when_lost(self, inbox: Inbox, sequencer: Sequencer) -> None:
        await inbox.lost.wait()
        if self._network is not None:
            raise Corrupt(
                "settlement took back blocks deeper than deposits were confirmed, and other validators have certified "
                "blocks on them; agree with their operators on the height to go on from."
            )
        sequencer.halt()

    # What the line tells

    async def executed(self, open_block: OpenBlock, receipts: Sequence[Receipt], result: BatchResult) -> None:
        self._meters.executed(receipts, result)
        await self._service.executed(open_block, receipts, result)

    async def sealed(self, block: Block, certificate: Certificate, open_block: OpenBlock) -> None:
        self._inbox.forget(block.header.inbox_count)
        self._heritage.certified(block)
        self._forwarder.certified(receipt.transaction for receipt in open_block.receipts)
        await self._service.sealed(block, certificate, open_block)

    async def reopened(self, open_block: OpenBlock) -> None:
        await self._service.reopened(open_block)

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
        self._meters.reverted += len(receipts)
        if receipts:
            self._reverted_s = trio.current_time()
        await self._service.reverted(receipts)

    async def _go_back(self) -> Recovered:
        """Give up what stands on an anchor that settlement took back; nothing runs meanwhile but reads."""
        lost = self._inbox.watched
        tip, open_block = self._line.tip, self._sequencer.open_block
        height = tip.height
        fork, open_stands = await self._patiently(height)
        if fork == height and open_stands:
            async with self._line.turn:
                await self._line.stand_on(tip.hash)
                await self._line.drop_open()
            checkpoint = self._store.checkpoint()
            return Recovered(tip, 0, checkpoint[0] if checkpoint else None)
        given_up = await trio.to_thread.run_sync(collect, self._store, fork, open_block)
        made = await trio.to_thread.run_sync(truncate, self._store, fork, lost, given_up, _now_ms())
        recovered = await self._engine.run(
            state_at, self._spec, self._store, self._executor, self._genesis_root, fork, progress
        )
        back, refused = await put_back(self._mempool, self._engine, self._executor, given_up, _now_ms())
        self._stages.posted = min(self._stages.posted, fork)
        self._stages.settled = min(self._stages.settled, fork)
        self._meters.reverted += len(given_up.receipts)
        await self._service.rolled_back(fork + 1, height, given_up.receipts)
        log.warning(
            "settlement took back a block that deposits were read from: blocks given up, signed anew in higher views",
            fork=fork, given_up=height, view=made.view, anchor=lost.number, waiting_again=back, refused=refused,
        )  # fmt: skip
        return recovered

    async def _patiently(self, height: int) -> tuple[int, bool]:
        """The last block that stands, and whether the open one does; an outage is waited out."""
        while True:
            try:
                block = self._sequencer.open_block
                stands = block is None or await is_settled(self._adapter, block.anchor)
                return await fork_height(self._store, self._adapter, height), stands
            except Unavailable as error:
                log.warning("settlement cannot be read; the chain waits for it", reason=str(error))
            await trio.sleep(self._poll_s)


def progress(height: int, last: int) -> None:
    if height % 100 == 0 or height == last:
        log.info("replaying", height=height, of=last)


async def _alone(stack: AsyncExitStack) -> Network:
    """A network of one."""
    hub = await stack.enter_async_context(open_memory_network())
    return hub.join("alone")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
