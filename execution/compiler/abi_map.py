"""
What lies where in a program's state: every value with its address, so that bytes can be given the name of a field.

The inverse of `abi_place`, which finds the address of a named value. Walks all of the state; for diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.abi_state import Reader, entry_key, entry_places, item_places, queue_places
from execution.compiler.abi_values import friendly, read
from execution.compiler.layout import member_offsets, shape, storage_bytes
from execution.vm.layout import COUNT, HEADER_BYTES, KEY, WORD_BYTES


@dataclass(frozen=True, slots=True)
class Extent:
    """
    Bytes of state that are one value, or that a container needs for itself.

    name: `field`, and what leads on from it, as in `accounts[0x12…].free`. part: "value"; "header" of a container, of
    which the value is its length; "entry", key and links of a map's entry, of which the value is the key.
    """

    name: str
    part: str
    type: t.Type
    address: int
    size: int

    def value(self, reader: Reader) -> Any:
        """As clients see it. Raises Invalid when the bytes there are no image of its type."""
        match self.part:
            case "header":
                return int.from_bytes(reader(self.address + COUNT, WORD_BYTES), "little")
            case "entry":
                return friendly(self.type, read(self.type, reader(self.address + KEY, storage_bytes(self.type))))
        return friendly(self.type, read(self.type, reader(self.address, self.size)))


def extents(abi: Abi, reader: Reader) -> Iterator[Extent]:
    """
    Everything that the program's fields lead to. What is left over belongs to indices, trees and free room.

    Raises:
        Corrupt: links that lead nowhere, so give it a state that is sound.
    """
    for name, of, address in abi.fields:
        yield from _below(name, of, reader, address)


def _below(name: str, of: t.Type, reader: Reader, address: int) -> Iterator[Extent]:
    if isinstance(of, t.CONTAINERS):
        yield Extent(name, "header", of, address, HEADER_BYTES)
    match of:
        case t.MapType(key, value):
            for entry in entry_places(of, reader, address):
                below = f"{name}[{_text(friendly(key, entry_key(of, reader, entry)))}]"
                yield Extent(below, "entry", key, entry, shape(of).value_offset)
                yield from _below(below, value, reader, entry + shape(of).value_offset)
        case t.ListType(item):
            for index, place in enumerate(item_places(of, reader, address)):
                yield from _below(f"{name}[{index}]", item, reader, place)
        case t.QueueType(item):
            for index, place in enumerate(queue_places(of, reader, address)):
                yield from _below(f"{name}[{index}]", item, reader, place)
        case t.RecordType(_, fields):
            offsets = member_offsets(fields)
            for member, kind in fields:
                yield from _below(f"{name}.{member}", kind, reader, address + offsets[member])
        case _:
            yield Extent(name, "value", of, address, storage_bytes(of))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(map(_text, value.values()))
    data, index = getattr(value, "data", None), getattr(value, "index", None)
    if isinstance(data, bytes):
        return f"0x{data.hex()}"
    return str(index) if isinstance(index, int) else str(value)
