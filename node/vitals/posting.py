"""How long the money for posting lasts: what whoever pays holds, at the fee that the settlement chain asks now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import trio

from genesis.chain import Commitment
from genesis.spec import ChainSpec
from node.recovery import stored_header
from node.store import Store
from node.watch.samples import Sample, sample
from settlement.adapter import COIN_UNIT, Poster, SettlementAdapter

MS = 1000


@dataclass(frozen=True, slots=True)
class Purse:
    """fee: of a commitment as large as the newest block's would be, raw 10⁻¹⁸ of the settlement chain's own coin."""

    poster: Poster
    fee: int

    def runway_s(self, spec: ChainSpec) -> float:
        """
        Until it is empty, if this node alone posts, a commitment for each span of a chain that never lags: not longer
        than it lasts in truth, at this fee.
        """
        return self.poster.balance // self.fee * spec.commitment_blocks * spec.block_time_ms / MS


async def purse(adapter: SettlementAdapter, store: Store) -> Purse | None:
    """None where posting costs nothing, where nobody posts, and before the first block. Raises Unavailable."""
    poster = await adapter.poster()
    size = await trio.to_thread.run_sync(_commitment_bytes, store) if poster else 0
    fee = await adapter.quote_fee(size) if size else 0
    return Purse(poster, fee) if poster and fee else None


def posting_samples(found: Purse | None, spec: ChainSpec) -> Iterator[Sample]:
    if found is not None:
        account = f"0x{found.poster.account.hex()}"
        yield sample("tenor_posting_balance", found.poster.balance / COIN_UNIT, poster=account)
        yield sample("tenor_posting_runway_seconds", found.runway_s(spec), poster=account)


def _commitment_bytes(store: Store) -> int:
    row = store.header(store.head() or 0)
    if row is None:
        return 0
    header, _, certificate = stored_header(row)
    return len(Commitment(header.height, header, certificate).encode())
