"""
The write barrier: the image of a page is saved before its first write under the current mark.

A page's mark tells under which mark it was saved last. `undo` gets the image for the transaction or savepoint,
`before` for the block, once a block. Records are 1,032 bytes: u32 program, u32 page, the image. Whoever stores to
state touches first.
"""

from __future__ import annotations

from execution.vm.core import copy, core, grow, i32, i64, load64, size, store32, store64, u64
from execution.vm.layout import HEAP_TOP, MAGIC, MAGIC_OFFSET, PAGE_BYTES
from execution.vm.runtime.words import (
    BEFORE,
    DIRTY_PAGE,
    MARKS,
    STATE,
    STATE_FULL,
    TOUCH_PAGE,
    UNDO,
    exhausted,
    g,
    reject,
)

RECORD_BYTES = 8 + PAGE_BYTES
WASM_PAGE_BYTES = 1 << 16
GROWTH_PAGES = 16  # 64 KiB pages a journal grows by


@core()
def charge(amount: i64) -> None:
    g.gas -= amount
    if g.gas < 0:
        raise exhausted()


@core()
def save(page: i64) -> None:
    """
    Journal the page. The journals grow physically as needed; that is not state.

    The copy is paid under every mark; hashing and storing by whoever is first in the block to write there.
    """
    charge(TOUCH_PAGE)
    if load64(MARKS, page * 8) < g.block_mark:
        charge(DIRTY_PAGE)
        if u64(g.before_top) + RECORD_BYTES > size(BEFORE) * WASM_PAGE_BYTES and grow(BEFORE, GROWTH_PAGES) < 0:
            raise reject(STATE_FULL)
        store32(BEFORE, g.before_top, g.self_index)
        store32(BEFORE, g.before_top + 4, page)
        copy(BEFORE, STATE, g.before_top + 8, page * PAGE_BYTES, PAGE_BYTES)
        g.before_top += RECORD_BYTES
    if u64(g.undo_top) + RECORD_BYTES > size(UNDO) * WASM_PAGE_BYTES and grow(UNDO, GROWTH_PAGES) < 0:
        raise reject(STATE_FULL)
    store32(UNDO, g.undo_top, g.self_index)
    store32(UNDO, g.undo_top + 4, page)
    copy(UNDO, STATE, g.undo_top + 8, page * PAGE_BYTES, PAGE_BYTES)
    g.undo_top += RECORD_BYTES
    store64(MARKS, page * 8, g.mark)


@core()
def touch(address: i64, count: i64) -> None:
    """Save the pages of `count` bytes (at least 1) at `address` that have not been saved under the current mark."""
    page = address >> 10
    last = (address + count - 1) >> 10
    while page <= last:
        if load64(MARKS, page * 8) < g.mark:
            save(page)
        page += 1


@core()
def restore(page: i32, source: i32) -> None:
    """Put a page's image back from the undo journal."""
    copy(STATE, UNDO, page * PAGE_BYTES, source, PAGE_BYTES)


@core()
def start(heap: i64) -> None:
    """Write page 0 of a new program; heap is the first byte behind its fields."""
    touch(0, PAGE_BYTES)
    store64(STATE, MAGIC_OFFSET, MAGIC)
    store64(STATE, HEAP_TOP, heap)
