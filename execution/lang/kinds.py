"""
Kinds: what an annotation means at run time, in one place.

A kind knows the zero of its type, converts a value that is stored, passed or returned (an int where a Decimal is
expected becomes one, exactly), and turns values into plain Python data (ints, bytes, str, tuples, None) and back.
Plain data is what crosses from program to program, what keys are compared by, and what a snapshot of state is made
of. Language classes describe themselves through `__kind__`; this file knows only bool, int, None, Optional and tuple.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

INT_MIN = -(1 << 63)
INT_MAX = (1 << 63) - 1

Plain = Any  # int | bytes | str | None | tuple[Plain, ...] | list[Plain]


class Kind(Protocol):
    """abi: the name in a selector's signature text. Storage kinds (records, containers) have abi ""."""

    @property
    def abi(self) -> str: ...

    def zero(self) -> Any: ...

    def coerce(self, value: Any) -> Any:
        """The value as this type; TypeError when a program could not have passed mypy."""

    def plain(self, value: Any) -> Plain: ...

    def load(self, plain: Plain) -> Any:
        """The inverse of `plain`; ValueError when no value has this image."""


@dataclass(frozen=True, slots=True)
class ValueKind:
    """A type of immutable values with one class."""

    abi: str
    cls: type
    nought: Any
    image: Callable[[Any], Plain]
    make: Callable[[Plain], Any]

    def zero(self) -> Any:
        return self.nought

    def coerce(self, value: Any) -> Any:
        if type(value) is not self.cls:
            raise TypeError(f"expected {self.cls.__name__}, got {value!r}")
        return value

    def plain(self, value: Any) -> Plain:
        return self.image(value)

    def load(self, plain: Plain) -> Any:
        return self.make(plain)


def load_int(plain: Plain) -> int:
    if not INT_MIN <= plain <= INT_MAX:
        raise ValueError(f"{plain} does not fit a signed 64-bit word")
    return int(plain)


def _truth(plain: Plain) -> bool:
    if plain not in (0, 1):
        raise ValueError(f"{plain} is not a bool")
    return bool(plain)


INT = ValueKind("int", int, 0, int, load_int)
BOOL = ValueKind("bool", bool, False, int, _truth)
NONE = ValueKind("", type(None), None, lambda _value: None, lambda _plain: None)


@dataclass(frozen=True, slots=True)
class OptionalKind:
    inner: Kind

    @property
    def abi(self) -> str:
        return self.inner.abi + "?"

    def zero(self) -> Any:
        return None

    def coerce(self, value: Any) -> Any:
        return None if value is None else self.inner.coerce(value)

    def plain(self, value: Any) -> Plain:
        return None if value is None else self.inner.plain(value)

    def load(self, plain: Plain) -> Any:
        return None if plain is None else self.inner.load(plain)


@dataclass(frozen=True, slots=True)
class TupleKind:
    """Results only: a function may return several values."""

    members: tuple[Kind, ...]

    @property
    def abi(self) -> str:
        return "(" + ",".join(member.abi for member in self.members) + ")"

    def zero(self) -> Any:
        return tuple(member.zero() for member in self.members)

    def coerce(self, value: Any) -> Any:
        return tuple(member.coerce(item) for member, item in zip(self.members, value, strict=True))

    def plain(self, value: Any) -> Plain:
        return tuple(member.plain(item) for member, item in zip(self.members, value, strict=True))

    def load(self, plain: Plain) -> Any:
        return tuple(member.load(item) for member, item in zip(self.members, plain, strict=True))


def kind_of(annotation: Any) -> Kind:
    """The kind an annotation stands for; TypeError for what the language does not have."""
    if annotation is int:
        return INT
    if annotation is bool:
        return BOOL
    if annotation is None or annotation is type(None):
        return NONE
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        present = [argument for argument in arguments if argument is not type(None)]
        if len(present) != 1 or len(arguments) != 2:
            raise TypeError(f"{annotation}: of unions the language has only Optional[T]")
        return OptionalKind(kind_of(present[0]))
    if origin is tuple:
        return TupleKind(tuple(kind_of(argument) for argument in arguments))
    cls = origin or annotation
    if not hasattr(cls, "__kind__"):
        raise TypeError(f"{annotation!r} is not a type of the language")
    kind: Kind = cls.__kind__(arguments)
    return kind


NAMESPACE = "__tenor_namespace__"


def member_kinds(cls: type, stop: type) -> dict[str, Kind]:
    """The annotated members of a class and its bases below `stop`, in order of definition."""
    kinds: dict[str, Kind] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, stop) or base is stop:
            continue
        namespace = base.__dict__.get(NAMESPACE) or vars(sys.modules[base.__module__])
        for name, annotation in inspect.get_annotations(base).items():
            if isinstance(annotation, str):
                annotation = eval(annotation, namespace)
            kinds[name] = kind_of(annotation)
    return kinds
