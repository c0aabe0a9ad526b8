"""
The core's numbers, gathered when the gateway asks for them (`frames.WATCH`).

What only the engine knows comes from its thread, and what posting costs from settlement; when one of them is busy for
longer than LOOK_S, or out of reach, what it said last stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import trio

from execution.executor import Executor, WaitingHooks
from genesis.chain import commitment_span
from genesis.errors import Invalid, Unavailable
from genesis.receipt import STATUSES
from genesis.spec import ChainSpec
from node.batcher import Stages
from node.catalogue import Catalogue
from node.consensus.reasons import WORDS, follows
from node.consensus.service import Consensus
from node.engine import EngineThread
from node.line import Line
from node.mempool import Mempool
from node.meters import Meters
from node.recovery import stored_header
from node.store import Store
from node.store_check import StoreCheck
from node.vitals.disk import Disk
from node.vitals.feeds import FeedTime, feed_times
from node.vitals.posting import Purse, posting_samples, purse
from node.watch.process import process_samples
from node.watch.samples import Sample, sample
from p2p.network import Statistics
from settlement.adapter import SettlementAdapter

LOOK_S = 1.0
MS = 1000


class Living(Protocol):
    """A node's life, as a validator or following. consensus: None of one that takes no part in it."""

    @property
    def line(self) -> Line: ...

    @property
    def consensus(self) -> Consensus | None: ...

    def network(self) -> Statistics: ...

    def lags(self) -> bool: ...


class Vitals:
    """`report` answers at any time while `run` runs."""

    def __init__(
        self,
        spec: ChainSpec,
        folder: Path,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        mempool: Mempool,
        stages: Stages,
        meters: Meters,
        life: Living,
        settlement_block_ms: int,
        check: StoreCheck,
        adapter: SettlementAdapter,
    ) -> None:
        self._spec, self._store, self._engine, self._executor = spec, store, engine, executor
        self._mempool, self._stages, self._meters, self._life = mempool, stages, meters, life
        self._settlement_block_ms, self._check, self._adapter = settlement_block_ms, check, adapter
        self._disk = Disk(folder)
        self._catalogue = Catalogue()
        self._seen = WaitingHooks(0, 0, 0), list[FeedTime]()
        self._purse: Purse | None = None
        self._asked, self._looked = trio.Event(), trio.Event()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._disk.run)
            task_status.started()
            while True:
                await self._asked.wait()
                self._asked = trio.Event()
                await self._look()
                self._looked.set()
                self._looked = trio.Event()

    async def report(self) -> list[Sample]:
        """Every number the core has."""
        looked = self._looked
        self._asked.set()
        with trio.move_on_after(LOOK_S):
            await looked.wait()
        gathered = [*self._chain(), *self._consensus(), *self._network(), *self._work(), *self._engine_told()]
        gathered += self._meters.sync.samples(self._life.lags())
        gathered += self._machine()
        gathered += posting_samples(self._purse, self._spec)
        return [*gathered, *await trio.to_thread.run_sync(lambda: list(self._settlement()))]

    async def _look(self) -> None:
        """Ask engine and settlement. A node that stops, or has too many reads waiting, has no answer."""
        with suppress(Unavailable):
            self._seen = await self._engine.read(self._see)
        with suppress(Unavailable):
            self._purse = await purse(self._adapter, self._store)

    def _see(self) -> tuple[WaitingHooks, list[FeedTime]]:
        """On the engine's thread. An oracle of another layout has no feeds that could be read."""
        self._catalogue.learn(self._executor.programs())
        oracle, abi = self._catalogue.genesis("oracle")
        try:
            feeds = feed_times(self._executor, oracle, abi, self._spec.gas_query_max)
        except Invalid:
            feeds = []
        return self._executor.waiting_hooks(), feeds

    def _chain(self) -> Iterator[Sample]:
        line = self._life.line
        heights = {
            "executed": line.newest().height,
            "certified": line.tip.height,
            "posted": self._stages.posted,
            "final": self._stages.final,
        }
        for stage, height in heights.items():
            yield sample("tenor_height", height, stage=stage)
        if line.tip.header is not None:
            yield sample("tenor_certificate_timestamp_seconds", line.tip.time_ms / MS)

    def _consensus(self) -> Iterator[Sample]:
        consensus = self._life.consensus
        why = {reason.word for reason in (consensus.reasons() if consensus else [follows()])}
        for word in WORDS:
            yield sample("tenor_not_voting", word in why, reason=word)
        if consensus is None:
            return
        standing = consensus.machine.standing()
        yield sample("tenor_view", standing.view)
        yield sample("tenor_leads", standing.leads)
        yield sample("tenor_leader", 1, validator=f"0x{standing.leader.hex()}")
        yield sample("tenor_votes_total", consensus.counters.voted)
        yield sample("tenor_failed_views", standing.failed_views)
        yield sample("tenor_evidence", consensus.statistics()["evidence"])
        spare = consensus.spare()
        if spare is not None:
            yield sample("tenor_peers_spare", spare)

    def _network(self) -> Iterator[Sample]:
        network = self._life.network()
        yield sample("tenor_peers", network.peers)
        yield sample("tenor_peers_banned", network.banned)
        yield sample("tenor_bans_total", network.bans)
        yield sample("tenor_offences_total", network.offences)
        yield sample("tenor_connections_refused_total", network.refused)
        yield sample("tenor_dial_failures_total", network.dial_failures)
        yield sample("tenor_network_bytes_total", network.bytes_sent, direction="sent")
        yield sample("tenor_network_bytes_total", network.bytes_received, direction="received")

    def _work(self) -> Iterator[Sample]:
        meters, pool = self._meters, self._mempool.statistics()
        yield sample("tenor_mempool_transactions", pool["transactions"])
        yield sample("tenor_mempool_bytes", pool["bytes"])
        for status in STATUSES:
            yield sample("tenor_transactions_total", meters.outcomes[status], status=status)
        yield sample("tenor_reverted_receipts_total", meters.reverted)
        yield sample("tenor_gas_total", meters.gas)
        yield sample("tenor_batch_seconds", meters.batch.told())
        yield sample("tenor_block_seconds", meters.block.told())
        yield sample("tenor_sync_seconds", self._store.syncs.told())
        yield sample("tenor_engine_jobs", self._engine.statistics()["waiting"])

    def _engine_told(self) -> Iterator[Sample]:
        hooks, feeds = self._seen
        yield sample("tenor_hooks_waiting", hooks.due, state="due")
        yield sample("tenor_hooks_waiting", hooks.put_off, state="put_off")
        yield sample("tenor_hooks_waiting", hooks.parked, state="parked")
        for feed in feeds:
            yield sample("tenor_oracle_timestamp_seconds", feed.time_ms / MS, feed=feed.name)
            yield sample("tenor_oracle_age_max_seconds", feed.age_ms_max / MS, feed=feed.name)

    def _machine(self) -> Iterator[Sample]:
        yield sample("tenor_disk_free_bytes", self._disk.free_bytes())
        yield sample("tenor_disk_used_bytes", self._disk.used_bytes)
        yield sample("tenor_disk_days_left", self._disk.days_left())
        yield sample("tenor_disk_damaged_bytes", self._disk.damaged_bytes)
        yield sample("tenor_disk_slow", bool(self._store.pace.burden()))
        yield sample("tenor_store_checked_timestamp_seconds", self._check.checked_s)
        yield from process_samples("core")

    def _settlement(self) -> Iterator[Sample]:
        """Reads the store."""
        yield sample("tenor_settlement_block_seconds", self._settlement_block_ms / MS)
        _, last = commitment_span(self._stages.settled + 1, self._spec.commitment_blocks)
        row = self._store.header(last)
        if row is not None:
            yield sample("tenor_unposted_timestamp_seconds", stored_header(row)[0].time_ms / MS)
