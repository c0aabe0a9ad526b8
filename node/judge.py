"""
What a proposed block must satisfy beyond coming out as it says: time, validator set, deposits, deployments.

A validator asks this before it votes. What a quorum has vouched for is not asked again: settlement moves on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from execution.executor import Opening, ProgramInfo
from execution.forced import within_block
from execution.transition import opening_of
from genesis.chain import Block, Deployment, SignedTransaction
from genesis.crypto import ZERO_HASH
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from genesis.transaction import KINDS_WITH_SOURCE
from node.compiling import Compiler
from node.deployments import check as check_deployment
from node.deployments import prepare
from node.membership import Membership
from node.open_block import Anchor
from node.tip import Tip, gap_ms
from settlement.adapter import Head, SettlementAdapter


class Judge:
    """programs: what programs there are on the newest state. compiler: this node's."""

    def __init__(
        self,
        spec: ChainSpec,
        adapter: SettlementAdapter,
        membership: Membership,
        programs: Callable[[], Awaitable[Sequence[ProgramInfo]]],
        compiler: Compiler,
    ) -> None:
        self._spec, self._adapter, self._membership = spec, adapter, membership
        self._programs, self._compiler = programs, compiler

    async def check(self, block: Block, parent: Tip) -> None:
        """
        Raises:
            Invalid: "bad_time", "wrong_set", "bad_anchor", "unknown_block" (its anchor never was on settlement),
            "bad_inbox" or "bad_deployment": no vote for this block.
            Unavailable: settlement cannot be asked now.
        """
        header = block.header
        anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
        await self._check_set(block, parent)
        await self.check_opening(opening_of(block, ()), anchor, parent)
        await self._check_deployments(block)

    async def check_opening(self, opening: Opening, anchor: Anchor, parent: Tip) -> None:
        """What of a block is fixed before its first batch. Raises as `check`."""
        self._check_time(opening, parent)
        await self._check_deposits(opening, anchor, parent)

    async def _check_set(self, block: Block, parent: Tip) -> None:
        """It names the set that certifies it; consensus has seen to it that this is the one that votes now."""
        header = block.header
        rules = await self._membership.of(parent.anchor.number, header.anchor_number)
        if header.validators != rules.version:
            raise Invalid(f"Block {header.height} is certified by set {rules.version}.", "wrong_set")

    def _check_time(self, opening: Opening, parent: Tip) -> None:
        """How far ahead of the clock a block may be is looked at before, for that passes."""
        if opening.time_ms <= parent.time_ms:
            raise Invalid(f"Block {opening.height} is not later than its parent.", "bad_time")
        if opening.gap_ms != gap_ms(parent.time_ms, opening.time_ms, opening.height, self._spec):
            raise Invalid(f"Block {opening.height} states a wrong gap since its parent.", "bad_time")

    async def _check_deposits(self, opening: Opening, anchor: Anchor, parent: Tip) -> None:
        """The anchor is confirmed, not before the parent's, and the inbox is what settlement has up to it, in order."""
        height, inbox, before = opening.height, opening.inbox, parent.anchor
        gone_back = anchor.number == before.number and anchor.hash != before.hash != ZERO_HASH
        if anchor.number < before.number or gone_back:
            raise Invalid(f"Block {height} goes back on the settlement chain.", "bad_anchor")
        if anchor.count != before.count + len(inbox):
            raise Invalid(f"Block {height} miscounts its inbox entries.", "bad_inbox")
        confirmed = await self._adapter.head(self._spec.confirmation_blocks)
        if anchor != before:
            stands = await self._adapter.reorganisations(Head(anchor.number, anchor.hash)) is None
            if anchor.number > confirmed.settlement_height or not stands:
                raise Invalid(f"Block {height} rests on a settlement block that is not confirmed.", "bad_anchor")
            entries = await self._adapter.inbox(before.count, anchor.number)
            if inbox != tuple(within_block(entries, self._spec)):
                raise Invalid(f"Block {height} takes in other entries than settlement has.", "bad_inbox")
        await self._check_forced(opening, anchor, confirmed.settlement_height)

    async def _check_forced(self, opening: Opening, anchor: Anchor, confirmed: int) -> None:
        """Nothing that had room in the block has waited for longer than its window."""
        waiting = await self._adapter.inbox(anchor.count, confirmed)
        if len(within_block((*opening.inbox, *waiting[:1]), self._spec)) == len(opening.inbox):
            return
        if waiting[0].settlement_height + self._spec.forced_window_blocks <= confirmed:
            raise Invalid(f"Block {opening.height} leaves out what settlement forces into it.", "bad_inbox")

    async def _check_deployments(self, block: Block) -> None:
        """What a block records of a deployment is what its source compiles to here."""
        recorded = {one.transaction_id: one for one in block.body.deployments}
        if len(recorded) != len(block.body.deployments):
            raise Invalid(f"Block {block.header.height} records a deployment twice.", "bad_deployment")
        for batch in block.body.batches if recorded else ():
            for signed in await trio.to_thread.run_sync(batch.open):
                found = recorded.pop(signed.id, None)
                if found is not None and found != await self._compiled(signed):
                    raise Invalid(f"{found.name} compiles to something else here.", "bad_deployment")
        if recorded:
            raise Invalid(f"Block {block.header.height} records what nobody in it deploys.", "bad_deployment")

    async def _compiled(self, signed: SignedTransaction) -> Deployment:
        if signed.transaction.kind not in KINDS_WITH_SOURCE:
            raise Invalid("A transaction without source deploys nothing.", "bad_deployment")
        check_deployment(signed, self._spec)
        return await prepare(signed, self._spec, self._programs, self._compiler)
