"""
The write barrier: a line's image is saved before its first write under the current mark, its page's once a block.

State is undone in lines of 128 bytes, since most writes are a few words; it is hashed, stored and rolled back in pages
of eight. A line's mark tells under which mark it was saved last. Saving a page lifts all its lines to the block's mark,
so that any of them tells whether the page has been saved in this block; state is written under later marks only.
`undo` gets lines for the transaction or savepoint, `before` pages for the block. A record is u32 program, u32 line or
page, the image. Whoever stores to state touches first.
"""

from __future__ import annotations

from execution.vm.core import apart, copy, core, grow, i32, i64, load64, size, store32, store64, u64, unroll
from execution.vm.layout import (
    HEAP_TOP,
    LINE_BYTES,
    LINE_SHIFT,
    LINES_PER_PAGE,
    MAGIC,
    MAGIC_OFFSET,
    MARK_BYTES,
    PAGE_BYTES,
    PAGE_SHIFT,
)
from execution.vm.runtime.words import (
    BEFORE,
    DIRTY_PAGE,
    MARKS,
    STATE,
    STATE_FULL,
    TOUCH_LINE,
    UNDO,
    exhausted,
    g,
    reject,
)

LINE_RECORD_BYTES = 8 + LINE_BYTES
PAGE_RECORD_BYTES = 8 + PAGE_BYTES
WASM_PAGE_BYTES = 1 << 16
GROWTH_PAGES = 64  # 64 KiB pages a journal grows by: whole 2 MiB pages of the machine, which are quicker to find


@core()
def charge(amount: i64) -> None:
    g.gas -= amount
    if g.gas < 0:
        raise exhausted()


@apart()
def save_page(page: i64) -> None:
    """Journal the page for the block, and lift its lines to the block's mark. Its hashing and storing is paid here."""
    charge(DIRTY_PAGE)
    if u64(g.before_top) + PAGE_RECORD_BYTES > size(BEFORE) * WASM_PAGE_BYTES and grow(BEFORE, GROWTH_PAGES) < 0:
        raise reject(STATE_FULL)
    store32(BEFORE, g.before_top, g.self_index)
    store32(BEFORE, g.before_top + 4, page)
    copy(BEFORE, STATE, g.before_top + 8, page * PAGE_BYTES, PAGE_BYTES)
    g.before_top += PAGE_RECORD_BYTES
    for i in unroll(LINES_PER_PAGE):
        store64(MARKS, page * (LINES_PER_PAGE * MARK_BYTES) + MARK_BYTES * i, g.block_mark)


@core()
def is_full() -> i32:
    """Whether the undo journal has no room for another record."""
    return u64(g.undo_top) + LINE_RECORD_BYTES > size(UNDO) * WASM_PAGE_BYTES


@core()
def is_new(address: i64) -> i32:
    """Whether the page has not been saved in this block."""
    return load64(MARKS, (address >> LINE_SHIFT) * MARK_BYTES) < g.block_mark


@core()
def record(address: i64) -> None:
    """Journal the line at an address, for which there is room."""
    line = address >> LINE_SHIFT
    top = g.undo_top
    store32(UNDO, top, g.self_index)
    store32(UNDO, top + 4, line)
    copy(UNDO, STATE, top + 8, line * LINE_BYTES, LINE_BYTES)
    g.undo_top = top + LINE_RECORD_BYTES
    store64(MARKS, line * MARK_BYTES, g.mark)


@apart()
def save_seldom(address: i64) -> None:
    """As `save` when that takes more than a record: no gas is left, the page is new or the journal full."""
    if g.gas < 0:
        raise exhausted()
    if is_new(address):
        save_page(address >> PAGE_SHIFT)
    if is_full() and grow(UNDO, GROWTH_PAGES) < 0:
        raise reject(STATE_FULL)
    record(address)


@apart()
def save(address: i64) -> None:
    """
    Journal the line at an address, and its page when that is new to the block. Journals grow as needed; that is not
    state.
    """
    g.gas -= TOUCH_LINE
    if g.gas >= 0 and is_new(address) == 0 and is_full() == 0:
        record(address)
        return
    save_seldom(address)


@core()
def touch(address: i64, count: i64) -> None:
    """Save the lines of `count` bytes (at least 1) at `address` that have not been saved under the current mark."""
    line = address >> LINE_SHIFT
    last = (address + count - 1) >> LINE_SHIFT
    while line <= last:
        if load64(MARKS, line * MARK_BYTES) < g.mark:
            save(line << LINE_SHIFT)
        line += 1


@core()
def restore(line: i32, source: i32) -> None:
    """Put a line's image back from the undo journal."""
    copy(STATE, UNDO, line * LINE_BYTES, source, LINE_BYTES)


@core()
def start(heap: i64) -> None:
    """Write page 0 of a new program; heap is the first byte behind its fields."""
    touch(0, PAGE_BYTES)
    store64(STATE, MAGIC_OFFSET, MAGIC)
    store64(STATE, HEAP_TOP, heap)
