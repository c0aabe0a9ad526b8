"""
Classes of members: Struct (a frozen value), Event (a Struct that is emitted), Record (a node of storage), Enum.

Members are the annotations in order; constructors take them by position or keyword and convert ints to Decimals where
one is declared. Two structs are equal when class name and members are. A Record lives only as the value of a
container; names for it are borrows, and writing a member of a borrow is a write to storage.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Self, dataclass_transform

from execution.lang import journal
from execution.lang.kinds import Kind, Plain, member_kinds
from execution.lang.sequences import SequenceKind, stored_zero


def _bind(
    cls: type, names: tuple[str, ...], values: tuple[object, ...], keywords: dict[str, object]
) -> dict[str, object]:
    if len(values) > len(names):
        raise TypeError(f"{cls.__name__} has {len(names)} members, got {len(values)}")
    given = dict(zip(names, values, strict=False))
    for name, value in keywords.items():
        if name not in names or name in given:
            raise TypeError(f"{cls.__name__} has no member {name}, or it is given twice")
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise TypeError(f"{cls.__name__} lacks {', '.join(missing)}")
    return given


_kinds: dict[type, dict[str, Kind]] = {}


def kinds_of(cls: type) -> dict[str, Kind]:
    """The kinds of a class's members; resolved at first use, since annotations may name later classes."""
    if cls not in _kinds:
        _kinds[cls] = member_kinds(cls, Struct if issubclass(cls, Struct) else Record)
    return _kinds[cls]


@dataclass_transform(frozen_default=True, eq_default=True)
class Struct:
    """A frozen value. `replace` gives a changed copy."""

    def __init__(self, *values: Any, **keywords: Any) -> None:
        kinds = kinds_of(type(self))
        given = _bind(type(self), tuple(kinds), values, keywords)
        for name, kind in kinds.items():
            object.__setattr__(self, name, kind.coerce(given[name]))

    def replace(self, **changes: Any) -> Self:
        members = {name: getattr(self, name) for name in kinds_of(type(self))}
        return type(self)(**{**members, **_known(type(self), changes)})

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(f"{type(self).__name__} is frozen; use .replace({name}=…)")

        def __delattr__(self, name: str) -> None:
            raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct) or _title(type(self)) != _title(type(other)):
            return NotImplemented
        return members_of(self) == members_of(other)

    def __hash__(self) -> int:
        return hash(members_of(self))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in kinds_of(type(self)))
        return f"{type(self).__name__}({inside})"

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return StructKind(cls)


class Event(Struct):
    """What a program tells the world; its members are flat."""


def _title(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _known(cls: type, changes: dict[str, object]) -> dict[str, object]:
    unknown = changes.keys() - kinds_of(cls).keys()
    if unknown:
        raise TypeError(f"{cls.__name__} has no member {', '.join(sorted(unknown))}")
    return changes


def members_of(value: Struct | Record) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in kinds_of(type(value)))


class StructKind:
    """Accepts the same class loaded twice (plain and instrumented)."""

    __slots__ = ("cls",)

    def __init__(self, cls: type[Struct]) -> None:
        self.cls = cls

    @property
    def abi(self) -> str:
        return "(" + ",".join(kind.abi for kind in kinds_of(self.cls).values()) + ")"

    def zero(self) -> Struct:
        return self.cls(*(kind.zero() for kind in kinds_of(self.cls).values()))

    def coerce(self, value: Any) -> Struct:
        if type(value) is self.cls:
            made: Struct = value
            return made
        if isinstance(value, Struct) and _title(type(value)) == _title(self.cls):
            return self.load(type(value).__kind__(()).plain(value))
        raise TypeError(f"expected {self.cls.__name__}, got {value!r}")

    def plain(self, value: Struct) -> Plain:
        kinds = kinds_of(self.cls)
        return tuple(kind.plain(getattr(value, name)) for name, kind in kinds.items())

    def load(self, plain: Plain) -> Struct:
        kinds = kinds_of(self.cls).values()
        return self.cls(*(kind.load(member) for kind, member in zip(kinds, plain, strict=True)))


@dataclass_transform(eq_default=False)
class Record:
    """A node of storage. Made by its container (`create`, `obtain`, `add`), zeroed; never by a program."""

    def __init__(self, *_values: Any, **_keywords: Any) -> None:
        raise TypeError(f"{type(self).__name__} is a Record: it is made by its container's create, obtain or add")

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            store(self, kinds_of(type(self)), name, value)

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return RecordKind(cls)


def store(owner: object, kinds: dict[str, Kind], name: str, value: object) -> None:
    """Write a stored member of a record or a program: converted, journalled; containers cannot be assigned."""
    kind = kinds.get(name)
    if kind is None:
        raise AttributeError(f"{type(owner).__name__} has no field {name}")
    if not kind.abi:
        raise TypeError(f"{type(owner).__name__}.{name} is a container; it is changed in place, never assigned")
    if isinstance(kind, SequenceKind):
        getattr(owner, name).overwrite(kind.coerce(value))
        return
    journal.record(object.__setattr__, owner, name, getattr(owner, name))
    object.__setattr__(owner, name, kind.coerce(value))


class RecordKind:
    abi = ""

    def __init__(self, cls: type[Record]) -> None:
        self.cls = cls

    def zero(self) -> Record:
        made = object.__new__(self.cls)
        for name, kind in kinds_of(self.cls).items():
            object.__setattr__(made, name, stored_zero(kind))
        return made

    def coerce(self, value: Any) -> Record:
        raise TypeError(f"{self.cls.__name__} is a Record: it cannot be stored, only created in its container")

    def plain(self, value: Record) -> Plain:
        kinds = kinds_of(self.cls)
        return tuple(kind.plain(getattr(value, name)) for name, kind in kinds.items())

    def load(self, plain: Plain) -> Record:
        raise TypeError(f"{self.cls.__name__} is a Record and never crosses a boundary")


class Enum(enum.Enum):
    """Members are numbered 0, 1, … in order of definition, whatever their values."""

    @property
    def number(self) -> int:
        return list(type(self)).index(self)

    if not TYPE_CHECKING:

        def __eq__(self, other: object) -> bool:
            if not isinstance(other, Enum):
                return NotImplemented
            return _title(type(self)) == _title(type(other)) and self.name == other.name

        def __hash__(self) -> int:
            return hash(self.name)

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return EnumKind(cls)


class EnumKind:
    abi = "int"

    def __init__(self, cls: type[Enum]) -> None:
        self.cls = cls

    def zero(self) -> Enum:
        return self.load(0)

    def coerce(self, value: Any) -> Enum:
        if isinstance(value, Enum) and _title(type(value)) == _title(self.cls):
            return self.load(value.number)
        raise TypeError(f"expected {self.cls.__name__}, got {value!r}")

    def plain(self, value: Enum) -> Plain:
        return value.number

    def load(self, plain: Plain) -> Enum:
        members = list(self.cls)
        if not 0 <= plain < len(members):
            raise ValueError(f"{self.cls.__name__} has no member number {plain}")
        return members[plain]
