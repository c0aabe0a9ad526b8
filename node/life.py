"""
The chain's life in this node: inbox, batcher and sequencer side by side, until asked to stop; and when settlement takes
back a block that the chain stands on, an end and a new beginning from where it still stands.

Gateway, service and mempool live through it: clients see receipts become "reverted" and blocks come again.
"""

from __future__ import annotations

import time

import trio

from execution.executor import Executor
from genesis.errors import Unavailable
from genesis.spec import ChainSpec
from node.batcher import Batcher, Stages
from node.config import SequencerConfig
from node.engine import EngineThread
from node.inbox import Inbox, is_settled
from node.log import logger
from node.membership import Membership
from node.mempool import Mempool
from node.open_block import Anchor
from node.recovery import Recovered
from node.reorganisation import collect, fork_height, put_back, rollbacks, state_at, truncate
from node.sequencer import Sequencer
from node.service import Service
from node.store import Store
from settlement.adapter import SettlementAdapter

log = logger("life")


class Life:
    """`begin` before the node serves, then `run`."""

    def __init__(
        self,
        spec: ChainSpec,
        config: SequencerConfig,
        key: bytes,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        adapter: SettlementAdapter,
        mempool: Mempool,
        service: Service,
        stages: Stages,
        poll_s: float,
        genesis_root: bytes,
    ) -> None:
        self._spec, self._config, self._key, self._store = spec, config, key, store
        self._engine, self._executor, self._adapter = engine, executor, adapter
        self._mempool, self._service, self._stages = mempool, service, stages
        self._poll_s, self._genesis_root = poll_s, genesis_root
        self._membership = Membership.of(spec, store)
        self._stopped = False

    def stop(self) -> None:
        """Seal the open block, then return from run."""
        self._stopped = True
        self._sequencer.stop()

    async def begin(self, recovered: Recovered) -> None:
        """Take the chain up where recovery, or going back, left it."""
        before = rollbacks(self._store)
        standing = recovered.open_block or recovered.tip
        self._inbox = Inbox(self._adapter, self._spec, standing.anchor, self._poll_s, self._membership)
        self._batcher = Batcher(
            self._spec, self._store, self._adapter, self._stages, self._service.staged, self._poll_s,
            max((one.height for one in before), default=0),
        )  # fmt: skip
        self._sequencer = Sequencer(
            self._spec, self._config, self._key, self._store, self._engine, self._executor, self._mempool, self._inbox,
            self._service, recovered.tip, recovered.open_block, recovered.checkpoint,
            view_floor=max((one.view for one in before), default=0),
        )  # fmt: skip
        await self._sequencer.resume()
        await self._service.attach(self._sequencer)
        if self._stopped:
            self._sequencer.stop()

    async def run(self) -> None:
        """
        Until `stop`.

        Raises:
            Corrupt: disk or engine failed, or settlement took back what cannot be given up.
        """
        while True:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._inbox.run)
                await nursery.start(self._batcher.run)
                nursery.start_soon(self._halt_when_lost, self._inbox, self._sequencer)
                await self._sequencer.run()
                nursery.cancel_scope.cancel()
            if self._stopped:
                return
            await self.begin(await self._go_back(self._inbox.watched))

    async def _halt_when_lost(self, inbox: Inbox, sequencer: Sequencer) -> None:
        await inbox.lost.wait()
        sequencer.halt()

    async def _go_back(self, lost: Anchor) -> Recovered:
        """Give up what stands on the lost anchor; nothing runs meanwhile but reads."""
        sequencer = self._sequencer
        height = sequencer.tip.header.height if sequencer.tip.header else 0
        fork, open_stands = await self._patiently(height)
        if fork == height and open_stands:
            checkpoint = self._store.checkpoint()
            return Recovered(sequencer.tip, sequencer.open_block, 0, checkpoint[0] if checkpoint else None)
        given_up = await trio.to_thread.run_sync(collect, self._store, fork, sequencer.open_block)
        made = await trio.to_thread.run_sync(truncate, self._store, fork, lost, given_up, _now_ms())
        recovered = await self._engine.run(
            state_at, self._spec, self._store, self._executor, self._genesis_root, fork, progress
        )
        back, refused = await put_back(self._mempool, self._engine, self._executor, given_up, _now_ms())
        self._stages.posted = min(self._stages.posted, fork)
        self._service.rolled_back(fork + 1, height, given_up.receipts)
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
