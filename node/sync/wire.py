"""
Questions and answers about snapshots; canonical msgpack but for pages, which are bytes as they are in memory.

Shapes are checked here, truth by whoever asked: against a certified header, piece by piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genesis import codec
from genesis.errors import Invalid
from genesis.merkle import PAGE_BYTES, SUBTREE_PAGES

OFFER, PART, PAGES = "sync/offer/1", "sync/part/1", "sync/pages/1"
"""Requests: what there is; a piece of what comes beside the pages; the pages under one node of level 2."""
META, TREES, BLOCK = 0, 1, 2
"""Of what a piece is asked for: the code, the hashes under the state root, a block with its results."""
PART_BYTES_MAX = 1 << 20
SIZES_MAX = (256 << 20, 64 << 20, 256 << 20)
"""Of what is asked for in pieces, by kind."""
HEIGHTS_MAX = 16
_MASK_BYTES = SUBTREE_PAGES // 8
_ZERO_PAGE = bytes(PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class Offer:
    """
    What a node has. first, head: of its blocks, 0 before the first. fingerprint: of the code in its newest checkpoint,
    empty without one. heights: of the snapshots it serves, newest first.
    """

    first: int
    head: int
    fingerprint: bytes
    heights: tuple[int, ...]

    def encode(self) -> bytes:
        return codec.encode((self.first, self.head, self.fingerprint, self.heights))

    @classmethod
    def decode(cls, data: bytes) -> Offer:
        """Raises Invalid."""
        first, head, fingerprint, heights = codec.decode_array(data, 4, 1_024, "An offer", depth_max=2)
        rows = codec.expect_array(heights, None, "An offer's heights")
        for height in (first, head, *rows):
            codec.check_uint(height, 63, "A height")
        if type(fingerprint) is not bytes or len(fingerprint) not in (0, 32) or len(rows) > HEIGHTS_MAX:
            raise Invalid("An offer has a fingerprint of 32 bytes and a few heights.", "malformed")
        return cls(first, head, fingerprint, rows)


def encode_numbers(*numbers: int) -> bytes:
    """A question: of PART height, kind, number, offset; of PAGES height, program, subtree."""
    return codec.encode(numbers)


def decode_numbers(data: bytes, count: int) -> tuple[int, ...]:
    """Raises Invalid."""
    numbers = codec.decode_array(data, count, 64, "A question")
    for number in numbers:
        codec.check_uint(number, 63, "A question's number")
    return tuple(numbers)


def encode_part(whole: bytes, offset: int) -> bytes:
    return codec.encode((len(whole), whole[offset : offset + PART_BYTES_MAX]))


def decode_part(data: bytes) -> tuple[int, bytes]:
    """Bytes of the whole, and the piece asked for. Raises Invalid."""
    size, piece = codec.decode_array(data, 2, PART_BYTES_MAX + 64, "A piece")
    codec.check_uint(size, 63, "A size")
    if type(piece) is not bytes:
        raise Invalid("A piece is bytes.", "malformed")
    return size, piece


def encode_pages(pages: Mapping[int, bytes], first: int) -> bytes:
    """32 bytes that say which of the pages from `first` on are not all zeros, then these."""
    shown = [page for page in sorted(pages) if pages[page] != _ZERO_PAGE]
    mask = sum(1 << page - first for page in shown)
    return mask.to_bytes(_MASK_BYTES, "little") + b"".join(pages[page] for page in shown)


def decode_pages(data: bytes, first: int) -> dict[int, bytes]:
    """By number. Raises Invalid."""
    mask = int.from_bytes(data[:_MASK_BYTES], "little")
    if len(data) != _MASK_BYTES + mask.bit_count() * PAGE_BYTES:
        raise Invalid("Pages are a mask of 32 bytes and as many pages as it has bits.", "malformed")
    shown = [first + bit for bit in range(SUBTREE_PAGES) if mask >> bit & 1]
    starts = range(_MASK_BYTES, len(data), PAGE_BYTES)
    return {page: data[at : at + PAGE_BYTES] for page, at in zip(shown, starts, strict=True)}
