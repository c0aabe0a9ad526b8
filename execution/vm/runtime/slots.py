"""
Where containers keep entries and items: segments that never move, found by number through header and directory.

E is the size of an entry in bytes, at most a page; entries fill a page from its start and never cross one, so that
touching an entry is touching one page, and a proof of an entry shows one page.
"""

from __future__ import annotations

from execution.vm.core import Words, clz, core, i64, load32, load64, parameter, store32, store64, unroll
from execution.vm.layout import (
    COUNT,
    DIRECTORY,
    FIELDS,
    FREE_SLOTS,
    FRESH,
    FRESH_END,
    HEADER_BYTES,
    ITERATING,
    KEY,
    LIVE,
    LIVE_BYTES,
    NEXT,
    PAGE_BYTES,
    PAID_BYTES,
    SEGMENT,
    SEGMENTS,
    SEGMENTS_DIRECT,
)
from execution.vm.runtime.barrier import touch
from execution.vm.runtime.heap import SEGMENT_CLASS, allocate, release, zero
from execution.vm.runtime.words import CHANGED_WHILE_ITERATING, STATE, g, reject

E = parameter("E")
K = parameter("K")
DIRECT_PAGES = (1 << SEGMENTS_DIRECT) - 1  # pages in the first seven segments


@core()
def count_live(header: i64, change: i64) -> None:
    """Count entries in the header (touched before), their bytes in page 0 and with whoever pays for storage."""
    store64(STATE, header + COUNT, load64(STATE, header + COUNT) + change)
    touch(0, FIELDS)
    store32(STATE, LIVE_BYTES, load32(STATE, LIVE_BYTES) + change * E)
    if g.paying != 0 and g.self_index != 0:
        count_paid(change * E)


@core()
def count_paid(change: i64) -> None:
    """
    Owe the deposit of what was added, or what it gave back for what was deleted: at most what this program holds.

    What was deleted while nobody paid left its deposit behind; the next bytes added stand on that.
    """
    paid = load32(STATE, PAID_BYTES)
    if change > 0:
        bare = load32(STATE, LIVE_BYTES) - paid
        if bare < change:
            change = bare if bare > 0 else 0
    elif paid + change < 0:
        change = 0 - paid
    store32(STATE, PAID_BYTES, paid + change)
    g.owed += change


@core()
def segment_class(number: i64) -> i64:
    return number if number < SEGMENT_CLASS else SEGMENT_CLASS


@core()
def segment(header: i64, number: i64) -> i64:
    """Address of a segment the container holds."""
    if number < SEGMENTS_DIRECT:
        return load32(STATE, header + 4 * number + SEGMENT)
    further = number - SEGMENTS_DIRECT
    leaf = load32(STATE, load32(STATE, header + DIRECTORY) + 4 * (further >> 8))
    return load32(STATE, leaf + 4 * (further & 255))


@core()
def add_segment(header: i64) -> i64:
    """Allocate the next segment and enter it; the header was touched before."""
    number = load32(STATE, header + SEGMENTS)
    piece = allocate(segment_class(number))
    store32(STATE, header + SEGMENTS, number + 1)
    if number < SEGMENTS_DIRECT:
        store32(STATE, header + 4 * number + SEGMENT, piece)
        return piece
    further = number - SEGMENTS_DIRECT
    directory = load32(STATE, header + DIRECTORY)
    if directory == 0:
        directory = allocate(0)
        store32(STATE, header + DIRECTORY, directory)
    place = directory + 4 * (further >> 8)
    leaf = load32(STATE, place)
    if leaf == 0:
        leaf = allocate(0)
        touch(place, 4)
        store32(STATE, place, leaf)
    place = leaf + 4 * (further & 255)
    touch(place, 4)
    store32(STATE, place, piece)
    return piece


@core()
def new_slot(header: i64) -> i64:
    """A zeroed entry, touched; the header was touched before."""
    slot = load32(STATE, header + FREE_SLOTS)
    if slot:
        touch(slot, E)
        store32(STATE, header + FREE_SLOTS, load32(STATE, slot + NEXT))
        store32(STATE, slot + NEXT, 0)
        return slot
    slot = load32(STATE, header + FRESH)
    if slot == load32(STATE, header + FRESH_END):
        number = load32(STATE, header + SEGMENTS)
        slot = add_segment(header)
        store32(STATE, header + FRESH_END, slot + (PAGE_BYTES << segment_class(number)))
    after = slot + E
    if (after & (PAGE_BYTES - 1)) + E > PAGE_BYTES:
        after = (after + PAGE_BYTES - 1) & -PAGE_BYTES
    store32(STATE, header + FRESH, after)
    touch(slot, E)
    return slot


@core()
def free_slot(header: i64, slot: i64) -> None:
    """Zero an entry and keep it for the next one; the header was touched before."""
    zero(slot, E)
    store32(STATE, slot + NEXT, load32(STATE, header + FREE_SLOTS))
    store32(STATE, header + FREE_SLOTS, slot)


@core(key=K)
def new_entry(header: i64, key: Words) -> i64:
    """An entry with its key and nothing else, counted; the header was touched before."""
    entry = new_slot(header)
    store32(STATE, entry + LIVE, 1)
    for i in unroll(K):
        store64(STATE, entry + (KEY + 8 * i), key[i])
    count_live(header, 1)
    return entry


@core()
def drop_entry(header: i64, entry: i64) -> None:
    """Zero an entry that nothing leads to any more, and keep its slot; the header was touched before."""
    free_slot(header, entry)
    count_live(header, -1)


@core()
def page_number(page: i64) -> tuple[i64, i64]:
    """Segment number and page within it of the container's page-th page."""
    if page < DIRECT_PAGES:
        number = 63 - clz(page + 1)
        return number, page + 1 - (1 << number)
    return SEGMENTS_DIRECT + ((page - DIRECT_PAGES) >> SEGMENT_CLASS), (page - DIRECT_PAGES) & 63


@core()
def check_still(header: i64) -> None:
    """Reject "changed while iterating" when an iteration of the container is under way."""
    if load64(STATE, header + ITERATING):
        raise reject(CHANGED_WHILE_ITERATING)


@core()
def free_segments(header: i64) -> None:
    """Zero and release all segments and the directory; count the entries out; zero the header (touched before)."""
    count_live(header, 0 - load64(STATE, header + COUNT))
    held = load32(STATE, header + SEGMENTS)
    number = 0
    while number < held:
        piece = segment(header, number)
        zero(piece, PAGE_BYTES << segment_class(number))
        release(piece, segment_class(number))
        number += 1
    directory = load32(STATE, header + DIRECTORY)
    if directory:
        place = directory
        while load32(STATE, place):
            zero(load32(STATE, place), PAGE_BYTES)
            release(load32(STATE, place), 0)
            place += 4
        zero(directory, PAGE_BYTES)
        release(directory, 0)
    zero(header, HEADER_BYTES)
