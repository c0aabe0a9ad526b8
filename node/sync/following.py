"""
The life of a node that only follows: it takes certified blocks from validators' nodes, runs and keeps them, and answers
for its chain. It holds no validator's key, proposes nothing and votes for nothing; clients' transactions go on to the
validators (`sending`).

Fetching, running and storing overlap: ranges are checked ahead, and while a block runs those before it are written,
several in one synced write when they come quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import trio

from execution.executor import BatchResult, Executor
from genesis.chain import Block, Certificate, Receipt, check_certificate
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.spec import ChainSpec
from node.batcher import Batcher, Stages
from node.config import SequencerConfig
from node.consensus import reasons, wire
from node.consensus.doors import Certified
from node.consensus.ranges import WINDOW_BLOCKS, Fetched, Ranges
from node.consensus.words import Quorum
from node.engine import EngineThread
from node.faults.keeping import Capture, keep_fault
from node.ledger import certified_blocks
from node.life import NEWS_S, Place
from node.line import Line
from node.log import logger
from node.membership import Membership
from node.meters import Meters
from node.open_block import OpenBlock
from node.recovery import Recovered
from node.service import Service
from node.store import Store
from node.sync.sending import Sending
from p2p.network import Offence, Peer, Statistics
from settlement.adapter import SettlementAdapter

POLLS_A_BLOCK = 4
"""How often validators are asked for the next block."""
UNSTORED_MAX = 16
"""Blocks run and not written yet."""
REACH_GROWTH = 4
REACH_BLOCKS_MAX = 1 << 20

log = logger("following")


class Following:
    """Has the face of `Life`: `begin` before the node serves, then `run`."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        adapter: SettlementAdapter,
        service: Service,
        stages: Stages,
        poll_s: float,
        place: Place,
        meters: Meters,
        capture: Capture,
    ) -> None:
        self._meters, self._capture = meters, capture
        self._spec, self._config, self._store, self._engine, self._executor = spec, config, store, engine, executor
        self._adapter, self._service, self._poll_s, self._place = adapter, service, poll_s, place
        self._validators = place.peers
        self._membership = Membership.stored(spec, adapter, store, 0)
        self._ranges = Ranges(
            place.network, self._check, lambda block: self._line.prepare(block), _on_thread, meters.sync
        )
        self._batcher = Batcher(spec, store, adapter, stages, service.staged, poll_s, posts=False)
        self._sending = Sending(place.network, self._leaders)
        self._stop = trio.Event()
        self._turn, self._reach = 0, WINDOW_BLOCKS
        self._to_store, self._storing = trio.open_memory_channel[Certified](UNSTORED_MAX)

    @property
    def line(self) -> Line:
        return self._line

    @property
    def consensus(self) -> None:
        """It takes no part in it."""

    @property
    def peers(self) -> Mapping[bytes, Peer]:
        return self._validators

    def lags(self) -> bool:
        return self._reach > WINDOW_BLOCKS or self._ranges.pruned

    def network(self) -> Statistics:
        return self._place.network.statistics()

    def stop(self) -> None:
        """Take no transactions any more, store what has been run, then return from run."""
        self._service.leave()
        self._stop.set()

    async def begin(self, recovered: Recovered) -> None:
        self._line = Line(
            self._spec, self._config.checkpoint_blocks, self._store, self._engine, self._executor, self, recovered.tip,
            recovered.checkpoint, self._meters,
        )  # fmt: skip
        self._membership.read = max(self._membership.read, recovered.tip.anchor.number)
        self._service.following, self._service.intake.forwarder = self, self._sending
        await self._service.attach(self._line)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Until `stop`.

        Raises:
            Corrupt: the disk failed, or a certified block comes out differently here or stands on another chain.
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self._line.run)
            await nursery.start(self._batcher.run)
            nursery.start_soon(self._learn_sets)
            nursery.start_soon(self._meet)
            nursery.start_soon(self._sending.run)
            self._place.network.serve(wire.RANGE, self._answer_range)
            task_status.started()
            async with trio.open_nursery() as working:
                working.start_soon(self._store_blocks)
                async with self._to_store:
                    await self._follow()
            await self._line.written()
            nursery.cancel_scope.cancel()

    def view(self) -> dict[str, Any]:
        """As `Consensus.view`; leader is None before the first block."""
        connected = set(self._place.network.peers())
        stakes = self._membership.sets[-1].stakes
        members = [
            {"address": address, "stake": stake, "connected": self._validators.get(address) in connected}
            for address, stake in stakes.items()
        ]
        header, follows = self._line.tip.header, reasons.follows()
        return {
            "validator": None,
            "votes": False,
            "why": follows.why,
            "remedy": follows.remedy,
            "view": header.view if header else 0,
            "leader": header.proposer if header else None,
            "waits_for": "the next certified block",
            "failed_views": 0,
            "certified_height": self._line.tip.height,
            "validators": members,
            "evidence": [],
            "counters": {"lies": self._ranges.lies, "forwarded": self._sending.forwarded},
        }

    # Blocks

    async def _follow(self) -> None:
        """Ask for the next blocks again and again: for one window while level, for many while behind."""
        while not self._stop.is_set():
            first, reach = self._line.newest().height + 1, self._reach
            await self._ranges.fetch(self._peers(), first, first + reach - 1, self._take)
            came = self._line.newest().height + 1 - first
            self._reach = min(REACH_BLOCKS_MAX, reach * REACH_GROWTH) if came == reach else WINDOW_BLOCKS
            if came < WINDOW_BLOCKS:
                with trio.move_on_after(self._spec.block_time_ms / 1000 / POLLS_A_BLOCK):
                    await self._stop.wait()

    def _peers(self) -> Sequence[Peer]:
        """Validators' nodes that are connected, each first in its turn."""
        connected = set(self._place.network.peers())
        peers = [peer for peer in self._validators.values() if peer in connected]
        self._turn += 1
        at = self._turn % len(peers) if peers else 0
        return peers[at:] + peers[:at]

    def _leaders(self) -> Sequence[Peer]:
        """Validators' nodes that are connected, in the order in which they lead from the newest block on."""
        connected = set(self._place.network.peers())
        addresses, header = sorted(self._membership.sets[-1].stakes), self._line.tip.header
        at = addresses.index(header.proposer) if header and header.proposer in addresses else 0
        peers = [self._validators.get(address) for address in (*addresses[at:], *addresses[:at])]
        return [peer for peer in peers if peer in connected]

    async def _take(self, fetched: Fetched) -> bool:
        one = fetched.certified
        header = one.block.header
        if header.parent != self._line.newest().hash:
            raise Corrupt(
                f"certified block {header.height} does not follow block {header.height - 1} here: validators have gone "
                "back behind it. Move the data folder away and start again; the node takes a snapshot."
            )
        certifies = self._membership.certifying(self._line.newest().anchor.number, header.anchor_number)
        if header.validators != certifies.version:
            self._place.network.report(fetched.peer, Offence.FORGED)
            log.error("a block is certified by another set than its parent names", height=header.height)
            return False
        async with self._line.turn:
            if await self._line.execute(one.block) is None:
                quorum = Quorum.of_certificate(one.certificate)
                kept = await keep_fault(self._line, self._capture, self._store.path.parent, one.block, quorum)
                raise Corrupt(
                    f"block {header.height}, which a quorum certified, came out differently here; `tenor node diff "
                    f"{kept}` tells field and likely cause. Start again where that is mended."
                )
            self._line.decide(header.hash())
        await self._to_store.send(one)
        return not self._stop.is_set()

    async def _store_blocks(self) -> None:
        """Write what has been run, all that waits in one write."""
        async for first in self._storing:
            blocks = [first]
            while self._storing.statistics().current_buffer_used:
                blocks.append(self._storing.receive_nowait())
            pairs = [(one.block.hash(), one.certificate) for one in blocks]
            await self._line.store(pairs, (), blocks[-1].block.header.view)

    async def _answer_range(self, peer: Peer, payload: bytes) -> bytes:
        """For those who follow this node."""
        first, last = wire.decode_range(payload)
        last = min(last, first + WINDOW_BLOCKS - 1)
        read = partial(certified_blocks, self._store, first, last, wire.RANGE_BYTES_MAX)
        return wire.encode_certified(await trio.to_thread.run_sync(read))

    def _check(self, one: Certified) -> None:
        """On a thread. Raises Invalid, or Unavailable where the set is not known here yet."""
        header, certificate = one.block.header, one.certificate
        rules = self._membership.named(header.validators, header.anchor_number)
        if certificate.validators != rules.version:
            raise Invalid(f"Block {header.height} is not certified by the set it names.", "wrong_set")
        check_certificate(certificate, rules.chain, rules.stakes)

    async def _learn_sets(self) -> None:
        """Validator sets as settlement tells them; an outage is waited out with those known."""
        while True:
            try:
                head = await self._adapter.head(self._spec.confirmation_blocks)
                await self._membership.learn(head.settlement_height)
            except Unavailable as error:
                log.info("settlement cannot be read; validators as known", reason=str(error))
            await trio.sleep(self._poll_s)

    async def _meet(self) -> None:
        """Validators of sets to come are asked, too, once the file of peers names their nodes."""
        while True:
            news = await self._place.news()
            if news is not None:
                self._validators = news
            await trio.sleep(NEWS_S)

    # What the line tells

    async def executed(self, open_block: OpenBlock, receipts: Sequence[Receipt], result: BatchResult) -> None:
        self._meters.executed(receipts, result)
        await self._service.executed(open_block, receipts, result)

    async def sealed(self, block: Block, certificate: Certificate, open_block: OpenBlock) -> None:
        await self._service.sealed(block, certificate, open_block)

    async def reopened(self, open_block: OpenBlock) -> None:
        raise AssertionError("who follows opens no block")

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
        await self._service.reverted(receipts)


async def _on_thread(work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
    return await trio.to_thread.run_sync(work)
