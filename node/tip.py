"""Where a chain stands after a block, and what the next one needs to know of those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genesis import chain
from genesis.chain import Deployment, Header, Withdrawal
from genesis.errors import Corrupt
from genesis.spec import ChainSpec
from node.open_block import Anchor


@dataclass(frozen=True, slots=True)
class Tip:
    """header: of the block, None before the first. hash: its hash, or the genesis hash."""

    header: Header | None
    hash: bytes
    time_ms: int
    anchor: Anchor
    span_withdrawals: list[Withdrawal]
    waiting_deployments: dict[int, tuple[Deployment, ...]]

    @property
    def height(self) -> int:
        return self.header.height if self.header else 0


def span_withdrawals(tip: Tip, height: int, spec: ChainSpec, burnt: Sequence[Withdrawal]) -> list[Withdrawal]:
    """All withdrawals of the commitment span that `height` is in, up to and with `burnt`, those of its own block."""
    first, _ = chain.commitment_span(height, spec.commitment_blocks)
    return [*([] if height == first else tip.span_withdrawals), *burnt]


def advance(tip: Tip, block: chain.Block, withdrawals: list[Withdrawal], spec: ChainSpec) -> Tip:
    """The tip after `block`. Raises Corrupt when it does not follow."""
    header = block.header
    if header.parent != tip.hash:
        raise Corrupt(f"block {header.height} names another parent than the block before it")
    if tip.header is not None and header.view <= tip.header.view:
        raise Corrupt(f"block {header.height} is of view {header.view}, which is not above its parent's")
    waiting = {height: items for height, items in tip.waiting_deployments.items() if height > header.height}
    if block.body.deployments:
        waiting[header.height + spec.deployment_delay_blocks] = block.body.deployments
    anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
    return Tip(header, header.hash(), header.time_ms, anchor, withdrawals, waiting)


def gap_ms(before_ms: int, time_ms: int, height: int, spec: ChainSpec) -> int:
    """What a header says of an outage before it: the time since its parent, if longer than a working chain's."""
    return time_ms - before_ms if height > 1 and time_ms - before_ms > spec.outage_ms else 0
