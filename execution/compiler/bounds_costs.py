"""
The most that container functions and services of the kernel charge beyond their place in the code: pages saved, slots
probed, words zeroed.

Counted from the core source of `vm/runtime` and `vm/kernel/services`: pages are those that one operation can touch at
all, each saved for undo and dirtied for the first time. A search is taken to look at no more than PROBES slots, which
holds for keys that nobody chose to collide; a tree to have no more than LEVELS levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from execution.vm.kernel.places import QUEUE_MAX
from execution.vm.layout import LINES_PER_PAGE, PAGE_BYTES, WORD_BYTES
from execution.vm.runtime.hash_map import BITS_MAX, NEAR_BITS
from execution.vm.runtime.hash_map import FAR_PROBES as BITS_PROBES
from execution.vm.runtime.item_list import FAR_PROBES as ITEM_PROBES
from execution.vm.runtime.ordered_nodes import LEVEL_PROBES

PROBES = 512
LEVELS = 8
PAGE_WORDS = PAGE_BYTES // WORD_BYTES
SEGMENT_PAGES = 5  # a segment, directory and leaf allocated, two entries written
ENTRY_PAGES = SEGMENT_PAGES + 2  # a new entry, and the one or the leaf beside it
MIGRATION_PAGES = 10  # slots of the old index, a place for each of eight, the old index freed
MIGRATION_PROBES = 8 * PROBES
ENLARGE_PAGES = 3


@dataclass(frozen=True, slots=True)
class Charge:
    """pages, probes, words zeroed, blocks hashed, calls of the kernel's own."""

    pages: int = 0
    probes: int = 0
    words: int = 0
    hashes: int = 0

    def __add__(self, other: Charge) -> Charge:
        return Charge(
            self.pages + other.pages, self.probes + other.probes, self.words + other.words, self.hashes + other.hashes
        )

    def gas(self, table: Mapping[str, int]) -> int:
        pages = self.pages * (LINES_PER_PAGE * table["touch_line"] + table["dirty_page"])
        hashes = self.hashes * table["sha256_block"]
        return pages + self.probes * table["probe"] + self.words * table["zero_word"] + hashes


FIND = Charge(probes=2 * (PROBES + (BITS_MAX - NEAR_BITS) * BITS_PROBES))
LEVEL = Charge(probes=LEVELS * LEVEL_PROBES)
PUT = FIND + Charge(pages=2 + MIGRATION_PAGES + ENTRY_PAGES + ENLARGE_PAGES, probes=MIGRATION_PROBES + 2 * PROBES)
DROP = FIND + Charge(pages=2 + 3 + 7 + MIGRATION_PAGES, probes=PROBES + MIGRATION_PROBES, words=PAGE_WORDS)
ORDERED_PUT = LEVEL + LEVEL + Charge(pages=3 + 2 * (LEVELS + 1) + ENTRY_PAGES + 1, words=(LEVELS + 1) * PAGE_WORDS)
ORDERED_DROP = LEVEL + Charge(pages=2 + 2 * LEVELS + 3, words=(2 * LEVELS + 3) * PAGE_WORDS)

PUT_OFF = PUT + ORDERED_PUT + Charge(pages=3)
QUEUE_PUSH = Charge(pages=5)

RUNTIME: Mapping[str, Charge] = {
    "map_find": FIND,
    "map_put": PUT,
    "map_drop": DROP,
    "omap_find": LEVEL,
    "omap_ceil": LEVEL,
    "omap_floor": LEVEL,
    "omap_after": LEVEL,
    "omap_before": LEVEL,
    "omap_lowest": LEVEL,
    "omap_highest": LEVEL,
    "omap_next": Charge(),
    "omap_previous": Charge(),
    "omap_put": ORDERED_PUT,
    "omap_drop": ORDERED_DROP,
    "list_at": Charge(probes=ITEM_PROBES),
    "list_push": Charge(pages=3 + SEGMENT_PAGES),
    "list_pop": Charge(pages=3, words=PAGE_WORDS),
    "queue_push": QUEUE_PUSH,
    "queue_next": Charge(),
    "queue_pop": Charge(pages=4, words=PAGE_WORDS),
}
"""By the first part of a runtime function's name; what is not here has no bound of its own."""

SERVICES: Mapping[str, Charge] = {
    "quote": FIND,
    "publish": PUT + PUT + Charge(pages=3),
    "subscribe": PUT + PUT + Charge(pages=1),
    "unsubscribe": FIND + DROP,
    "schedule": ORDERED_PUT + Charge(pages=3),
    "derive": Charge(hashes=1),
    "invariants": Charge(),
    "subscribe_cross": FIND + PUT + PUT + PUT + ORDERED_PUT + Charge(pages=6),
    "unsubscribe_cross": FIND + FIND + FIND + DROP + PUT + DROP + LEVEL + ORDERED_DROP + Charge(pages=4),
    "subscribe_fills": FIND + PUT + PUT_OFF + Charge(pages=1),
    "hears_fills": FIND + FIND,
    "report_fill": FIND + FIND + QUEUE_PUSH + PUT_OFF + Charge(pages=1),
    "resume": FIND + FIND + PUT_OFF + DROP + DROP + Charge(pages=1),
}

CREATION = PUT + Charge(pages=4, hashes=1)
"""Asking for a program: its entry in the queue, the creator's record, two counters, an address."""

AT_END = Charge(probes=QUEUE_MAX)
