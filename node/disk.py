"""
How the disk keeps up: how long syncs take, and whether this node should leave leading to others because of it.

A leader whose votes and blocks wait for a slow disk costs everybody's time; as a follower it costs nobody's.

Time in which the whole process stood still (it was stopped, or the machine slept) is not the disk's: a thread that
does nothing else notes the time again and again, and what is missing between is not counted.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from node.log import logger

SLOW_S = 1.0
"""A sync that takes longer is slow: half the shortest time-out of a view is gone."""
SLOW_FOR_S = 30.0
"""So long after a slow sync the disk is still taken for slow."""
BEAT_S = 0.1
"""How often the time is noted."""

log = logger("disk")


class SyncPace:
    """Synced writes, timed; from any thread. clock: seconds that only grow. All time counts while `run` does not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[int, float] = {}
        """By number, in time that the process ran."""
        self._beaten: tuple[float, float] | None = None
        """When the time was noted last, and how long the process had stood still by then, in all."""
        self._numbers = itertools.count()
        self._slow_until = self._last_slow_s = 0.0
        self.count = 0
        self.longest_s = 0.0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                self.beat()

        self.beat()
        task_status.started()
        try:
            await trio.to_thread.run_sync(beat, abandon_on_cancel=True)
        finally:
            ended.set()

    def beat(self) -> None:
        """The process runs. From one thread."""
        now_s = self._clock()
        self._beaten = now_s, self._stood_s(now_s)

    def _stood_s(self, now_s: float) -> float:
        """How long the process has stood still by now, in all."""
        if self._beaten is None:
            return 0.0
        beat_s, stood_s = self._beaten
        return stood_s + max(0.0, now_s - beat_s - 2 * BEAT_S)

    def _ran_s(self) -> float:
        now_s = self._clock()
        return now_s - self._stood_s(now_s)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Around one synced write."""
        number, begun = next(self._numbers), self._ran_s()
        self._begun[number] = begun
        try:
            yield
        finally:
            del self._begun[number]
            took_s = self._ran_s() - begun
            self.count += 1
            self.longest_s = max(self.longest_s, took_s)
            if took_s >= SLOW_S:
                self._last_slow_s, self._slow_until = took_s, self._clock() + SLOW_FOR_S
                log.warning("a sync of the disk was slow", seconds=round(took_s, 1))

    def burden(self) -> str:
        """What is wrong in words, "" when nothing is."""
        now, ran_s = self._clock(), self._ran_s()
        waits_s = ran_s - min(self._begun.values(), default=ran_s)
        if waits_s >= SLOW_S:
            return f"a sync of its disk has taken {waits_s:.1f} s so far"
        if now < self._slow_until:
            return f"its disk is slow: a sync took {self._last_slow_s:.1f} s"
        return ""
