"""
Whether a program's next version finds its state where the last one left it: fields may only be added behind the others.

An enum may get members behind its own, and a reference may be seen through another interface; nothing else that lies in
state may change, names included, so that no field silently means something else.
"""

from __future__ import annotations

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.layout import fields_end


def difference(old: Abi, new: Abi, room: int) -> str:
    """
    Why the new version cannot go on with the old one's state, naming the first field; "" when it can.

    room: bytes from the start of state that are the fields', as the program's first version laid it out.
    """
    for place, (name, of, at) in enumerate(old.fields):
        if place >= len(new.fields):
            return f"the field `{name}` is missing"
        found, kind, there = new.fields[place]
        if found != name:
            return f"field {place + 1} is `{found}`, it was `{name}`"
        if not _same(of, kind):
            return f"the field `{name}` is of type {kind}, it was {of}{_inside(of, kind)}"
        if there != at:
            return f"the field `{name}` lies at {there}, it lay at {at}"
    end = fields_end(tuple((name, of) for name, of, _ in new.fields))
    if end > room:
        return f"the field `{new.fields[-1][0]}` ends at byte {end} of state, and the program has room up to {room}"
    return ""


def _inside(old: t.Type, new: t.Type) -> str:
    """What to say when both are called the same."""
    return "" if str(old) != str(new) else " of other members"


def _same(old: t.Type, new: t.Type) -> bool:
    """Whether every image of the old type is one of the new, with the same meaning."""
    match old, new:
        case t.EnumType(name, members), t.EnumType(other, more):
            return name == other and more[: len(members)] == members
        case t.ProgramType(), t.ProgramType():
            return True
        case (t.StructType(name, fields), t.StructType(other, found)) | (
            t.RecordType(name, fields),
            t.RecordType(other, found),
        ):
            return name == other and _same_fields(fields, found)
        case t.OptionalType(item), t.OptionalType(found):
            return _same(item, found)
        case t.ArrayType(item, count, bounded), t.ArrayType(found, other, also):
            return (count, bounded) == (other, also) and _same(item, found)
        case t.MapType(key, value, ordered), t.MapType(kind, found, also):
            return ordered == also and _same(key, kind) and _same(value, found)
        case (t.ListType(item), t.ListType(found)) | (t.QueueType(item), t.QueueType(found)):
            return _same(item, found)
        case _:
            return old == new


def _same_fields(old: tuple[tuple[str, t.Type], ...], new: tuple[tuple[str, t.Type], ...]) -> bool:
    return len(old) == len(new) and all(
        name == other and _same(of, kind) for (name, of), (other, kind) in zip(old, new, strict=True)
    )
