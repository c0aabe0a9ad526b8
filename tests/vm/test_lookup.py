"""Entries found by reading state alone are those that the runtime finds, and what was read suffices to find them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from execution.vm.layout import FIELDS, HEADER_BYTES, PAGE_BYTES
from execution.vm.lookup import find_entry, find_item
from execution.vm.runtime.hash_map import hash_key
from execution.vm.runtime.names import parse_shape
from tests.vm.rig import Twin

HEADER = FIELDS
OTHER = FIELDS + HEADER_BYTES
HEAP = 1024
PAGES_READ_MAX = 6
"""Page of the header, of the index or the tree's nodes on the way, of the entry."""


class Read:
    """A reader that keeps the pages it was asked for; `again` reads those alone."""

    def __init__(self, state: bytes | bytearray) -> None:
        self.state, self.pages = state, dict[int, bytes]()

    def __call__(self, address: int, size: int) -> bytes:
        for page in range(address // PAGE_BYTES, (address + size - 1) // PAGE_BYTES + 1):
            self.pages[page] = bytes(self.state[page * PAGE_BYTES : (page + 1) * PAGE_BYTES])
        return bytes(self.state[address : address + size])

    def again(self, address: int, size: int) -> bytes:
        shown = bytearray(len(self.state))
        for page in range(address // PAGE_BYTES, (address + size - 1) // PAGE_BYTES + 1):
            shown[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = self.pages[page]
        return bytes(shown[address : address + size])


def packed(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}q", *words)


def started(*functions: str) -> Twin:
    twin = Twin(["start", *functions])
    twin.call("start", HEAP)
    return twin


def agree(twin: Twin, name: str, key: tuple[int, ...]) -> int:
    """The entry that both find, the pages read being enough to find it a second time; pages read."""
    shape = parse_shape(f"{name.split('.', 1)[0]}_find.{name.split('.', 1)[1]}")
    read = Read(twin.mirror.memories["state"])
    found = find_entry(read, HEADER, shape, packed(*key))
    assert found == twin.call(f"{shape.function('find')}", HEADER, *key)
    if len(read.state) < 1 << 18:  # copying it all is for small states
        assert find_entry(read.again, HEADER, shape, packed(*key)) == found
    return len(read.pages)


@pytest.mark.parametrize(("key_words", "spread"), [(1, 2_000), (3, 12), (6, 4)])
def test_in_maps_through_every_stage_of_their_index(key_words: int, spread: int) -> None:
    name = f"map.k{key_words}.v2"
    twin = started(*(f"map_{operation}.k{key_words}.v2" for operation in ("find", "put", "drop")))
    numbers = random.Random(key_words)

    def some_key() -> tuple[int, ...]:
        return tuple(numbers.randrange(-spread, spread) for _ in range(key_words))

    kept: set[tuple[int, ...]] = set()
    read_max = 0
    for step in range(1_000):
        key = some_key()
        if numbers.random() < (0.8 if step < 700 else 0.2):
            twin.call(f"map_put.k{key_words}.v2", HEADER, *key)
            kept.add(key)
        elif kept:
            gone = numbers.choice(sorted(kept))
            twin.call(f"map_drop.k{key_words}.v2", HEADER, *gone)
            kept.discard(gone)
        for asked in (key, some_key()):
            read_max = max(read_max, agree(twin, name, asked))
    assert all(agree(twin, name, key) for key in kept)
    assert read_max <= PAGES_READ_MAX + 8, "few, whatever the map holds; eight entries may lie in as many pages"


@pytest.mark.parametrize("kind", ["k1", "d"])
def test_in_ordered_maps_of_several_levels(kind: str) -> None:
    words = 1 if kind == "k1" else 2
    twin = started(*(f"omap_{operation}.{kind}.v1" for operation in ("find", "put", "drop")))
    numbers = random.Random(kind)

    def some_key() -> tuple[int, ...]:
        value = numbers.randrange(-(1 << 62), 1 << 62) if words == 1 else numbers.randrange(-(1 << 120), 1 << 120)
        return struct.unpack(f"<{words}q", value.to_bytes(8 * words, "little", signed=True))

    keys = [some_key() for _ in range(6_000)]
    for key in keys:
        twin.call(f"omap_put.{kind}.v1", HEADER, *key)
    for key in keys[::3]:
        twin.call(f"omap_drop.{kind}.v1", HEADER, *key)
    asked = [*keys[:600], *(some_key() for _ in range(300)), ((0,) * words)]
    assert max(agree(twin, f"omap.{kind}.v1", key) for key in asked) <= PAGES_READ_MAX


def test_keys_chosen_to_lie_together_are_found() -> None:
    twin = started("map_put.k1.v1", "map_find.k1.v1", "map_drop.k1.v1")
    hashed: Callable[..., int] = twin.mirror.function(hash_key, K=1)
    chosen = [key for key in range(1, 20_000) if hashed(key) >> 25 in (0, 127)]
    for key in chosen:
        twin.call("map_put.k1.v1", HEADER, key)
    for key in chosen[::2]:
        twin.call("map_drop.k1.v1", HEADER, key)
    for key in chosen:
        agree(twin, "map.k1.v1", (key,))


def test_items_of_lists_by_their_index() -> None:
    twin = started("list_push.v4", "list_at.v4")
    shape = parse_shape("list_at.v4")
    read = Read(twin.mirror.memories["state"])
    assert find_item(read, HEADER, shape, 0) == 0
    for _ in range(9_000):
        twin.call("list_push.v4", OTHER)
    read = Read(twin.mirror.memories["state"])
    for index in (0, 1, 31, 32, 4_000, 8_999):
        assert find_item(read, OTHER, shape, index) == twin.call("list_at.v4", OTHER, index)
    assert find_item(read, OTHER, shape, 9_000) == find_item(read, OTHER, shape, -1) == 0
