"""
The ABI of a program: entries, events, storage and reasons, with a canonical JSON form that gives the same ABI back.

Types are those of the compiler; `abi_values` turns values into packed words and back, `abi_state` reads a program's
memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.layout import field_offsets
from execution.compiler.selector import selector, signature_text
from genesis.errors import Invalid

Json = Any  # str | int | list[Json] | dict[str, Json]


@dataclass(frozen=True, slots=True)
class AbiEntry:
    """kind: external, view, hook or migrate; the last two only the chain calls. order: cancel, post_only or trade."""

    name: str
    selector: int
    parameters: tuple[tuple[str, t.Type], ...]
    result: t.Type
    order: str
    kind: str

    @property
    def callable(self) -> bool:
        """Whether transactions and other programs reach it."""
        return self.kind in ("external", "view")

    @property
    def signature(self) -> str:
        """What the selector is the hash of: "transfer(asset,account,decimal)"."""
        return signature_text(self.name, [of for _, of in self.parameters])


@dataclass(frozen=True)
class Abi:
    """
    events: by number. fields: (name, type, state address). reasons: texts it may reject with, beside the built-in
    ones.
    """

    name: str
    entries: tuple[AbiEntry, ...]
    events: tuple[t.StructType, ...]
    fields: tuple[tuple[str, t.Type, int], ...]
    reasons: tuple[str, ...]

    @cached_property
    def by_name(self) -> dict[str, AbiEntry]:
        return {entry.name: entry for entry in self.entries}

    @cached_property
    def by_selector(self) -> dict[int, AbiEntry]:
        return {entry.selector: entry for entry in self.entries}

    def entry(self, name: str) -> AbiEntry:
        """
        The entry of that name.

        Raises:
            Invalid: the program has none.
        """
        if name not in self.by_name:
            raise Invalid(
                f"{self.name} has no entry `{name}`; it has {', '.join(self.by_name) or 'none'}", "unknown_entry"
            )
        return self.by_name[name]

    def text(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(_to_json(self), sort_keys=True, separators=(",", ":"))


def abi_of(program: tree.Program) -> Abi:
    """The ABI of a checked program."""
    entries = tuple(
        AbiEntry(m.name, selector(m.name, [of for _, of in m.parameters]), m.parameters, m.result, m.order, m.kind)
        for m in program.methods
    )
    offsets = field_offsets(program.fields)
    fields = tuple((name, of, offsets[name]) for name, of in program.fields)
    events = tuple(event for event in program.events if isinstance(event, t.StructType))
    return Abi(program.name, entries, events, fields, program.reasons)


# JSON


def _to_json(abi: Abi) -> Json:
    named: dict[str, Json] = {}
    entries = [
        {
            "name": entry.name,
            "selector": f"{entry.selector:08x}",
            "parameters": [[name, _type_json(of, named)] for name, of in entry.parameters],
            "result": _type_json(entry.result, named),
            "order": entry.order,
            "kind": entry.kind,
        }
        for entry in abi.entries
    ]
    events = [_type_json(event, named) for event in abi.events]
    fields = [[name, _type_json(of, named), offset] for name, of, offset in abi.fields]
    return {
        "name": abi.name, "entries": entries, "events": events, "fields": fields, "reasons": list(abi.reasons), "types":
        named
    }  # fmt: skip


def _type_json(of: t.Type, named: dict[str, Json]) -> Json:
    """A scalar is its name, everything else a list that starts with its kind; named types go to `named`."""
    match of:
        case t.Scalar(name):
            return name
        case t.EnumType(name, members):
            return _name_type(named, "enum", name, list(members))
        case t.StructType(name, fields, event):
            return _name_type(named, "event" if event else "struct", name, _fields_json(fields, named))
        case t.RecordType(name, fields):
            return _name_type(named, "record", name, _fields_json(fields, named))
        case t.ProgramType(name, module):
            return ["program", name, module]
        case t.OptionalType(item):
            return ["optional", _type_json(item, named)]
        case t.ArrayType(item, count, bounded):
            return ["bounded_list" if bounded else "array", _type_json(item, named), count]
        case t.TupleType(items):
            return ["tuple", *(_type_json(item, named) for item in items)]
        case t.MapType(key, value, ordered):
            return ["ordered_map" if ordered else "map", _type_json(key, named), _type_json(value, named)]
        case t.QueueType(item):
            return ["queue", _type_json(item, named)]
        case t.ListType(item):
            return ["list", _type_json(item, named)]


def _fields_json(fields: tuple[tuple[str, t.Type], ...], named: dict[str, Json]) -> Json:
    return [[name, _type_json(of, named)] for name, of in fields]


def _name_type(named: dict[str, Json], kind: str, name: str, content: Json) -> Json:
    if named.setdefault(name, [kind, content]) != [kind, content]:
        raise Invalid(f"two different types are called `{name}`", "does_not_compile")
    return [kind, name]


def parse_abi(text: str) -> Abi:
    """
    The inverse of `Abi.text`.

    Raises:
        Invalid: the text is not the canonical JSON of an ABI.
    """
    try:
        data = json.loads(text)
        named = data["types"]
        entries = tuple(_entry_of(entry, named) for entry in data["entries"])
        events = tuple(_type_of(event, named) for event in data["events"])
        fields = tuple((name, _type_of(of, named), offset) for name, of, offset in data["fields"])
        abi = Abi(data["name"], entries, events, fields, tuple(data["reasons"]))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"this is not an ABI ({error}); take it from a compiled artifact", "bad_abi") from None
    return abi


def _entry_of(data: Json, named: Json) -> AbiEntry:
    parameters = tuple((name, _type_of(of, named)) for name, of in data["parameters"])
    result = _type_of(data["result"], named)
    return AbiEntry(data["name"], int(data["selector"], 16), parameters, result, data["order"], data["kind"])


def _type_of(data: Json, named: Json) -> t.Type:
    if isinstance(data, str):
        if data not in t.SCALARS:
            raise ValueError(f"no type {data}")
        return t.Scalar(data)
    kind, *rest = data
    if kind in ("enum", "struct", "event", "record"):
        content = named[rest[0]][1]
        if kind == "enum":
            return t.EnumType(rest[0], tuple(content))
        members = tuple((name, _type_of(of, named)) for name, of in content)
        return t.RecordType(rest[0], members) if kind == "record" else t.StructType(rest[0], members, kind == "event")
    if kind == "program":
        return t.ProgramType(*rest)
    if kind in ("array", "bounded_list"):
        return t.ArrayType(_type_of(rest[0], named), int(rest[1]), kind == "bounded_list")
    items = tuple(_type_of(item, named) for item in rest)
    match kind, items:
        case "optional", (item,):
            return t.OptionalType(item)
        case "tuple", _:
            return t.TupleType(items)
        case "queue", (item,):
            return t.QueueType(item)
        case "list", (item,):
            return t.ListType(item)
        case "map" | "ordered_map", (key, value):
            return t.MapType(key, value, kind == "ordered_map")
    raise ValueError(f"no type {kind}")
