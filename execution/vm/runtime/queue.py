"""
Queue: items of E bytes in pages of 1 KiB that are linked through their first word; pages are given back as it drains.

FIRST and LAST of the header are the addresses of the first and the last item, 0 when it is empty; an empty queue is a
zeroed header and nothing else. One operation changes at most five pages: header, page 0, the page left, the page
entered, the one behind it in the heap's list.
"""

from __future__ import annotations

from execution.vm.core import core, i64, load32, load64, parameter, store32, store64
from execution.vm.layout import COUNT, FIRST, HEADER_BYTES, LAST, PAGE_BYTES, SEGMENTS
from execution.vm.runtime.barrier import touch
from execution.vm.runtime.heap import allocate, release, zero
from execution.vm.runtime.slots import check_still, count_live
from execution.vm.runtime.words import EMPTY, STATE, reject

E = parameter("E")
LINK_BYTES = 8


@core()
def page_ends(place: i64) -> i64:
    """1 when no item fits its page behind this one."""
    if (place & (PAGE_BYTES - 1)) + 2 * E > PAGE_BYTES:
        return 1
    return 0


@core()
def queue_push(header: i64) -> i64:
    """A zeroed item at the end, touched."""
    touch(header, HEADER_BYTES)
    last = load64(STATE, header + LAST)
    place = last + E
    if last == 0:
        place = allocate(0) + LINK_BYTES
        store64(STATE, header + FIRST, place)
        store32(STATE, header + SEGMENTS, 1)
    elif page_ends(last):
        page = allocate(0)
        touch(last & -PAGE_BYTES, LINK_BYTES)
        store64(STATE, last & -PAGE_BYTES, page)
        place = page + LINK_BYTES
        store32(STATE, header + SEGMENTS, load32(STATE, header + SEGMENTS) + 1)
    store64(STATE, header + LAST, place)
    touch(place, E)
    count_live(header, 1)
    return place


@core()
def queue_next(header: i64, place: i64) -> i64:
    """Address of the item behind this one, 0 behind the last."""
    if place == load64(STATE, header + LAST):
        return 0
    if page_ends(place):
        return load32(STATE, place & -PAGE_BYTES) + LINK_BYTES
    return place + E


@core()
def queue_pop(header: i64) -> i64:
    """Take the first item off and zero it; its address. A page without items goes back to the heap."""
    place = load64(STATE, header + FIRST)
    if place == 0:
        raise reject(EMPTY)
    touch(header, HEADER_BYTES)
    following = queue_next(header, place)
    zero(place, E)
    page = place & -PAGE_BYTES
    store64(STATE, header + FIRST, following)
    if following == 0:
        store64(STATE, header + LAST, 0)
    if (following & -PAGE_BYTES) != page:
        touch(page, LINK_BYTES)
        store64(STATE, page, 0)
        release(page, 0)
        store32(STATE, header + SEGMENTS, load32(STATE, header + SEGMENTS) - 1)
    count_live(header, -1)
    return place


@core()
def queue_free(header: i64) -> None:
    """Give everything back: the queue is empty."""
    check_still(header)
    touch(header, HEADER_BYTES)
    count_live(header, 0 - load64(STATE, header + COUNT))
    page = load64(STATE, header + FIRST) & -PAGE_BYTES
    while page:
        following = load32(STATE, page)
        zero(page, PAGE_BYTES)
        release(page, 0)
        page = following
    zero(header, HEADER_BYTES)
