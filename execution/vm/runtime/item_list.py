"""List: items of E bytes in a row, found by index; the address of an item is the start of its value."""

from __future__ import annotations

from execution.vm.core import core, div_u, i64, load32, load64, parameter
from execution.vm.layout import COUNT, HEADER_BYTES, PAGE_BYTES, SEGMENTS
from execution.vm.runtime.barrier import charge, touch
from execution.vm.runtime.heap import zero
from execution.vm.runtime.slots import add_segment, check_still, count_live, free_segments, page_number, segment
from execution.vm.runtime.words import EMPTY, INDEX_OUT_OF_RANGE, PROBE, STATE, reject

E = parameter("E")
FAR_PAGES = 1024  # of items: from a mebibyte on, what is read mostly comes from memory
FAR_PROBES = 20  # what that costs more


@core()
def item(header: i64, index: i64) -> i64:
    """Address of an item whose segment is there."""
    page = div_u(index, PAGE_BYTES // E)
    number, within = page_number(page)
    return segment(header, number) + within * PAGE_BYTES + (index - page * (PAGE_BYTES // E)) * E


@core()
def list_at(header: i64, index: i64) -> i64:
    if index < 0 or index >= load64(STATE, header + COUNT):
        raise reject(INDEX_OUT_OF_RANGE)
    if index >= FAR_PAGES * (PAGE_BYTES // E):
        charge(FAR_PROBES * PROBE)
    return item(header, index)


@core()
def list_push(header: i64) -> i64:
    """A zeroed item at the end, touched."""
    touch(header, HEADER_BYTES)
    count = load64(STATE, header + COUNT)
    number, _within = page_number(div_u(count, PAGE_BYTES // E))
    if number >= load32(STATE, header + SEGMENTS):
        add_segment(header)
    place = item(header, count)
    touch(place, E)
    count_live(header, 1)
    return place


@core()
def list_pop(header: i64) -> i64:
    """Take the last item off and zero it; its address. Containers in it were freed before."""
    count = load64(STATE, header + COUNT)
    if count == 0:
        raise reject(EMPTY)
    touch(header, HEADER_BYTES)
    place = item(header, count - 1)
    zero(place, E)
    count_live(header, -1)
    return place


@core()
def list_free(header: i64) -> None:
    """Give everything back: the list is empty."""
    check_still(header)
    touch(header, HEADER_BYTES)
    free_segments(header)
