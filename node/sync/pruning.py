"""
Forgets old blocks in the background, within the bounds that the operator chose; by default it keeps all.

Never what is still needed: to come back from the checkpoint, to post or go back as long as settlement has not made it
final, and by peers a little behind. What is pruned is gone for readers at once; its room is freed block by block, in
small writes beside the node's own.
"""

from __future__ import annotations

import trio

from genesis.header import commitment_span
from genesis.spec import ChainSpec
from node.batcher import Stages
from node.config import SyncConfig
from node.log import logger
from node.open_block import decode_results
from node.store import Store

PEERS_BLOCKS = 256
"""Newest blocks kept whatever the bounds: peers that were away for a minute ask for them."""
GLANCE_S = 2.0
PAUSE_S = 0.002
"""Between two blocks that are swept."""
MIB = 1 << 20

log = logger("pruning")


class Pruner:
    def __init__(self, spec: ChainSpec, store: Store, config: SyncConfig, stages: Stages) -> None:
        self._spec, self._store, self._config, self._stages = spec, store, config, stages
        self._swept = 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Raises Corrupt."""
        task_status.started()
        while True:
            await trio.to_thread.run_sync(self._prune)
            swept = 0
            while await trio.to_thread.run_sync(self._sweep):
                swept += 1
                await trio.sleep(PAUSE_S)
            if swept:
                await trio.to_thread.run_sync(self._store.compact_pruned)
                self._swept += swept
                log.info("pruned", blocks=swept, first=self._store.first())
            await trio.sleep(GLANCE_S)

    def statistics(self) -> dict[str, int]:
        return {"swept": self._swept, "first": self._store.first()}

    def floor(self) -> int:
        """The lowest height that has to stay."""
        head, checkpoint = self._store.head() or 0, (self._store.checkpoint() or (0, b""))[0]
        spec = self._spec
        needed = (
            checkpoint + 1 - spec.deployment_delay_blocks,
            self._stages.final + 1,
            head + 1 - PEERS_BLOCKS,
            max(self._floor_by_blocks(head), self._floor_by_size(head)),
        )
        return commitment_span(max(1, min(needed)), spec.commitment_blocks)[0]

    def _prune(self) -> None:
        self._store.prune(self.floor())

    def _floor_by_blocks(self, head: int) -> int:
        return head + 1 - self._config.keep_blocks if self._config.keep_blocks else 1

    def _floor_by_size(self, head: int) -> int:
        """The lowest height from which on blocks are not more than their bound; sizes never fall going down."""
        first, bound = self._store.first(), self._config.keep_mib * MIB
        if not bound or self._store.size(first, head) <= bound:
            return 1
        low, high = first, head
        while low < high:
            middle = (low + high) // 2
            if self._store.size(middle, head) <= bound:
                high = middle
            else:
                low = middle + 1
        return low

    def _sweep(self) -> bool:
        """Whether there was a pruned block to remove."""
        row = self._store.pruned()
        if row is not None:
            receipts = decode_results(row.receipts).receipts
            self._store.sweep(row.height, [receipt.transaction for receipt in receipts])
        return row is not None
