"""Pieces of every size are used again before a state grows, and what is given back in one scope is undone with it."""

from __future__ import annotations

import struct

import pytest

from execution.vm.layout import FIELDS, HEAP_TOP, PAGE_BYTES
from execution.vm.runtime.heap import BLOCK_CLASS_MAX, SEGMENT_CLASS, allocate, release
from tests.vm.rig import PRICES, Twin


class Heap:
    """Of a state as new, in the mirror."""

    def __init__(self) -> None:
        self.twin = Twin(["start", "restore"])
        self.state = self.twin.mirror.memories["state"]
        self.allocate = self.twin.mirror.function(allocate, **PRICES)
        self.release = self.twin.mirror.function(release, **PRICES)
        self.twin.call("start", PAGE_BYTES)

    @property
    def top(self) -> int:
        return int(struct.unpack_from("<q", self.state, HEAP_TOP)[0])


@pytest.mark.parametrize("size_class", range(BLOCK_CLASS_MAX + 2))
def test_a_piece_given_back_is_the_next_of_its_size(size_class: int) -> None:
    heap = Heap()
    piece = heap.allocate(size_class)
    top = heap.top
    assert top == piece + (PAGE_BYTES << size_class)
    heap.release(piece, size_class)
    halves = size_class == BLOCK_CLASS_MAX + 1
    again = [heap.allocate(BLOCK_CLASS_MAX if halves else size_class) for _ in range(1 + halves)]
    assert (again[0], heap.top) == (piece, top)
    assert sorted(again) == [piece + place * (PAGE_BYTES << BLOCK_CLASS_MAX) for place in range(1 + halves)]


@pytest.mark.parametrize("size_class", range(SEGMENT_CLASS + 1))
@pytest.mark.parametrize("block_class", [SEGMENT_CLASS + 1, SEGMENT_CLASS + 2])
def test_a_larger_block_is_cut_to_its_end_before_a_state_grows(size_class: int, block_class: int) -> None:
    heap = Heap()
    block = heap.allocate(block_class)
    heap.release(block, block_class)
    top, size = heap.top, PAGE_BYTES << size_class
    pieces = [heap.allocate(size_class) for _ in range(1 << block_class - size_class)]
    assert pieces == list(range(block, block + (PAGE_BYTES << block_class), size))
    assert heap.top == top
    assert heap.allocate(size_class) == top


def test_pieces_are_zero_when_they_are_used_again() -> None:
    heap = Heap()
    pieces = [heap.allocate(0) for _ in range(3)]
    for piece in pieces:
        heap.release(piece, 0)
    for _ in pieces:
        piece = heap.allocate(0)
        assert not any(heap.state[piece : piece + PAGE_BYTES])


@pytest.mark.parametrize("size_class", [0, SEGMENT_CLASS, SEGMENT_CLASS + 1, BLOCK_CLASS_MAX + 1])
def test_what_is_given_back_or_taken_again_is_undone(size_class: int) -> None:
    heap = Heap()
    pieces = [heap.allocate(size_class) for _ in range(2)]
    heap.release(pieces[0], size_class)
    for step in (lambda: heap.release(pieces[1], size_class), lambda: heap.allocate(size_class)):
        before, journal = bytes(heap.state[: 2 * FIELDS]), heap.twin.cells["undo_top"].value
        words = [bytes(heap.state[piece : piece + 8]) for piece in pieces]
        heap.twin.cells["mark"].value += 1
        step()
        heap.twin.undo(journal)
        assert bytes(heap.state[: 2 * FIELDS]) == before
        assert [bytes(heap.state[piece : piece + 8]) for piece in pieces] == words
