"""
Where things lie in a program's state: static offsets of fields and members, shapes of containers.

The memory image of a flat value is its packed ABI image; a container is its header in place. Units are bytes unless
said.
"""

from __future__ import annotations

from execution.compiler import types as t
from execution.vm.layout import FIELDS, HEADER_BYTES, HEADER_WORDS, PAGE_BYTES, WORD_BYTES, Shape

GROWTH_BYTES = 4 * PAGE_BYTES
"""Room behind the fields that later versions may add fields in; as pages of zeros it costs nothing."""


def storage_words(of: t.Type) -> int:
    """Words a value takes inside a field, record or entry."""
    if isinstance(of, t.CONTAINERS):
        return HEADER_WORDS
    if isinstance(of, t.RecordType):
        return sum(storage_words(member) for _, member in of.fields)
    return t.words(of)


def storage_bytes(of: t.Type) -> int:
    return storage_words(of) * WORD_BYTES


def member_offsets(fields: tuple[tuple[str, t.Type], ...], start: int = 0) -> dict[str, int]:
    """Byte offset of each member, one after the other from `start`."""
    offsets = {}
    for name, member in fields:
        offsets[name] = start
        start += storage_bytes(member)
    return offsets


def field_offsets(fields: tuple[tuple[str, t.Type], ...]) -> dict[str, int]:
    """State addresses of a program's fields; a container's header is aligned, so that it never crosses a page."""
    offsets, at = {}, FIELDS
    for name, member in fields:
        if isinstance(member, t.CONTAINERS):
            at = -(-at // HEADER_BYTES) * HEADER_BYTES
        offsets[name] = at
        at += storage_bytes(member)
    return offsets


def fields_end(fields: tuple[tuple[str, t.Type], ...]) -> int:
    """First byte after the fields."""
    offsets = field_offsets(fields)
    return max((offsets[name] + storage_bytes(member) for name, member in fields), default=FIELDS)


def heap_start(fields: tuple[tuple[str, t.Type], ...]) -> int:
    """Where a program's heap begins: on a page behind the fields, with room for those of its later versions."""
    return -(-fields_end(fields) // PAGE_BYTES) * PAGE_BYTES + GROWTH_BYTES


def shape(of: t.Container) -> Shape:
    """The runtime's view of a container type."""
    if isinstance(of, t.QueueType):
        return Shape("queue", 0, False, storage_words(of.item))
    if isinstance(of, t.ListType):
        return Shape("list", 0, False, storage_words(of.item))
    return Shape(
        "omap" if of.ordered else "map", t.words(of.key), of.ordered and of.key == t.DECIMAL, storage_words(of.value)
    )
