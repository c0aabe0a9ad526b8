"""What the runtime's files share: memories, globals, tags, prices, reasons, by the names the kernel exports."""

from __future__ import annotations

from hashlib import sha256

from execution.vm.core import Globals, Memory, Tag, parameter


def reason(text: str) -> int:
    """The word of a reason: the first 8 bytes of the text's SHA-256, little-endian, signed."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "little", signed=True)


STATE = Memory("state")
MARKS = Memory("marks")
UNDO = Memory("undo")
BEFORE = Memory("before")
TABLES = Memory("tables")  # constants of the mathematics, in programs that use it

g = Globals(
    gas="i64",
    mark="i64",
    block_mark="i64",
    undo_top="i32",
    before_top="i32",
    owed="i64",  # bytes of storage added and paid for in this scope, less those given back
    paying="i32",  # 1 while somebody pays for what is added
    self_index="i32",
)


class reject(Tag):
    """The word is a reason."""

    parameters = ("i64",)


class exhausted(Tag):
    """The transaction's own gas has run out."""


# Prices in gas, given when a module is emitted; named as in the chain's gas table.
TOUCH_LINE = parameter("touch_line")
DIRTY_PAGE = parameter("dirty_page")
PROBE = parameter("probe")
ZERO_WORD = parameter("zero_word")
PRICES = ("touch_line", "dirty_page", "probe", "zero_word")

OVERFLOW = reason("overflow")
DIVISION_BY_ZERO = reason("division by zero")
INVALID_NUMBER = reason("invalid number")
EMPTY = reason("empty")
INDEX_OUT_OF_RANGE = reason("index out of range")
CHANGED_WHILE_ITERATING = reason("changed while iterating")
STATE_FULL = reason("state full")
