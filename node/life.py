"""
The chain's life in this node: inbox, batcher and sequencer side by side, until asked to stop; and when settlement takes
back a block that the chain stands on, an end and a new beginning from where it still stands.

Gateway, service and mempool live through it: clients see receipts become "reverted" and blocks come again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import trio

from execution.executor import BatchResult, Executor
from genesis.chain import Block, Certificate, Receipt
from genesis.errors import Corrupt, Unavailable
from genesis.spec import ChainSpec
from node.batcher import Batcher, Stages
from node.config import SequencerConfig
from node.consensus.doors import Signer
from node.consensus.service import Consensus
from node.consensus.words import rules_of
from node.engine import EngineThread
from node.forwarder import Forwarder
from node.heritage import Heritage, NoHeirs
from node.inbox import Inbox, is_settled
from node.judge import Judge
from node.ledger import ChainLedger
from node.line import Line
from node.log import logger
from node.membership import Membership
from node.mempool import Mempool
from node.open_block import OpenBlock, decode_logged
from node.recovery import Recovered
from node.reorganisation import collect, fork_height, rollbacks, state_at, truncate
from node.sequencer import Sequencer
from node.service import Service
from node.store import Store
from node.tip import Tip
from node.waiting_again import put_back
from p2p.memory import open_memory_network
from p2p.network import Network, Peer
from settlement.adapter import SettlementAdapter

DRAIN_S = 5.0
"""How long a node that stops waits for the others to certify what it has proposed."""

log = logger("life")


@dataclass(frozen=True, slots=True)
class Place:
    """A node's place among validators: the network, and the others in it by their addresses."""

    network: Network
    peers: Mapping[bytes, Peer]


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
        place: Place | None = None,
    ) -> None:
        """place: none on a chain of one."""
        self._network = place.network if place else None
        self._peers = place.peers if place else {}
        self._spec, self._config, self._signer, self._store = spec, config, signer, store
        self._engine, self._executor, self._adapter = engine, executor, adapter
        self._mempool, self._service, self._stages = mempool, service, stages
        self._poll_s, self._genesis_root = poll_s, genesis_root
        self._membership = Membership.of(spec, store)
        self._stopped = self._told = False

    def stop(self) -> None:
        """Seal the open block, then return from run."""
        self._stopped = True
        self._sequencer.stop()

    async def begin(self, recovered: Recovered, version: int | None = None) -> None:
        """
        Take the chain up where recovery, going back, or handing over left it.

        Args:
            version: of the validator set that certifies the next block; None: that of the block that was open.
        """
        spec, before = self._spec, rollbacks(self._store)
        alone = self._network is None
        sets = self._membership
        members = self._set = sets.sets[version] if version is not None else sets.at(self._open_anchor(recovered.tip))
        if version is None:
            self._inbox = Inbox(self._adapter, spec, recovered.tip.anchor, self._poll_s, sets)
        self._batcher = Batcher(
            spec, self._store, self._adapter, self._stages, self._service.staged, self._poll_s,
            max((one.height for one in before), default=0),
        )  # fmt: skip
        self._line = line = Line(
            spec, self._config.checkpoint_blocks, self._store, self._engine, self._executor, self, recovered.tip,
            recovered.checkpoint,
        )  # fmt: skip
        judge = Judge(spec, self._adapter, partial(self._engine.run, self._executor.programs))
        self._heritage = (
            Heritage(spec, self._signer.address, self._network, self._peers, judge, _now_ms)
            if self._network is not None
            else NoHeirs()
        )
        self._sequencer = Sequencer(
            spec, self._config, self._signer, line, self._store, self._engine, self._executor, self._mempool,
            self._inbox, self, members.version, alone, heirs=self._heritage,
        )  # fmt: skip
        view_floor = max((one.view for one in before), default=0)
        self._ledger = ChainLedger(
            rules_of(spec, members), line, self._sequencer, self._store, self._mempool, judge, view_floor
        )
        await self._service.attach(line)
        if self._stopped:
            self._sequencer.stop()

    def _open_anchor(self, tip: Tip) -> int:
        """The anchor of the block that was open when an earlier life ended, else of the newest stored one."""
        rows = self._store.batches(tip.height + 1)
        anchor = decode_logged(rows[0]).anchor if rows else None
        return (anchor or tip.anchor).number

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
                    rules_of(self._spec, self._set), self._signer, network, self._peers, self._ledger, _now_ms,
                    self._spec.time_ahead_ms_max, recalls=not self._told,
                )  # fmt: skip
                self._forwarder = Forwarder(
                    self._mempool, network, self._leader, self._service.run_here, self._heritage.orphans
                )  # fmt: skip
                self._service.forwarder, self._service.consensus = self._forwarder, self._consensus
                self._consensus.moved = self._forwarder.wake
                await nursery.start(self._consensus.run)
                await nursery.start(self._forwarder.run)
                nursery.start_soon(self._halt_when_lost, self._inbox, self._sequencer)
                nursery.start_soon(self._tell_opened, task_status)
                await self._sequencer.run()
                await self._drain()
                nursery.cancel_scope.cancel()
            if self._stopped:
                return
            if self._sequencer.next_set is not None:
                await self.begin(self._after_hand_over(), self._sequencer.next_set)
            else:
                await self.begin(await self._go_back())

    def _leader(self) -> Peer | None:
        """Who leads now, unless it is this node."""
        return self._peers.get(self._consensus.machine.standing().leader)

    async def _tell_opened(self, task_status: trio.TaskStatus[None]) -> None:
        """A validator alone leads at once, and what it had answered is there again when its first block is open."""
        if self._network is None:
            await self._sequencer.opened.wait()
        if not self._told:
            self._told = True
            task_status.started()

    async def _drain(self) -> None:
        """Let what was proposed become certified, if that can still be."""
        with trio.move_on_after(DRAIN_S):
            while self._line.above():
                await self._line.grown.wait()
            await self._line.written()

    def _after_hand_over(self) -> Recovered:
        """Another validator set certifies the next block, of which nothing has run."""
        checkpoint = self._store.checkpoint()
        return Recovered(self._line.tip, 0, checkpoint[0] if checkpoint else None)

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
        await self._service.executed(open_block, receipts, result)

    async def sealed(self, block: Block, certificate: Certificate, open_block: OpenBlock) -> None:
        self._inbox.forget(block.header.inbox_count)
        self._heritage.certified(block)
        self._forwarder.certified(receipt.transaction for receipt in open_block.receipts)
        await self._service.sealed(block, certificate, open_block)

    async def reopened(self, open_block: OpenBlock) -> None:
        await self._service.reopened(open_block)

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
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
