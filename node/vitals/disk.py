"""How fast a node's folder grows, how long the disk lasts at that, and what of it nobody needs."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Sequence
from math import inf
from pathlib import Path

import trio

from node.store_swap import ASIDE

SAMPLE_S = 600.0
"""Between two looks; one walks over a few hundred files."""
SAMPLES_MAX = 145
"""A day of them."""
SAMPLES_MIN = 7
"""An hour: before that, what a start writes would be taken for growth."""
DAY_S = 86_400.0


class Disk:
    """used_bytes, damaged_bytes: of the folder, and of stores left aside by a repair, at the last look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damaged_bytes = 0
        self._seen: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)

    @property
    def used_bytes(self) -> int:
        return self._seen[-1][1] if self._seen else 0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            used, self.damaged_bytes = await trio.to_thread.run_sync(self._look)
            self._seen.append((trio.current_time(), used))
            await trio.sleep(SAMPLE_S)

    def _look(self) -> tuple[int, int]:
        return folder_bytes(self._folder), sum(map(folder_bytes, self._folder.glob(f"{ASIDE}*")))

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def days_left(self) -> float:
        return days_left(self._seen, self.free_bytes())


def days_left(seen: Sequence[tuple[float, int]], free_bytes: int) -> float:
    """
    Until nothing is free, at the growth between the first look and the last; infinite without growth, or with too few.

    Args:
        seen: of each look its time, seconds, and the bytes used.
    """
    if len(seen) < SAMPLES_MIN:
        return inf
    (first_s, first), (last_s, last) = seen[0], seen[-1]
    growth = (last - first) / (last_s - first_s) * DAY_S
    return free_bytes / growth if growth > 0 else inf


def folder_bytes(folder: Path) -> int:
    """Of all files below; one that goes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
