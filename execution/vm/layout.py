"""
Byte offsets every part of the engine agrees on: page 0 of a program's state, container headers, entries, shapes.

Compiled code reads counts and links with plain loads at these offsets; everything else in a header belongs to the
runtime. Addresses are state addresses (bytes); words are 8 bytes, little-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

WORD_BYTES = 8
PAGE_BYTES = 1024
PAGE_SHIFT = 10
LINE_BYTES = 128  # what undo saves and puts back
LINE_SHIFT = 7
LINES_PER_PAGE = PAGE_BYTES // LINE_BYTES
MARK_BYTES = 8  # of a line, in the memory of marks

# Page 0, the program record (byte offsets)
MAGIC = 0x524F4E4554
MAGIC_OFFSET = 0
HEAP_TOP = 8
FREE_LISTS = 16  # seven words: segment classes of 1, 2, 4 … 64 KiB
LIVE_BYTES = 72  # u32: of the entries and items of all containers
PAID_BYTES = 76  # u32: those for which the chain holds a deposit
CARVE = 80  # u32 start, u32 end of a freed block that segments are being cut from
FREE_BLOCKS = 88  # ten u32: freed blocks of 128 KiB, 256 KiB … 64 MiB
FIELDS = 128
STATE_BYTES_MAX = 1 << 30

# Container headers (byte offsets)
HEADER_WORDS = 16
HEADER_BYTES = HEADER_WORDS * WORD_BYTES
COUNT = 0  # u64: live entries, or the length of a list
FIRST = 8  # u64: address of the first entry in iteration order, 0 when empty
LAST = 16  # u64: address of the last entry, 0 when empty
ITERATING = 24  # u64: iterations under way; while not 0 no key may be added or removed

# The runtime's part of a header (byte offsets, u32 each)
FREE_SLOTS = 32  # first freed entry, linked through NEXT
SEGMENTS = 36  # segments held; the first has 1 KiB, each next one twice that, up to 64 KiB
FRESH = 40  # address of the next entry never used; 0 at first
FRESH_END = 44  # end of the newest segment
SEGMENT = 48  # addresses of the first seven segments
SEGMENTS_DIRECT = 7
DIRECTORY = 76  # page of addresses of pages of addresses of the further segments; 0: none
TABLE = 80  # map: index, 0 while a few entries are simply searched. Ordered map: root node, 0 when empty
TABLE_BITS = 84  # map: binary logarithm of the index's slots
OLD_TABLE = 88  # map: index being migrated, 0: none
OLD_BITS = 92
CURSOR = 96  # map: slots of the old index already migrated

# A slot of a map's index: u32 hash, u32 entry (0: never used, 1: deleted). The hash's top bits are the slot's place.
SLOT_BYTES = 8

# A node of an ordered map's tree: one page
NODE_COUNT = 0  # u32
NODE_LEVEL = 4  # u32: 0 is a leaf
NODE_BEFORE = 8  # u32: address of the leaf before this one, 0: none
NODE_AFTER = 12  # u32
NODE_KEYS = 16  # then as many u32 addresses, of entries or of nodes

ENTRY_BYTES_MAX = PAGE_BYTES  # an entry or list item never crosses a page

# Entries of maps (byte offsets)
NEXT = 0  # u32: address of the next entry in iteration order, 0 at the end; an ordered map's are 0
PREV = 4  # u32: likewise
HASH = 8  # u32: 0 in an ordered map
LIVE = 12  # u32: 1
KEY = 16  # key words, then value words

KEY_WORDS_MAX = 6
VALUE_WORDS_MAX = 32  # of a flat value


def node_capacity(key_words: int) -> int:
    """Keys in a node of an ordered map: 84 of one word, 50 decimals."""
    return (PAGE_BYTES - NODE_KEYS) // (key_words * WORD_BYTES + 4)


def spread(size: int) -> int:
    """
    Bytes that an entry of `size` takes: whole lines when as many of them fit a page, so that it shares none.

    A write then saves one line where it saved two.
    """
    lines = -(-size // LINE_BYTES) * LINE_BYTES
    return lines if PAGE_BYTES // lines == PAGE_BYTES // size > 0 else size


ContainerKind = Literal["map", "omap", "list", "queue"]


@dataclass(frozen=True, slots=True)
class Shape:
    """
    What the runtime must know to specialise one container type.

    key_words: 0 for a list or queue. key_signed2: the key is one 128-bit signed decimal (ordered maps only).
    value_words: words of the value area, nested headers included.
    """

    kind: ContainerKind
    key_words: int
    key_signed2: bool
    value_words: int

    @property
    def entry_bytes(self) -> int:
        """Bytes from an entry, or an item of a list or queue, to the next; at most ENTRY_BYTES_MAX."""
        size = self.value_offset + self.value_words * WORD_BYTES
        if self.kind == "queue":
            return size  # its page holds a link as well
        return spread(size)

    @property
    def value_offset(self) -> int:
        """Byte offset of the value inside an entry; an item of a list or queue starts with its value."""
        return 0 if self.kind in ("list", "queue") else KEY + self.key_words * WORD_BYTES

    def function(self, operation: str) -> str:
        """Name in IR of a runtime function: "map_find.k3.v4", "omap_ceil.d.v9", "list_at.v2"."""
        if self.kind in ("list", "queue"):
            return f"{self.kind}_{operation}.v{self.value_words}"
        key = "d" if self.key_signed2 else f"k{self.key_words}"
        return f"{self.kind}_{operation}.{key}.v{self.value_words}"


def list_place(read_u32: Callable[[int], int], header: int, index: int, value_words: int) -> int:
    """State address of a list's item, found without running code; read_u32 reads state. index: 0 ≤ index < length."""
    size = spread(value_words * WORD_BYTES)
    page, slot = divmod(index, PAGE_BYTES // size)
    doubling = (1 << SEGMENTS_DIRECT) - 1  # pages in the segments before all have 64 KiB
    if page < doubling:
        number = (page + 1).bit_length() - 1
        segment = read_u32(header + SEGMENT + 4 * number)
        page -= (1 << number) - 1
    else:
        further, page = divmod(page - doubling, 64)
        leaf = read_u32(read_u32(header + DIRECTORY) + 4 * (further >> 8))
        segment = read_u32(leaf + 4 * (further & 255))
    return segment + page * PAGE_BYTES + slot * size
