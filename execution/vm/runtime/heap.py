"""
The heap of a program's state: segments of 1 KiB · 2ⁿ, zeroed, never moved.

What is freed goes to a list of its size in page 0, linked through its first word. When a list is empty, segments up
to 64 KiB are cut from a freed larger block, else from the heap's top. Callers zero what they release. Top, lists and
blocks are state: undo brings them back; physical growth is not, and nothing else looks at it.
"""

from __future__ import annotations

from execution.vm.core import core, fill, grow, i64, load32, load64, shr_u, size, store32, store64
from execution.vm.layout import CARVE, FIELDS, FREE_BLOCKS, FREE_LISTS, HEAP_TOP, PAGE_BYTES, STATE_BYTES_MAX
from execution.vm.runtime.barrier import charge, touch
from execution.vm.runtime.words import STATE, STATE_FULL, ZERO_WORD, reject

SEGMENT_CLASS = 6  # 64 KiB
GROWTH_FROM = 1 << 20  # bytes of a memory from which on it grows ahead
GROWTH_PAGES = 64  # of 64 KiB, ahead
LARGE_PAGES = 32  # of 64 KiB in a 2 MiB page of the machine, which is quicker to find: what grows ahead ends with one
BLOCK_CLASS_MAX = 16  # 64 MiB
WASM_PAGE_BYTES = 1 << 16


@core()
def list_place(size_class: i64) -> i64:
    """Where in page 0 the list of freed pieces of a size class begins."""
    if size_class <= SEGMENT_CLASS:
        return FREE_LISTS + 8 * size_class
    return FREE_BLOCKS + 4 * (size_class - SEGMENT_CLASS - 1)


@core()
def take(size_class: i64) -> i64:
    """A freed piece of exactly this class, 0 when there is none."""
    place = list_place(size_class)
    piece = load32(STATE, place)
    if piece:
        touch(piece, 8)
        store32(STATE, place, load32(STATE, piece))
        store64(STATE, piece, 0)
    return piece


@core()
def carve(count: i64) -> i64:
    """`count` bytes of a freed larger block, 0 when there is none with room."""
    start = load32(STATE, CARVE)
    end = load32(STATE, CARVE + 4)
    if start == end:
        size_class = SEGMENT_CLASS + 1
        while size_class <= BLOCK_CLASS_MAX:
            start = take(size_class)
            if start:
                break
            size_class += 1
        if start == 0:
            return 0
        end = start + (PAGE_BYTES << size_class)
        store32(STATE, CARVE + 4, end)
        store32(STATE, CARVE, start)
    if end - start < count:
        return 0
    store32(STATE, CARVE, start + count)
    return start


@core()
def allocate(size_class: i64) -> i64:
    """A zeroed piece of 1 KiB << size_class (at most 17, 128 MiB); rejects "state full"."""
    touch(0, FIELDS)
    count = PAGE_BYTES << size_class
    if size_class <= BLOCK_CLASS_MAX:
        piece = take(size_class)
        if piece:
            return piece
    if size_class <= SEGMENT_CLASS:
        piece = carve(count)
        if piece:
            return piece
    top = load64(STATE, HEAP_TOP)
    end = top + count
    if end > STATE_BYTES_MAX:
        raise reject(STATE_FULL)
    present = size(STATE) * WASM_PAGE_BYTES
    if end > present:
        missing = shr_u(end - present + WASM_PAGE_BYTES - 1, 16)
        ahead = missing + GROWTH_PAGES - ((size(STATE) + missing) & (LARGE_PAGES - 1))
        if (present < GROWTH_FROM or grow(STATE, ahead) < 0) and grow(STATE, missing) < 0:
            raise reject(STATE_FULL)
    store64(STATE, HEAP_TOP, end)
    return top


@core()
def release(piece: i64, size_class: i64) -> None:
    """Give a zeroed piece back."""
    touch(0, FIELDS)
    if size_class > BLOCK_CLASS_MAX:
        release_one(piece + (PAGE_BYTES << BLOCK_CLASS_MAX), BLOCK_CLASS_MAX)
        release_one(piece, BLOCK_CLASS_MAX)
    else:
        release_one(piece, size_class)


@core()
def release_one(piece: i64, size_class: i64) -> None:
    place = list_place(size_class)
    touch(piece, 8)
    store64(STATE, piece, load32(STATE, place))
    store32(STATE, place, piece)


@core()
def zero(address: i64, count: i64) -> None:
    """Zero state, paid by the word."""
    if count > 0:
        charge(shr_u(count, 3) * ZERO_WORD)
        touch(address, count)
        fill(STATE, address, 0, count)
