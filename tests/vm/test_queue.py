"""The queue against a deque: order, pages given back, eight undo pages at most, undo, and nothing left when empty."""

from __future__ import annotations

import random
from collections import deque

import pytest

from execution.vm.layout import (
    COUNT,
    FIRST,
    HEADER_BYTES,
    HEAP_TOP,
    ITERATING,
    LAST,
    LINES_PER_PAGE,
    LIVE_BYTES,
    PAGE_BYTES,
    SEGMENTS,
)
from execution.vm.runtime.barrier import LINE_RECORD_BYTES
from execution.vm.runtime.names import parse_shape
from execution.vm.runtime.words import CHANGED_WHILE_ITERATING, EMPTY, reject
from tests.vm.rig import Twin
from tests.vm.test_containers import HEADER, HEAP, Pair, u32, u64

UNDO_PAGES_MAX = 8


def values(pair: Pair, words: int) -> list[int]:
    """First word of each item, by walking."""
    found, place = [], u64(pair.state, HEADER + FIRST)
    while place:
        assert place % PAGE_BYTES + 8 * words <= PAGE_BYTES, "an item crosses a page"
        found.append(u64(pair.state, place))
        place = pair.call(f"queue_next.v{words}", HEADER, place)
    assert len(found) == u64(pair.state, HEADER + COUNT) and u32(pair.state, LIVE_BYTES) == parse_shape(
        f"queue_push.v{words}"
    ).entry_bytes * len(found)
    return found


def a_pair(words: int) -> Pair:
    return Pair([f"queue_{operation}.v{words}" for operation in ("push", "pop", "next", "free")])


@pytest.mark.parametrize("words", [1, 3, 40, 127])
def test_a_queue_is_a_deque_and_gives_its_pages_back(words: int) -> None:
    pair, model, numbers = a_pair(words), deque[int](), random.Random(words)
    held = 0
    for step in range(1_500):
        before = pair.twin.cells["undo_top"].value
        pair.set_mark(step + 2)
        growing = (step // 250) % 2 == 0
        if numbers.random() < (0.7 if growing else 0.2):
            place = pair.call(f"queue_push.v{words}", HEADER)
            assert bytes(pair.state[place : place + 8 * words]) == bytes(8 * words)
            pair.put_word(place, step + 1)
            pair.put_word(place + 8 * words - 8, step + 1)
            model.append(step + 1)
        elif model:
            pair.call(f"queue_pop.v{words}", HEADER)
            model.popleft()
        else:
            with pytest.raises(reject) as refused:
                pair.call(f"queue_pop.v{words}", HEADER)
            assert refused.value.value == EMPTY
        assert pair.twin.cells["undo_top"].value - before <= UNDO_PAGES_MAX * LINES_PER_PAGE * LINE_RECORD_BYTES
        if step % 50 == 0:
            assert values(pair, words) == list(model)
            pair.check_equal()
        held = max(held, u32(pair.state, HEADER + SEGMENTS))
    assert u64(pair.state, HEAP_TOP) == HEAP + PAGE_BYTES * held, "pages are used again"
    while model:
        pair.call(f"queue_pop.v{words}", HEADER)
        model.popleft()
    assert bytes(pair.state[HEADER : HEADER + HEADER_BYTES]) == bytes(HEADER_BYTES)
    pair.check_equal()


def test_freeing_leaves_zeros_and_pages_that_are_used_again() -> None:
    pair = a_pair(2)
    for value in range(500):
        pair.put_word(pair.call("queue_push.v2", HEADER), value)
    top = u64(pair.state, HEAP_TOP)
    pair.put_word(HEADER + ITERATING, 1)
    with pytest.raises(reject) as refused:
        pair.call("queue_free.v2", HEADER)
    assert refused.value.value == CHANGED_WHILE_ITERATING
    pair.put_word(HEADER + ITERATING, 0)
    pair.call("queue_free.v2", HEADER)
    assert bytes(pair.state[HEADER : HEADER + HEADER_BYTES]) == bytes(HEADER_BYTES)
    assert u32(pair.state, LIVE_BYTES) == 0
    for value in range(500):
        pair.put_word(pair.call("queue_push.v2", HEADER), value)
    assert u64(pair.state, HEAP_TOP) == top
    assert values(pair, 2) == list(range(500))
    assert u64(pair.state, HEADER + LAST)
    pair.check_equal()


@pytest.mark.parametrize("words", [1, 40])
def test_every_step_of_a_queue_is_undone_to_the_byte(words: int) -> None:
    """Also the first item, the last one, and those at a page's end."""
    push, pop, free = (f"queue_{operation}.v{words}" for operation in ("push", "pop", "free"))
    twin = Twin(["start", "restore", push, pop, free])
    twin.call("start", HEAP)
    state, cells = twin.mirror.memories["state"], twin.cells
    for name in [push] * 300 + [pop] * 150 + [push] * 150 + [pop] * 299 + [push, pop, push, push, free]:
        for done in (False, True):
            cells["mark"].value += 1
            before, journal = bytes(state), cells["undo_top"].value
            twin.call(name, HEADER)
            if not done:
                twin.undo(journal)
                assert state[: len(before)] == before and not any(state[len(before) :])
