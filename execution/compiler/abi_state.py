"""
A program's memory as plain data: what differential tests compare, and what people look at.

Map → list of (key, value) in insertion order, OrderedMap → the same in key order, List and Queue → list, record →
tuple of its members; flat values as in `abi_values`. Reads memory only, through links and segments as the runtime lays
them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.abi_values import read
from execution.compiler.layout import member_offsets, shape, storage_bytes
from execution.vm.layout import (
    COUNT,
    DIRECTORY,
    FIRST,
    KEY,
    LAST,
    NEXT,
    NODE_AFTER,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
    PAGE_BYTES,
    SEGMENT,
    SEGMENTS_DIRECT,
    TABLE,
    WORD_BYTES,
    node_capacity,
)
from genesis.errors import Corrupt

Plain = Any
Reader = Callable[[int, int], bytes]  # (address, bytes) → bytes of state
DIRECT_PAGES = (1 << SEGMENTS_DIRECT) - 1  # pages in the first seven segments
SEGMENT_PAGES = 64  # of every further segment


def decode_state(abi: Abi, memory: bytes | Reader) -> dict[str, Plain]:
    """
    Every field of a program, by name.

    Args:
        memory: the state up to the heap top, or a function that reads it.

    Raises:
        Invalid: bytes that are no image of their type. Corrupt: links that lead nowhere.
    """
    reader = memory if callable(memory) else _reader(bytes(memory))
    return {name: decode(of, reader, address) for name, of, address in abi.fields}


def _reader(memory: bytes) -> Reader:
    def reader(address: int, size: int) -> bytes:
        if address + size > len(memory):
            raise Corrupt(f"state address {address} lies beyond the heap top {len(memory)}")
        return memory[address : address + size]

    return reader


def decode(of: t.Type, reader: Reader, address: int) -> Plain:
    """The value of a type at an address of state."""
    match of:
        case t.MapType():
            return _entries(of, reader, address)
        case t.QueueType(item):
            return [decode(item, reader, place) for place in queue_places(of, reader, address)]
        case t.ListType(item):
            return [decode(item, reader, place) for place in item_places(of, reader, address)]
        case t.RecordType(_, fields):
            offsets = member_offsets(fields)
            return tuple(decode(kind, reader, address + offsets[name]) for name, kind in fields)
        case _:
            return read(of, reader(address, storage_bytes(of)))


def _number(reader: Reader, address: int, size: int = WORD_BYTES) -> int:
    return int.from_bytes(reader(address, size), "little")


def _entries(of: t.MapType, reader: Reader, header: int) -> list[tuple[Plain, Plain]]:
    return [
        (entry_key(of, reader, entry), decode(of.value, reader, entry + shape(of).value_offset))
        for entry in entry_places(of, reader, header)
    ]


def entry_key(of: t.MapType, reader: Reader, entry: int) -> Plain:
    """The key of the entry at a state address."""
    return read(of.key, reader(entry + KEY, storage_bytes(of.key)))


def entry_places(of: t.MapType, reader: Reader, header: int) -> Iterator[int]:
    """State addresses of a map's entries, in its order. Raises Corrupt when there are more or fewer than it counts."""
    count = _number(reader, header + COUNT)
    seen = 0
    for entry in _ordered(of, reader, header) if of.ordered else _linked(reader, header):
        if seen == count:
            raise Corrupt(f"the {of} at {header} has more than its {count} entries")
        seen += 1
        yield entry
    if seen != count:
        raise Corrupt(f"the {of} at {header} counts {count} entries and leads to {seen}")


def _linked(reader: Reader, header: int) -> Iterator[int]:
    """State addresses of a map's entries, the first entered first."""
    entry = _number(reader, header + FIRST)
    while entry:
        yield entry
        entry = _number(reader, entry + NEXT, 4)


def _ordered(of: t.MapType, reader: Reader, header: int) -> Iterator[int]:
    """State addresses of an ordered map's entries in the order of their keys: leaf by leaf."""
    addresses = NODE_KEYS + WORD_BYTES * shape(of).key_words * node_capacity(shape(of).key_words)
    node = _number(reader, header + TABLE, 4)
    while node and _number(reader, node + NODE_LEVEL, 4):
        node = _number(reader, node + addresses, 4)
    while node:
        for i in range(_number(reader, node + NODE_COUNT, 4)):
            yield _number(reader, node + addresses + 4 * i, 4)
        node = _number(reader, node + NODE_AFTER, 4)


def queue_places(of: t.QueueType, reader: Reader, header: int) -> Iterator[int]:
    """State addresses of a queue's items, the first first: pages linked by their first word, items behind it."""
    size, left = shape(of).entry_bytes, _number(reader, header + COUNT)
    place, last = _number(reader, header + FIRST), _number(reader, header + LAST)
    for _ in range(left):
        if not place:
            raise Corrupt(f"the {of} at {header} counts {left} items and links fewer")
        yield place
        page = place - place % PAGE_BYTES
        if place == last:
            place = 0
        elif place + 2 * size > page + PAGE_BYTES:
            place = _number(reader, page) + WORD_BYTES
        else:
            place += size


def item_places(of: t.ListType, reader: Reader, header: int) -> Iterator[int]:
    """State addresses of a list's items."""
    return (item_place(of, reader, header, index) for index in range(_number(reader, header + COUNT)))


def item_place(of: t.ListType, reader: Reader, header: int, index: int) -> int:
    """State address of a list's item: items never cross a page, segments double from 1 to 64 KiB and stay there."""
    size = shape(of).entry_bytes
    page, slot = divmod(index, PAGE_BYTES // size)
    if page < DIRECT_PAGES:
        number = (page + 1).bit_length() - 1
        base = _number(reader, header + SEGMENT + 4 * number, 4)
        within = page + 1 - (1 << number)
    else:
        further, within = divmod(page - DIRECT_PAGES, SEGMENT_PAGES)
        leaf = _number(reader, _number(reader, header + DIRECTORY, 4) + 4 * (further >> 8), 4)
        base = _number(reader, leaf + 4 * (further & 255), 4)
    return base + within * PAGE_BYTES + slot * size
