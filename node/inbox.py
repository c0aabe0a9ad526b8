"""
What settlement hands down, deposits and forced transactions, on its way in: follows the settlement chain at
confirmation depth and holds what the next block may take.

The sequencer never waits for the settlement chain: `take` gives the newest anchor seen and the entries up to it. When
settlement takes back a block that was an anchor already, `lost` is set and nothing is given any more.
"""

from __future__ import annotations

import trio

from execution.forced import within_block
from genesis.chain import InboxEntry
from genesis.crypto import ZERO_HASH
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.spec import ChainSpec
from node.log import logger
from node.membership import Membership
from node.open_block import Anchor
from settlement.adapter import Head, SettlementAdapter

ENTRIES_WAITING_MAX = 4_096

log = logger("inbox")


class Inbox:
    """after: the newest anchor of the chain, its open block included, when this node starts."""

    def __init__(
        self, adapter: SettlementAdapter, spec: ChainSpec, after: Anchor, poll_s: float, membership: Membership
    ) -> None:
        self._adapter, self._spec, self._poll_s, self._membership = adapter, spec, poll_s, membership
        self._seen: Anchor | None = None
        self.watched = after
        self._entries: list[InboxEntry] = []
        self._full = False
        self._next = after.count
        self.lost = trio.Event()

    def statistics(self) -> dict[str, int]:
        return {"waiting": len(self._entries), "next": self._next}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Poll until cancelled or an anchor is lost; an outage is logged once and waited out.

        Raises:
            Corrupt: the settlement chain never had the chain's anchor.
        """
        task_status.started()
        reachable = True
        while not self.lost.is_set():
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
        if self._seen is None or self._seen.number < after.number or self.lost.is_set():
            return after, ()
        ready = within_block([entry for entry in self._entries if entry.index >= after.count], self._spec)
        return Anchor(self._seen.number, self._seen.hash, after.count + len(ready)), tuple(ready)

    def forget(self, count: int) -> None:
        """Stored blocks have consumed so many entries over the chain's life; what falls before is given again."""
        self._entries = [entry for entry in self._entries if entry.index >= count]

    def validators(self, parent: Anchor, anchor: Anchor) -> int:
        """Version of the set that certifies a block, by its parent's anchor and its own."""
        return self._membership.certifying(parent.number, anchor.number).version

    async def _read(self) -> None:
        head = await self._adapter.head(self._spec.confirmation_blocks)
        if self._seen == Anchor(head.settlement_height, head.hash, self._next) and not self._full:
            return  # nothing is asked of a chain that stands still
        await self._membership.learn(head.settlement_height, anew=self._seen is None)
        self._full = len(self._entries) >= ENTRIES_WAITING_MAX
        found = () if self._full else await self._adapter.inbox(self._next, head.settlement_height)
        if not await is_settled(self._adapter, self.watched):  # asked last: what was read is of the chain it is on
            self.lost.set()
            return
        self._entries.extend(found)
        self._next += len(found)
        self._seen = self.watched = Anchor(head.settlement_height, head.hash, self._next)


async def is_settled(adapter: SettlementAdapter, anchor: Anchor) -> bool:
    """
    Whether the anchor is a block of the settlement chain as it is now.

    Raises:
        Corrupt: it never was one. Unavailable.
    """
    if anchor.hash == ZERO_HASH:
        return True
    try:
        return await adapter.reorganisations(Head(anchor.number, anchor.hash)) is None
    except Invalid as error:
        raise Corrupt(
            f"The settlement chain never had block {anchor.number}, from which deposits were credited here: {error} "
            "Name the settlement chain that this folder's chain is settled on."
        ) from error
