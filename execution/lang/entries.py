"""
Entry points of a program class: names, parameters, result, order class, and the signature text that selects them.

The text is "name(type,type)"; its hash is the selector on the wire. A call finds the callee's entry by it, so caller
and callee may know each other through different classes.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from execution.lang.kinds import Kind, Plain, kind_of
from execution.lang.program import ENTRY, Program

RANKS = {"cancel": 0, "post_only": 1, "trade": 2}


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """
    kind: "external", "view", or "hook" (reachable by the chain only: create, handlers). rank: index of the order
    class.
    """

    name: str
    kind: str
    rank: int
    parameters: dict[str, Kind]
    result: Kind

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(kind.abi for kind in self.parameters.values())})"

    def pack(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Plain, ...]:
        """Plain images of the arguments, converted as declared; TypeError when they do not fit the signature."""
        names = tuple(self.parameters)
        given = dict(zip(names, arguments, strict=False)) | keywords
        if len(arguments) + len(keywords) != len(names) or given.keys() != self.parameters.keys():
            raise TypeError(f"{self.signature} takes {', '.join(names) or 'nothing'}, got {arguments} {keywords}")
        return tuple(kind.plain(kind.coerce(given[name])) for name, kind in self.parameters.items())

    def unpack(self, plain: tuple[Plain, ...]) -> tuple[Any, ...]:
        """ValueError when a word is no value of its type."""
        return tuple(kind.load(item) for kind, item in zip(self.parameters.values(), plain, strict=True))


def signature_of(function: Callable[..., Any]) -> tuple[dict[str, Kind], Kind]:
    """Kinds of the annotated parameters and of the result."""
    hints = typing.get_type_hints(function)
    result = kind_of(hints.pop("return", None))
    return {name: kind_of(hint) for name, hint in hints.items()}, result


def entry_of(cls: type[Program], name: str) -> EntryPoint:
    """The method as an entry point; AttributeError when the class has none of this name."""
    return _entry(getattr(cls, name))


@cache
def _entry(method: Callable[..., Any]) -> EntryPoint:
    kind, order = getattr(method, ENTRY, ("hook", "cancel"))
    parameters, result = signature_of(method)
    return EntryPoint(method.__name__, kind, RANKS[order], parameters, result)


def entries_of(cls: type[Program]) -> dict[str, EntryPoint]:
    """External and view entries by signature."""
    names = [name for name in dir(cls) if getattr(getattr(cls, name), ENTRY, ("hook",))[0] in ("external", "view")]
    entries = (entry_of(cls, name) for name in names)
    return {entry.signature: entry for entry in entries}


_invariants: dict[type, tuple[str, ...]] = {}


def invariants_of(cls: type[Program]) -> tuple[str, ...]:
    """Names of the invariants, in order of the text, those of bases first."""
    if cls not in _invariants:
        names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
        kinds = {name: getattr(getattr(cls, name), ENTRY, ("hook",))[0] for name in names}
        _invariants[cls] = tuple(name for name, kind in kinds.items() if kind == "invariant")
    return _invariants[cls]
