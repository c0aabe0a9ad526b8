"""
What a node counts on its way, for whoever watches it: plain numbers, read when somebody asks.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from execution.executor import BatchResult
from genesis.chain import Receipt
from node.sync_meter import SyncMeter
from node.watch.metrics import BOUNDS_S


class Histogram:
    """
    Durations by bucket.

    Observed by one thread at a time; of two at once one may be lost, which no graph shows.
    """

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        self._counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self._sum_s += duration_s

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Observe how long the block inside takes, if it comes to its end."""
        begun = time.perf_counter()
        yield
        self.observe(time.perf_counter() - begun)

    def told(self) -> tuple[list[int], float]:
        """Observations in each bucket, the one above all bounds last; and the sum of all, seconds."""
        return list(self._counts), self._sum_s


@dataclass(slots=True)
class Meters:
    """
    Since the node started.

    batch, block: time to execute one; a block of another validator, or all batches of an own one and its seal.
    outcomes: transactions executed here, by the status of their receipt. reverted: receipts taken back.
    """

    batch: Histogram = field(default_factory=Histogram)
    block: Histogram = field(default_factory=Histogram)
    outcomes: Counter[str] = field(default_factory=Counter)
    sync: SyncMeter = field(default_factory=SyncMeter)
    reverted: int = 0
    gas: int = 0

    def executed(self, receipts: Sequence[Receipt], result: BatchResult) -> None:
        self.outcomes.update(receipt.status for receipt in receipts)
        self.gas += result.gas_used
