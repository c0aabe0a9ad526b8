"""
Python's cyclic garbage collector, tuned for a process that lives long and allocates much that dies young.

By default it runs every 700 allocations and now and then walks every object there is, tens of milliseconds in which
nothing is answered. What a started node holds is set aside once; of the rest little is cyclic, so it runs rarely.
"""

from __future__ import annotations

import gc

ALLOCATIONS = 50_000
"""Net new objects between two runs over the young ones."""
YOUNG_RUNS = 20


def settle() -> None:
    """Call when all that stays has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, YOUNG_RUNS, YOUNG_RUNS)
