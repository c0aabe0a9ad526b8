"""Bounds of hooks, the same for the kernel and under CPython."""

from __future__ import annotations

BACKOFF_MAX = 256  # batches between two runs of a hook that keeps failing
BACKOFF_TRIES = 9  # failures after which it is reached

CROSSINGS_MAX = 1 << 20  # levels waited for, of all programs together
CROSSINGS_PROGRAM_MAX = 1 << 16
CROSSED_MAX = 4096  # levels and crossings looked at in one batch
CROSSED_TURN_MAX = 256  # of one feed before the next has its turn

FILLS_WAITING_MAX = 1024  # of one program at one venue
