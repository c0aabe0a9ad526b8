"""
Entries found as the program itself finds them, through anything that reads state: a memory, or pages with proofs.

What was read on the way proves the answer, absence included, for whoever reads the same bytes finds the same. The
runtime's own files (`runtime.hash_map`, `runtime.ordered_map`) say what lies where; only their hash is run from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from execution.vm.core_mirror import Mirror
from execution.vm.layout import (
    COUNT,
    CURSOR,
    FIRST,
    HASH,
    KEY,
    NEXT,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
    OLD_BITS,
    OLD_TABLE,
    PAGE_BYTES,
    SLOT_BYTES,
    TABLE,
    TABLE_BITS,
    WORD_BYTES,
    Shape,
    list_place,
    node_capacity,
)
from execution.vm.runtime.hash_map import hash_key
from genesis.errors import Corrupt

Reader = Callable[[int, int], bytes]
"""(address, bytes) → bytes of state."""
DELETED = 1
"""In a slot, in place of an entry."""
LEVELS_MAX = 8
"""Of an ordered map's tree: more than its entries can fill."""


def find_entry(read: Reader, header: int, shape: Shape, key: bytes) -> int:
    """
    State address of a map's entry, 0 when the key is not in it.

    Args:
        header: address of the map's header.
        key: packed, as many words as the shape says.

    Raises:
        Corrupt: links that lead in circles.
    """
    if _number(read, header + COUNT, 8) == 0:
        return 0
    return _find_ordered(read, header, shape, key) if shape.kind == "omap" else _find_hashed(read, header, key)


def find_item(read: Reader, header: int, shape: Shape, index: int) -> int:
    """State address of a list's item, 0 when the list is shorter."""
    if not 0 <= index < _number(read, header + COUNT, 8):
        return 0
    return list_place(lambda address: _number(read, address), header, index, shape.value_words)


def _find_hashed(read: Reader, header: int, key: bytes) -> int:
    hashed = _hash(key)
    for entry in _candidates(read, header, hashed):
        if read(entry + KEY, len(key)) == key:
            return entry
    return 0


def _candidates(read: Reader, header: int, hashed: int) -> Iterator[int]:
    """Entries with the key's hash: of a few, all are looked at; else those in the index, then in what is left of the
    old one."""
    if _number(read, header + TABLE) == 0:
        entry = _number(read, header + FIRST, 8)
        for _ in range(_number(read, header + COUNT, 8)):
            if _number(read, entry + HASH) == hashed:
                yield entry
            entry = _number(read, entry + NEXT)
        return
    yield from _probe(read, _number(read, header + TABLE), _number(read, header + TABLE_BITS), 0, hashed)
    if old := _number(read, header + OLD_TABLE):
        yield from _probe(read, old, _number(read, header + OLD_BITS), _number(read, header + CURSOR), hashed)


def _probe(read: Reader, table: int, bits: int, start: int, hashed: int) -> Iterator[int]:
    """Slots from the hash's place to the first empty one; those before `start` have been migrated."""
    slots = 1 << bits
    first = max(hashed >> 32 - bits, start) - start
    for probe in range(slots - start):
        slot = table + (start + (first + probe) % (slots - start)) * SLOT_BYTES
        stored, entry = _number(read, slot), _number(read, slot + 4)
        if stored == 0 and entry == 0:
            return
        if stored == hashed and entry != DELETED:
            yield entry


def _find_ordered(read: Reader, header: int, shape: Shape, key: bytes) -> int:
    """Down the tree: on each level the last child whose key is not greater; a node's first stands for all before it."""
    wanted, size = _signed(key), shape.key_words * WORD_BYTES
    addresses = NODE_KEYS + size * node_capacity(shape.key_words)
    node = _number(read, header + TABLE)
    for _ in range(LEVELS_MAX):
        page = read(node, PAGE_BYTES)
        keys = [
            _signed(page[at : at + size]) for at in range(NODE_KEYS, NODE_KEYS + size * _word(page, NODE_COUNT), size)
        ]
        leaf = _word(page, NODE_LEVEL) == 0
        rank = sum(1 for one in (keys if leaf else keys[1:]) if one <= wanted)
        if not leaf:
            node = _word(page, addresses + 4 * rank)
        elif rank and keys[rank - 1] == wanted:
            return _word(page, addresses + 4 * (rank - 1))
        else:
            return 0
    raise Corrupt(f"the ordered map at {header} has more than {LEVELS_MAX} levels")


def _hash(key: bytes) -> int:
    words = [_signed(key[at : at + WORD_BYTES]) for at in range(0, len(key), WORD_BYTES)]
    return _hasher(len(words))(*words) & 0xFFFFFFFF


@cache
def _hasher(words: int) -> Callable[..., int]:
    return Mirror({}).function(hash_key, K=words)


def _number(read: Reader, address: int, size: int = 4) -> int:
    return int.from_bytes(read(address, size), "little")


def _word(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "little")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)
