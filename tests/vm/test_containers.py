"""Containers against dict, list and sorted models, WASM against the mirror byte for byte, deletion, undo."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from execution.vm.layout import (
    COUNT,
    FIELDS,
    FIRST,
    HEADER_BYTES,
    HEAP_TOP,
    ITERATING,
    KEY,
    LAST,
    LIVE_BYTES,
    NEXT,
    NODE_AFTER,
    NODE_BEFORE,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
    PREV,
    TABLE,
    list_place,
    node_capacity,
)
from execution.vm.runtime.barrier import LINE_RECORD_BYTES, PAGE_RECORD_BYTES
from execution.vm.runtime.hash_map import PROBES_MAX, hash_key
from execution.vm.runtime.names import parse_shape
from execution.vm.runtime.words import (
    CHANGED_WHILE_ITERATING,
    EMPTY,
    INDEX_OUT_OF_RANGE,
    exhausted,
    reject,
)
from tests.vm.rig import PRICES, Twin, Wasm

HEADER = FIELDS
OTHER = FIELDS + HEADER_BYTES
HEAP = 1024


def u64(data: bytes, address: int) -> int:
    return int(struct.unpack_from("<q", data, address)[0])


def u32(data: bytes, address: int) -> int:
    return int(struct.unpack_from("<I", data, address)[0])


class Pair:
    """The same operations on WASM and mirror; their memories must stay equal."""

    def __init__(self, names: list[str]) -> None:
        self.names = [*names, "start", "touch", "restore"]
        self.wasm, self.twin = Wasm(self.names), Twin(self.names)
        self.call("start", HEAP)

    def call(self, name: str, *arguments: int) -> Any:
        result = self.twin.call(name, *arguments)
        found = self.wasm.call(name, *arguments)
        assert (tuple(found) if isinstance(found, list) else found) == result
        return result

    @property
    def state(self) -> bytearray:
        return self.twin.mirror.memories["state"]

    def check_equal(self) -> None:
        top = u64(self.state, HEAP_TOP)
        assert self.wasm.read("state", 0, top) == self.state[:top]
        for memory, cell in (("undo", "undo_top"), ("before", "before_top")):
            end = self.twin.cells[cell].value
            assert self.wasm.read(memory, 0, end) == self.twin.mirror.memories[memory][:end]
        for name, cell in self.twin.cells.items():
            assert self.wasm.get(name) == cell.value, name

    def set_mark(self, mark: int) -> None:
        self.twin.cells["mark"].value = mark
        self.wasm.put("mark", mark)

    def put_word(self, address: int, value: int) -> None:
        self.call("touch", address, 8)
        struct.pack_into("<q", self.state, address, value)
        self.wasm.write("state", address, struct.pack("<q", value))


def entries(state: bytes, header: int, key_words: int) -> list[tuple[int, tuple[int, ...], int]]:
    """Entry address, key and first value word in iteration order; links checked both ways."""
    found = []
    entry, before = u64(state, header + FIRST), 0
    while entry:
        assert u32(state, entry + PREV) == before
        key = struct.unpack_from(f"<{key_words}q", state, entry + KEY)
        found.append((entry, key, u64(state, entry + KEY + 8 * key_words)))
        entry, before = u32(state, entry + NEXT), entry
    assert u64(state, header + LAST) == before
    assert u64(state, header + COUNT) == len(found)
    return found


def ordered(state: bytes, header: int, key_words: int) -> list[tuple[int, tuple[int, ...], int]]:
    """Entry address, key and first value word in the order of keys; the tree, its leaves' links and zeros checked."""
    found: list[tuple[int, tuple[int, ...], int]] = []
    leaves: list[int] = []
    root, capacity = u32(state, header + TABLE), node_capacity(key_words)
    addresses = NODE_KEYS + 8 * key_words * capacity

    def visit(node: int) -> None:
        count = u32(state, node + NODE_COUNT)
        assert 0 < count <= capacity
        assert not any(state[node + NODE_KEYS + 8 * key_words * count : node + addresses])
        assert not any(state[node + addresses + 4 * count : node + 1024])
        level = u32(state, node + NODE_LEVEL)
        if level == 0:
            leaves.append(node)
        else:
            assert state[node + NODE_BEFORE : node + NODE_KEYS] == bytes(8)
        for i in range(count):
            below = u32(state, node + addresses + 4 * i)
            key = struct.unpack_from(f"<{key_words}q", state, node + NODE_KEYS + 8 * key_words * i)
            if level:
                assert u32(state, below + NODE_LEVEL) == level - 1
                visit(below)
            else:
                assert struct.unpack_from(f"<{key_words}q", state, below + KEY) == key
                found.append((below, key, u64(state, below + KEY + 8 * key_words)))

    if root:
        visit(root)
    for before, leaf, after in zip([0, *leaves], leaves, [*leaves[1:], 0]):
        assert (u32(state, leaf + NODE_BEFORE), u32(state, leaf + NODE_AFTER)) == (before, after)
    ends = [entry for entry, _, _ in found[:1] + found[-1:]] or [0, 0]
    assert [u64(state, header + FIRST), u64(state, header + LAST)] == ends
    assert u64(state, header + COUNT) == len(found)
    return found


@pytest.mark.parametrize(("key_words", "value_words", "spread"), [(1, 2, 400), (3, 4, 6), (6, 1, 3)])
def test_map_is_an_insertion_ordered_dict(key_words: int, value_words: int, spread: int) -> None:
    shape = f"k{key_words}.v{value_words}"
    pair = Pair([f"map_{operation}.{shape}" for operation in ("find", "put", "drop", "free")])
    numbers = random.Random(key_words)
    model: dict[tuple[int, ...], int] = {}
    for step in range(2_500):
        key = tuple(numbers.randrange(-spread, spread) for _ in range(key_words))
        match numbers.randrange(10):
            case 0 | 1 | 2 | 3 | 4 if (step // 800) % 2 == 0 or len(model) < 5:
                entry = pair.call(f"map_put.{shape}", HEADER, *key)
                if key not in model:
                    assert u64(pair.state, entry + KEY + 8 * key_words) == 0
                model[key] = step
                pair.put_word(entry + KEY + 8 * key_words, step)
            case 5 | 6:
                assert (pair.call(f"map_find.{shape}", HEADER, *key) != 0) == (key in model)
            case _:
                if model and numbers.random() < 0.7:
                    key = numbers.choice(list(model))
                assert pair.call(f"map_drop.{shape}", HEADER, *key) == (key in model)
                model.pop(key, None)
        if step % 500 == 0:
            pair.set_mark(step + 2)
            pair.check_equal()
    found = entries(pair.state, HEADER, key_words)
    assert {key: value for _, key, value in found} == model and [key for _, key, _ in found] == list(model)
    assert all(pair.call(f"map_find.{shape}", HEADER, *key) == entry for entry, key, _ in found)
    assert u32(pair.state, LIVE_BYTES) == len(model) * parse_shape(f"map_put.{shape}").entry_bytes
    pair.call(f"map_free.{shape}", HEADER)
    pair.check_equal()
    assert not any(pair.state[HEADER : HEADER + HEADER_BYTES])


def split(value: int, key_words: int) -> tuple[int, ...]:
    """The words of a key."""
    return struct.unpack(f"<{key_words}q", value.to_bytes(8 * key_words, "little", signed=True))


ORDERED = (
    "find", "put", "drop", "free", "ceil", "floor", "after", "before", "lowest", "highest", "next", "previous"
)  # fmt: skip


@pytest.mark.parametrize("key", ["k1", "d"])
def test_ordered_map_is_sorted(key: str) -> None:
    shape, key_words = f"{key}.v2", 1 if key == "k1" else 2
    pair = Pair([f"omap_{operation}.{shape}" for operation in ORDERED])
    numbers = random.Random(key)
    model: dict[int, int] = {}

    def some_key() -> int:
        value = numbers.randrange(-600, 600)
        return value if key == "k1" else value << 60

    for step in range(4_000):
        value = some_key()
        growing = (step // 1_300) % 2 == 0
        match numbers.randrange(8):
            case 0 | 1 | 2 | 3 if growing:
                entry = pair.call(f"omap_put.{shape}", HEADER, *split(value, key_words))
                model[value] = step
                pair.put_word(entry + KEY + 8 * key_words, step)
            case 4:
                assert (pair.call(f"omap_find.{shape}", HEADER, *split(value, key_words)) != 0) == (value in model)
            case 5:
                neighbours = {
                    "ceil": min((other for other in model if other >= value), default=None),
                    "after": min((other for other in model if other > value), default=None),
                    "floor": max((other for other in model if other <= value), default=None),
                    "before": max((other for other in model if other < value), default=None),
                }
                for operation, wanted in neighbours.items():
                    entry = pair.call(f"omap_{operation}.{shape}", HEADER, *split(value, key_words))
                    if wanted is None:
                        assert entry == 0
                    else:
                        found = struct.unpack_from(f"<{key_words}q", pair.state, entry + KEY)
                        assert found == split(wanted, key_words)
            case _:
                if model and numbers.random() < 0.7:
                    value = numbers.choice(list(model))
                assert pair.call(f"omap_drop.{shape}", HEADER, *split(value, key_words)) == (value in model)
                model.pop(value, None)
        if step % 400 == 0:
            pair.set_mark(step + 2)
            pair.check_equal()
            check_ordered(pair, shape, model)
    for value in list(model):
        assert pair.call(f"omap_drop.{shape}", HEADER, *split(value, key_words)) == 1
    check_ordered(pair, shape, {})
    for value in range(200):
        pair.call(f"omap_put.{shape}", HEADER, *split(value, key_words))
    pair.call(f"omap_free.{shape}", HEADER)
    pair.check_equal()
    assert not any(pair.state[HEADER : HEADER + HEADER_BYTES])


def check_ordered(pair: Pair, shape: str, model: dict[int, int]) -> None:
    """The tree has the keys and first words of the model, and both ways through it lead along them."""
    key_words = 1 if shape.startswith("k1") else 2
    found = ordered(pair.state, HEADER, key_words)
    assert [(k, v) for _, k, v in found] == [(split(k, key_words), model[k]) for k in sorted(model)]
    entries = [entry for entry, _, _ in found]
    for start, step, wanted in (("lowest", "next", entries), ("highest", "previous", entries[::-1])):
        place, entry = pair.call(f"omap_{start}.{shape}", HEADER)
        walked = []
        while entry:
            walked.append(entry)
            place, entry = pair.call(f"omap_{step}.{shape}", place)
        assert walked == wanted and place == 0


@pytest.mark.parametrize("order", [1, -1])
def test_ordered_map_entered_and_deleted_in_order(order: int) -> None:
    """Keys below all others make nodes whose first key is larger than the second."""
    pair = Pair([f"omap_{operation}.k1.v2" for operation in ORDERED])
    keys = list(range(900))[::order]
    for key in keys:
        pair.call("omap_put.k1.v2", HEADER, key)
    check_ordered(pair, "k1.v2", dict.fromkeys(keys, 0))
    for key in keys:
        assert pair.call("omap_find.k1.v2", HEADER, key)
        assert pair.call("omap_drop.k1.v2", HEADER, key) == 1
    check_ordered(pair, "k1.v2", {})
    pair.check_equal()


@pytest.mark.parametrize("value_words", [1, 3, 100])
def test_list_keeps_items_in_a_row(value_words: int) -> None:
    shape = f"v{value_words}"
    pair = Pair([f"list_{operation}.{shape}" for operation in ("at", "push", "pop", "free")])
    numbers = random.Random(value_words)
    model: list[int] = []
    for step in range(1_500):
        if numbers.random() < 0.8:
            place = pair.call(f"list_push.{shape}", HEADER)
            assert u64(pair.state, place) == 0
            pair.put_word(place, step)
            model.append(step)
        elif model:
            pair.call(f"list_pop.{shape}", HEADER)
            model.pop()
    assert [u64(pair.state, pair.call(f"list_at.{shape}", HEADER, i)) for i in range(len(model))] == model
    for index in range(0, len(model), 7):
        place = list_place(lambda address: u32(pair.state, address), HEADER, index, value_words)
        assert u64(pair.state, place) == model[index]
    for index in (-1, len(model)):
        with pytest.raises(reject) as refusal:
            pair.twin.call(f"list_at.{shape}", HEADER, index)
        assert refusal.value.value == INDEX_OUT_OF_RANGE
    pair.check_equal()
    pair.call(f"list_free.{shape}", HEADER)
    pair.check_equal()
    with pytest.raises(reject) as refusal:
        pair.twin.call(f"list_pop.{shape}", HEADER)
    assert refusal.value.value == EMPTY


def test_deleting_leaves_nothing_of_key_and_value() -> None:
    pair = Pair(["map_put.k3.v4", "map_drop.k3.v4"])
    secret = 0x5EC2E75EC2E75EC2
    for i in range(300):
        entry = pair.call("map_put.k3.v4", HEADER, i, secret + i, i)
        pair.put_word(entry + KEY + 24, secret + i)
    for i in range(300):
        pair.call("map_drop.k3.v4", HEADER, i, secret + i, i)
    top = u64(pair.state, HEAP_TOP)
    image = bytes(pair.state[:top])
    assert all((secret + i).to_bytes(8, "little") not in image for i in range(300))
    assert u32(pair.state, LIVE_BYTES) == 0


def test_freed_memory_is_used_again() -> None:
    pair = Pair(["map_put.k1.v2", "map_free.k1.v2"])
    tops = []
    for _ in range(3):
        for i in range(400):
            pair.call("map_put.k1.v2", HEADER, i)
        tops.append(u64(pair.state, HEAP_TOP))
        pair.call("map_free.k1.v2", HEADER)
    assert tops[0] == tops[1] == tops[2]
    pair.check_equal()


UNDONE = ("map_put.k1.v2", "map_drop.k1.v2", "omap_put.k1.v1", "omap_drop.k1.v1", "list_push.v9", "list_pop.v9")
FREED = ("map_free.k1.v2", "omap_free.k1.v1", "list_free.v9")
HEADERS = {"map": HEADER, "omap": OTHER, "list": OTHER + HEADER_BYTES}


class Journal:
    """Runs random operations in WASM and takes them back."""

    def __init__(self, seed: int) -> None:
        self.wasm = Wasm([*UNDONE, *FREED, "start", "restore"])
        self.wasm.call("start", HEAP)
        self.numbers = random.Random(seed)
        self.mark = 2

    def move_mark(self) -> None:
        self.mark += 1
        self.wasm.put("mark", self.mark)

    def image(self) -> bytes:
        return self.wasm.read("state", 0, self.wasm.exports["state"].data_len(self.wasm.store))

    def check_image(self, wanted: bytes) -> None:
        """Memory beyond the old end may have been added; it is all zero."""
        now = self.image()
        assert now[: len(wanted)] == wanted and not any(now[len(wanted) :])

    def work(self) -> None:
        for _ in range(self.numbers.randrange(25)):
            name = self.numbers.choice(UNDONE if self.numbers.random() < 0.98 else FREED)
            kind, operation = name.split(".")[0].split("_")
            header = HEADERS[kind]
            empty = u64(self.wasm.read("state", header, header + 8), 0) == 0
            if kind == "list":
                if operation != "pop" or not empty:
                    self.wasm.call(name, header)
            elif operation == "free":
                self.wasm.call(name, header)
            else:
                self.wasm.call(name, header, self.numbers.randrange(150))

    def undo(self, memory: str, top: str, down_to: int) -> None:
        """Restore the records above `down_to`, newest first."""
        while self.wasm.get(top) > down_to:
            size = LINE_RECORD_BYTES if memory == "undo" else PAGE_RECORD_BYTES
            record = self.wasm.get(top) - size
            program, place = struct.unpack("<II", self.wasm.read(memory, record, record + 8))
            assert program == 3
            image = self.wasm.read(memory, record + 8, record + size)
            if memory == "undo":
                self.wasm.call("restore", place, record + 8)
            else:
                self.wasm.write("state", place * 1024, image)
            self.wasm.put(top, record)


def test_undo_is_exact() -> None:
    """Savepoints nested at random: going back gives the very bytes, heap top and index tables included."""
    journal = Journal(5)
    open_points: list[tuple[int, bytes]] = []
    for _ in range(600):
        journal.move_mark()
        action = journal.numbers.random()
        if action < 0.4 and len(open_points) < 4:
            open_points.append((journal.wasm.get("undo_top"), journal.image()))
        elif action < 0.8 and open_points:
            top, wanted = open_points.pop()
            if action < 0.6:
                journal.undo("undo", "undo_top", top)
                journal.check_image(wanted)
        journal.work()


def test_an_ordered_map_goes_back_with_its_tree() -> None:
    """Rows of keys enter and go, so that leaves and nodes above split and are given back, under nested savepoints."""
    journal, numbers = Journal(7), random.Random(7)
    model: set[int] = set()
    open_points: list[tuple[int, bytes, set[int]]] = []
    levels = set()
    for _ in range(150):
        journal.move_mark()
        action = numbers.random()
        if action < 0.4 and len(open_points) < 4:
            open_points.append((journal.wasm.get("undo_top"), journal.image(), set(model)))
        elif action < 0.7 and open_points:
            top, wanted, kept = open_points.pop()
            if action < 0.55:
                journal.undo("undo", "undo_top", top)
                journal.check_image(wanted)
                model = kept
        start, stride = numbers.randrange(9_000), numbers.choice((1, 1, 7, 30))
        row = list(range(start, start + stride * numbers.randrange(1, 500), stride))
        row = numbers.choice((row, row[::-1], numbers.sample(row, len(row))))
        operation = "put" if numbers.randrange(6_000) > len(model) else "drop"
        for key in row:
            journal.wasm.call(f"omap_{operation}.k1.v1", OTHER, key)
        model = model | set(row) if operation == "put" else model - set(row)
        if numbers.random() < 0.01:
            journal.wasm.call("omap_free.k1.v1", OTHER)
            model = set()
        image = journal.image()
        assert [key for _, (key,), _ in ordered(image, OTHER, 1)] == sorted(model)
        levels.add(u32(image, u32(image, OTHER + TABLE) + NODE_LEVEL) if model else None)
    assert levels >= {1, 2}


def test_before_images_take_a_block_back() -> None:
    """Whatever is kept or undone inside a block, its before-images restore the state it began with, a page once."""
    journal = Journal(6)
    for _ in range(12):
        journal.move_mark()
        journal.wasm.put("block_mark", journal.mark)
        journal.wasm.put("before_top", 0)
        journal.wasm.put("undo_top", 0)
        wanted = journal.image()
        for _ in range(10):
            journal.move_mark()
            top = journal.wasm.get("undo_top")
            journal.work()
            if journal.numbers.random() < 0.4:
                journal.undo("undo", "undo_top", top)
        count = journal.wasm.get("before_top") // PAGE_RECORD_BYTES
        pages = {
            struct.unpack("<I", journal.wasm.read("before", i * PAGE_RECORD_BYTES + 4, i * PAGE_RECORD_BYTES + 8))
            for i in range(count)
        }
        assert len(pages) == count
        if journal.numbers.random() < 0.5:
            journal.undo("before", "before_top", 0)
            journal.check_image(wanted)


@pytest.mark.parametrize("size", [1, 40], ids=["searched", "indexed"])
def test_a_map_does_not_change_while_iterated(size: int) -> None:
    pair = Pair([f"{kind}_{operation}.k1.v1" for kind in ("map", "omap") for operation in ("put", "drop", "free")])
    for kind, header in (("map", HEADER), ("omap", OTHER)):
        for key in range(size):
            pair.call(f"{kind}_put.k1.v1", header, key)
        pair.put_word(header + ITERATING, 1)
        assert pair.call(f"{kind}_put.k1.v1", header, 0) != 0
        for operation, key in (("put", (size,)), ("drop", (0,)), ("free", ())):
            with pytest.raises(reject) as refusal:
                pair.twin.call(f"{kind}_{operation}.k1.v1", header, *key)
            assert refusal.value.value == CHANGED_WHILE_ITERATING
        assert pair.call(f"{kind}_drop.k1.v1", header, size) == 0


def test_gas_runs_out_at_a_line() -> None:
    twin = Twin(["touch"])
    twin.cells["gas"].value = 9 * PRICES["touch_line"] + 2 * PRICES["dirty_page"]
    twin.call("touch", 1000, 1025)
    twin.call("touch", 1000, 1025)
    assert twin.cells["gas"].value == 0 and twin.cells["undo_top"].value == 9 * LINE_RECORD_BYTES
    with pytest.raises(exhausted):
        twin.call("touch", 5000, 1)


def test_chosen_keys_are_taken_found_and_paid_by_who_comes_near_them() -> None:
    """Keys of one hash neighbourhood, more than an index has room for; keys elsewhere cost what they always do."""
    twin = Twin(["start", "map_put.k1.v1", "map_find.k1.v1", "map_drop.k1.v1"])
    twin.call("start", HEAP)
    hashed = twin.mirror.function(hash_key, K=1)
    chosen = [key for key in range(1, 150_000) if hashed(key) >> 23 == 77]
    assert len(chosen) > 2 * PROBES_MAX

    def cost(operation: str, key: int) -> int:
        twin.cells["mark"].value += 1
        before = twin.cells["gas"].value
        assert twin.call(f"map_{operation}.k1.v1", HEADER, key) != 0
        return int(before - twin.cells["gas"].value)

    for key in chosen:
        cost("put", key)
    near = [cost("find", key) for key in chosen]
    assert max(near) > PRICES["probe"] * PROBES_MAX
    far = [key for key in range(1 << 40, (1 << 40) + 1_500) if not 77 <= hashed(key) >> 23 < 200]
    for key in far:
        cost("put", key)
    assert max(cost("find", key) for key in far) < PRICES["probe"] * PROBES_MAX
    for key in chosen:
        cost("drop", key)
        assert twin.call("map_find.k1.v1", HEADER, key) == 0
    assert all(twin.call("map_find.k1.v1", HEADER, key) for key in far)
