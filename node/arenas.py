"""
glibc's allocator, told to share its arenas among threads.

By default each thread that allocates has an arena of its own, eight for each core. What one thread has freed serves no
other: LevelDB's write buffer, filled by whichever thread writes a block, came to lie in ten of them, each as large as
the most it had ever held.
"""

from __future__ import annotations

import ctypes

ARENAS_MAX = 2
"""Enough that threads seldom wait for each other: what runs Python does so one thread at a time."""
_M_ARENA_MAX = -8
"""Of malloc.h."""


def share() -> None:
    """Call before the first thread; where the C library has no such setting, nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS_MAX)
