"""
Where a named value lies: a field of a program, then keys, indices and members down to the value.

A path has a step for each level: the packed key of a map, the index of a list as a packed word, the name of a record's
member. Below a flat value there are no steps: its image is proven whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.abi_state import Reader
from execution.compiler.layout import member_offsets, shape, storage_bytes
from execution.vm.layout import WORD_BYTES
from execution.vm.lookup import find_entry, find_item
from genesis.errors import Invalid

Step = bytes | str


@dataclass(frozen=True, slots=True)
class Place:
    """type: of the value; of a container it is the header that lies there. address: 0 when a key is not there."""

    type: t.Type
    address: int

    @property
    def size(self) -> int:
        """Bytes of the value's image; 0 for one that is not there."""
        return storage_bytes(self.type) if self.address else 0


def locate(abi: Abi, read: Reader, field: str, path: Sequence[Step]) -> Place:
    """
    Find a value in a program's state.

    Raises:
        Invalid: "unknown_field", or "bad_path" for a step that its type does not have.
    """
    fields = {name: Place(of, address) for name, of, address in abi.fields}
    if field not in fields:
        raise Invalid(f"{abi.name} has no field `{field}`; it has {', '.join(fields) or 'none'}.", "unknown_field")
    place = fields[field]
    for step in path:
        place = _below(place, read, step)
    return place


def _below(place: Place, read: Reader, step: Step) -> Place:
    match place.type, step:
        case t.MapType(key, value), bytes() if len(step) == storage_bytes(key):
            of = shape(place.type)
            entry = find_entry(read, place.address, of, step) if place.address else 0
            return Place(value, entry and entry + of.value_offset)
        case t.ListType(item), bytes() if len(step) == WORD_BYTES:
            index = int.from_bytes(step, "little", signed=True)
            return Place(item, find_item(read, place.address, shape(place.type), index) if place.address else 0)
        case t.RecordType(_, fields), str() if step in dict(fields):
            return Place(dict(fields)[step], place.address and place.address + member_offsets(fields)[step])
    raise Invalid(f"{_shown(step)} is no step into {place.type}: {_wanted(place.type)}.", "bad_path")


def _shown(step: Step) -> str:
    return f"0x{step.hex()}" if isinstance(step, bytes) else repr(step)


def _wanted(of: t.Type) -> str:
    match of:
        case t.MapType(key):
            return f"name a key, {key} in {storage_bytes(key)} packed bytes"
        case t.ListType():
            return f"name an index in {WORD_BYTES} packed bytes"
        case t.RecordType(_, fields):
            return f"name one of {', '.join(name for name, _ in fields)}"
    return "the path ends before it"
