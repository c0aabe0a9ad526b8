"""
The engine's bench: orders per second on one core, everything included that a validator does for an order but
signatures.

Measured is wall time of three things: `apply` (packed transactions in, receipts and events out), `seal` after every
BLOCK_MS of work (all changed pages hashed, new root), and a checkpoint of all pages changed, written to a store on
disk, after CHECKPOINT_BLOCKS blocks and not in the background: the process keeps to one core, threads of the store
included. An order is one call with its own undo scope, its margin check at the end of it, its gas, events and result.
Packing happens ahead, beside the mempool in a node; it is told apart, as `host_share` of the time that both take.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from execution.executor import BatchResult
from execution.standard import standard_plan
from execution.vm.machine import Machine
from genesis.spec import genesis_hash
from node.bench.venue import BATCH_MAX, Venue, open_venue
from node.bench.workload import Tally, Workload
from node.store import Pages, Store

ACCOUNTS = 100_000
BLOCK_MS = 250
CHECKPOINT_BLOCKS = 20
BATCH_ORDERS = 4_096
CALLS = 32
"""Orders under one signature; the figure for one is told beside it."""
STACK_BYTES = 64 << 20


@dataclass(slots=True)
class Clock:
    """Seconds spent, by what for."""

    pack: float = 0.0
    root: float = 0.0
    store: float = 0.0
    batches: list[float] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)

    @property
    def apply(self) -> float:
        return sum(self.batches)

    @property
    def total(self) -> float:
        """Without packing."""
        return self.apply + self.root + self.store


def measure(
    calls: int, accounts: int = ACCOUNTS, blocks: int = CHECKPOINT_BLOCKS, block_ms: int = BLOCK_MS
) -> dict[str, Any]:
    """
    One run: a chain of its own, `blocks` blocks of block_ms of work each, one checkpoint.

    Returns:
        Figures by name; shares are of the time measured, host_share of that and the packing together.
    """
    venue = open_venue(Machine(standard_plan), accounts)
    workload = Workload(venue, calls)
    _rest(venue, workload)
    clock, tally = Clock(), Tally()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        _checkpoint(venue, path, None)
        since = venue.opening.height - 1
        gc.collect()
        gc.freeze()
        for _ in range(blocks):
            _block(venue, workload, clock, tally, block_ms / 1000)
        clock.store = _timed(lambda: _checkpoint(venue, path, since))
    return _report(clock, tally, accounts, calls, blocks)


def _rest(venue: Venue, workload: Workload) -> None:
    """Fill the books with every account's first orders."""
    quotes = workload.first_quotes()
    for at in range(0, len(quotes), BATCH_MAX):
        batch = quotes[at : at + BATCH_MAX]
        workload.learn(batch, venue.apply(batch), Tally())
    venue.seal()


def _block(venue: Venue, workload: Workload, clock: Clock, tally: Tally, seconds: float) -> None:
    worked = 0.0
    while worked < seconds:
        first = worked == 0.0 and venue.price_due()
        batch = (venue.reports() if first else []) + workload.transactions(BATCH_ORDERS // workload.calls)
        clock.pack += _timed(lambda: venue.executor.prepare(batch))
        results: list[BatchResult] = []
        spent = _timed(lambda: results.append(venue.apply(batch)))
        clock.batches.append(spent)
        worked += spent
        workload.learn(batch, results[0], tally)
    sealed = []
    clock.root += _timed(lambda: sealed.append(venue.seal()))
    clock.pages.append(sealed[0].dirty_pages)


def _checkpoint(venue: Venue, path: Path, since: int | None) -> None:
    """As the sequencer does it; closing the store waits for the work it does in threads of its own."""
    with Store(path, genesis_hash(venue.spec, bytes(32))) as store:
        pages = (Pages(c.program, c.first_page, c.pages) for c in venue.executor.export(since))
        store.put_checkpoint(venue.opening.height - 1, venue.executor.checkpoint_meta(), pages)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _report(clock: Clock, tally: Tally, accounts: int, calls: int, blocks: int) -> dict[str, Any]:
    return {
        "orders_per_s": round(tally.orders / clock.total),
        "takes_per_s": round(tally.taken / clock.total),
        "fill_share": round(tally.taken / tally.orders, 3),
        "gas_per_order": round(tally.gas / tally.orders),
        "apply_us": round(clock.apply / tally.orders * 1e6, 3),
        "root_share": round(clock.root / clock.total, 3),
        "store_share": round(clock.store / clock.total, 3),
        "host_share": round(clock.pack / (clock.pack + clock.total), 3),
        "batch_ms": round(statistics.median(clock.batches) * 1e3, 2),
        "pages_per_block": round(statistics.mean(clock.pages)),
        "orders": tally.orders,
        "cancelled": tally.cancelled,
        "rested": tally.rested,
        "late": tally.late,
        "refused": tally.refused,
        "reasons": sorted(tally.reasons),
        "events": tally.events,
        "accounts": accounts,
        "calls": calls,
        "blocks": blocks,
    }
