"""
How the disk keeps up: how long syncs take, and whether this node should leave leading to others because of it.

A leader whose votes and blocks wait for a slow disk costs everybody's time; as a follower it costs nobody's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from node.log import logger

SLOW_S = 1.0
"""A sync that takes longer is slow: half the shortest time-out of a view is gone."""
SLOW_FOR_S = 30.0
"""So long after a slow sync the disk is still taken for slow."""

log = logger("disk")


class SyncPace:
    """Synced writes, timed; from any thread. clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[int, float] = {}
        self._number = 0
        self._slow_until = self._last_slow_s = 0.0
        self.count = 0
        self.longest_s = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Around one synced write."""
        self._number = number = self._number + 1
        self._begun[number] = begun = self._clock()
        try:
            yield
        finally:
            del self._begun[number]
            took_s = self._clock() - begun
            self.count += 1
            self.longest_s = max(self.longest_s, took_s)
            if took_s >= SLOW_S:
                self._last_slow_s, self._slow_until = took_s, self._clock() + SLOW_FOR_S
                log.warning("a sync of the disk was slow", seconds=round(took_s, 1))

    def burden(self) -> str:
        """What is wrong in words, "" when nothing is."""
        now = self._clock()
        waits_s = now - min(self._begun.values(), default=now)
        if waits_s >= SLOW_S:
            return f"a sync of its disk has taken {waits_s:.1f} s so far"
        if now < self._slow_until:
            return f"its disk is slow: a sync took {self._last_slow_s:.1f} s"
        return ""
