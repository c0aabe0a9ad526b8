"""
Posts certified spans to the settlement chain, and follows them until they are final.

Where to continue is asked of the settlement chain, never remembered: after a crash nothing is skipped and nothing
doubled, for handing in the same commitment twice counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from genesis.chain import Commitment, Header, Stage, commitment_span
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.spec import ChainSpec
from node.inbox import is_settled
from node.log import logger
from node.open_block import Anchor
from node.recovery import stored_header
from node.store import Store
from settlement.adapter import SettlementAdapter

log = logger("batcher")


@dataclass(slots=True)
class Stages:
    """
    Heights up to which this node's blocks have come; settled ≥ posted ≥ final. settled: what settlement holds, where
    others may have posted blocks that this node does not have yet.
    """

    posted: int = 0
    final: int = 0
    settled: int = 0

    def of(self, height: int, sealed: int) -> Stage:
        """The stage of a block, `sealed` being the newest stored one."""
        if height <= self.final:
            return "final"
        if height <= self.posted:
            return "posted"
        return "certified" if height <= sealed else "executed"


class Batcher:
    """changed: called with (posted, final) whenever one of them grew."""

    def __init__(
        self,
        spec: ChainSpec,
        store: Store,
        adapter: SettlementAdapter,
        stages: Stages,
        changed: Callable[[Stages], None],
        poll_s: float,
        given_up: int = 0,
        alone: bool = True,
        posts: bool = True,
    ) -> None:
        """
        Args:
            given_up: the highest height that was ever rolled back; settlement may still hold it, waiting in vain.
            alone: whether nobody else posts.
            posts: whether this node hands in commitments, or only follows what others have handed in.
        """
        self._alone, self._given_up, self._posts = alone, given_up, posts
        self._too_little: int | None = None
        """What the poster held when it was last said to be too little; None while it may suffice."""
        self._spec, self._store, self._adapter = spec, store, adapter
        self.stages, self._changed, self._poll_s = stages, changed, poll_s

    def statistics(self) -> dict[str, int]:
        return {"posted": self.stages.posted, "final": self.stages.final}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Post and follow until cancelled; an outage, and a poster without money, are logged once and waited out."""
        task_status.started()
        reachable = True
        while True:
            try:
                if self._posts:
                    await self._post()
                await self._follow()
                reachable = True
            except Unavailable as error:
                if reachable:
                    log.warning("settlement cannot be reached; commitments wait", reason=str(error))
                reachable = False
            await trio.sleep(self._poll_s)

    async def _post(self) -> None:
        """Hand in every complete span that the settlement chain does not have."""
        while True:
            committed = await self._adapter.committed()
            first, last = commitment_span(committed.height + 1, self._spec.commitment_blocks)
            head = await trio.to_thread.run_sync(self._store.head)
            if committed.height > (head or 0):
                if not self._alone or await self._waits_in_vain(committed.height):
                    return  # other validators are ahead, and post
                raise Corrupt(
                    f"settlement holds block {committed.height}, this store ends at {head or 0}: restore the folder's "
                    "newest copy, or name this chain's settlement file."
                )
            if head is None or last > head:
                return
            row = await trio.to_thread.run_sync(self._store.header, last)
            assert row is not None, "a stored head implies its headers"
            header, _, certificate = stored_header(row)
            first = committed.height + 1
            try:
                await self._adapter.submit(Commitment(first, header, certificate))
            except Invalid as error:
                if error.code == "insufficient_balance":
                    await self._out_of_money(error)
                    return
                if error.code == "not_next" or await self._undecided(error, header, committed.height):
                    return  # the chain was reorganised since `committed`; asked again at the next poll
                raise Corrupt(
                    f"settlement refuses blocks {first} to {last}: {error} What was sealed since cannot be posted."
                ) from error
            log.info("posted", first=first, last=last)
            if self._too_little is not None and await self._held() != self._too_little:
                self._too_little = None

    async def _out_of_money(self, error: Invalid) -> None:
        """Say so once for each balance, however often it is tried; of a top-up that is too small it is said again."""
        held = await self._held()
        if held != self._too_little:
            log.warning(
                "no money to post with; commitments wait until there is some, others may post them meanwhile",
                reason=str(error), remedy="on `local`: tenor validator fund ACCOUNT N --coin",
            )  # fmt: skip
        self._too_little = held

    async def _held(self) -> int:
        poster = await self._adapter.poster()
        return poster.balance if poster else 0

    async def _undecided(self, error: Invalid, header: Header, committed: int) -> bool:
        """
        Whether a refusal will pass: the anchor went with settlement's blocks, and the inbox sees to that; or what waits
        there before this commitment is of blocks rolled back.
        """
        if error.code not in ("bad_anchor", "bad_inbox"):
            return False
        if not await is_settled(self._adapter, Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)):
            return True
        return await self._waits_in_vain(committed)

    async def _waits_in_vain(self, committed: int) -> bool:
        """Whether the last commitment there is of blocks given up here, and not taken in."""
        if not 0 < committed <= self._given_up:
            return False
        return await self._adapter.standing(committed) not in ("posted", "final")

    async def _follow(self) -> None:
        """Move the marks as far as the settlement chain allows, two of them no further than what is stored here."""
        before = (self.stages.posted, self.stages.final)
        committed = await self._adapter.committed()
        self.stages.settled = await self._reach(self.stages.final, committed.height, ("posted", "final"))
        head = await trio.to_thread.run_sync(self._store.head) or 0
        posted = min(self.stages.settled, head - head % self._spec.commitment_blocks)
        self.stages.final = await self._reach(self.stages.final, posted, ("final",))
        self.stages.posted = max(posted, self.stages.final)
        if (self.stages.posted, self.stages.final) != before:
            self._changed(self.stages)

    async def _reach(self, start: int, stop: int, standings: tuple[str, ...]) -> int:
        """
        The last height in (start, stop] up to which every span has one of the standings.

        Standings never rise with the height, so the border is searched by halving: few questions after a restart.
        """
        length = self._spec.commitment_blocks
        known, beyond = start // length, stop // length + 1
        while beyond - known > 1:
            middle = (known + beyond) // 2
            if await self._adapter.standing(middle * length) in standings:
                known = middle
            else:
                beyond = middle
        return known * length
