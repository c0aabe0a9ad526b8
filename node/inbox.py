"""
Deposits on their way in: follows the settlement chain at confirmation depth and holds what the next block may take.

The sequencer never waits for the settlement chain: `take` gives the newest anchor seen and the entries up to it.
"""

from __future__ import annotations

import trio

from genesis.chain import InboxEntry
from genesis.errors import Unavailable
from genesis.spec import ChainSpec
from node.log import logger
from node.open_block import Anchor
from settlement.adapter import SettlementAdapter

ENTRIES_WAITING_MAX = 4_096

log = logger("inbox")


class Inbox:
    """`count`: inbox entries the chain has consumed when this node starts."""

    def __init__(self, adapter: SettlementAdapter, spec: ChainSpec, count: int, poll_s: float) -> None:
        self._adapter, self._spec, self._poll_s = adapter, spec, poll_s
        self._seen: Anchor | None = None
        self._entries: list[InboxEntry] = []
        self._next = count

    def statistics(self) -> dict[str, int]:
        return {"waiting": len(self._entries), "next": self._next}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Poll until cancelled; an outage is logged once and waited out."""
        task_status.started()
        reachable = True
        while True:
            try:
                await self._read()
                reachable = True
            except Unavailable as error:
                if reachable:
                    log.warning("settlement cannot be read; deposits wait", reason=str(error))
                reachable = False
            await trio.sleep(self._poll_s)

    def take(self, after: Anchor) -> tuple[Anchor, tuple[InboxEntry, ...]]:
        """The newest confirmed settlement block and the entries behind `after.count`; never waits."""
        if self._seen is None or self._seen.number < after.number:
            return after, ()
        ready = [entry for entry in self._entries if entry.index >= after.count][: self._spec.inbox_block_max]
        self._entries = [entry for entry in self._entries if entry.index >= after.count + len(ready)]
        return Anchor(self._seen.number, self._seen.hash, after.count + len(ready)), tuple(ready)

    async def _read(self) -> None:
        head = await self._adapter.head(self._spec.confirmation_blocks)
        if len(self._entries) < ENTRIES_WAITING_MAX:
            found = await self._adapter.deposits(self._next, head.settlement_height)
            self._entries.extend(found)
            self._next += len(found)
        self._seen = Anchor(head.settlement_height, head.hash, self._next)
