"""
A map grown beyond 2²⁰ entries never saves more than eight pages in an insert, and stays complete; of a list beyond
16 MiB nothing stays.
"""

from __future__ import annotations

import struct

from execution.vm.core import Memory, core, i64, load32, load64, mul_fold, store64
from execution.vm.layout import COUNT, DIRECTORY, FIELDS, KEY, LINE_SHIFT, PAGE_BYTES, PAGE_SHIFT
from execution.vm.runtime.barrier import LINE_RECORD_BYTES
from execution.vm.runtime.hash_map import map_drop, map_find, map_put
from execution.vm.runtime.item_list import list_free, list_push
from execution.vm.runtime.words import STATE, UNDO, g
from tests.vm.rig import Wasm

DATA = Memory("data")
put, find, drop = (function.bind(K=3, E=56) for function in (map_put, map_find, map_drop))
push, free = (function.bind(E=PAGE_BYTES) for function in (list_push, list_free))
ITEMS = 3 * 256 * 64  # three pages of addresses of segments of 64 items
ENTRIES = (1 << 20) + 5_000
PAGES_MAX = 8


@core()
def pages_saved() -> i64:
    """How many pages the lines in the undo journal lie in."""
    count = 0
    record = 4
    while record < i64(g.undo_top):
        page = load32(UNDO, record) >> (PAGE_SHIFT - LINE_SHIFT)
        earlier = 4
        while earlier < record and load32(UNDO, earlier) >> (PAGE_SHIFT - LINE_SHIFT) != page:
            earlier += LINE_RECORD_BYTES
        if earlier == record:
            count += 1
        record += LINE_RECORD_BYTES
    return count


@core()
def grow_map(header: i64, start: i64, end: i64) -> i64:
    """Insert keys, each under a mark of its own; the most pages that one saved, all counted by number in `data`."""
    most = 0
    for i in range(start, end):
        g.mark += 1
        g.undo_top = 0
        entry = put(header, mul_fold(i + 77, 0x9E3779B97F4A7C15), i, 0)
        store64(STATE, entry + (KEY + 24), i)
        pages = pages_saved()
        store64(DATA, pages * 8, load64(DATA, pages * 8) + 1)
        if pages > most:
            most = pages
    return most


@core()
def count_found(header: i64, start: i64, end: i64) -> i64:
    """How many of the keys are there with their value."""
    found = 0
    for i in range(start, end):
        entry = find(header, mul_fold(i + 77, 0x9E3779B97F4A7C15), i, 0)
        if entry != 0 and load64(STATE, entry + (KEY + 24)) == i:
            found += 1
    return found


@core()
def shrink_map(header: i64, start: i64, end: i64) -> i64:
    """Delete keys, each under a mark of its own; the most pages that one saved."""
    most = 0
    for i in range(start, end):
        g.mark += 1
        g.undo_top = 0
        drop(header, mul_fold(i + 77, 0x9E3779B97F4A7C15), i, 0)
        pages = pages_saved()
        if pages > most:
            most = pages
    return most


def test_no_insert_saves_more_than_eight_pages() -> None:
    rig = Wasm(["start"], [grow_map, count_found, shrink_map])
    rig.call("start", 1024)
    most = rig.call("grow_map", FIELDS, 0, ENTRIES)
    counted = struct.unpack("<16q", rig.read("data", 0, 128))
    assert sum(counted) == ENTRIES and most <= PAGES_MAX, counted
    assert rig.call("count_found", FIELDS, 0, ENTRIES) == ENTRIES
    assert rig.call("count_found", FIELDS, ENTRIES, ENTRIES + 1_000) == 0
    assert rig.call("shrink_map", FIELDS, 0, 50_000) <= PAGES_MAX
    assert rig.call("count_found", FIELDS, 0, ENTRIES) == ENTRIES - 50_000
    assert struct.unpack("<q", rig.read("state", FIELDS + COUNT, FIELDS + COUNT + 8)) == (ENTRIES - 50_000,)


@core()
def push_items(header: i64, count: i64) -> None:
    for i in range(count):
        g.mark += 1
        g.undo_top = 0
        place = push(header)
        store64(STATE, place, i + 1)


@core()
def free_items(header: i64) -> None:
    free(header)


def test_a_list_of_many_segments_leaves_zeros_behind() -> None:
    """But for the first word of each piece, which links it to the next one that is free."""
    rig = Wasm(["start"], [push_items, free_items])
    rig.call("start", 1024)
    rig.call("push_items", FIELDS, ITEMS)
    (directory,) = struct.unpack("<I", rig.read("state", FIELDS + DIRECTORY, FIELDS + DIRECTORY + 4))
    pages = [page for page in struct.unpack("<256I", rig.read("state", directory, directory + PAGE_BYTES)) if page]
    assert len(pages) == 3
    firsts = [struct.unpack("<2I", rig.read("state", page, page + 8)) for page in pages]
    assert all(all(pair) for pair in firsts)
    rig.call("free_items", FIELDS)
    for page in (directory, *pages, *(segment for pair in firsts for segment in pair)):
        assert not any(rig.read("state", page + 8, page + PAGE_BYTES)), page
