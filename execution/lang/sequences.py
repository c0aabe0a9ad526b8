"""
Array and BoundedList: a fixed number of flat values, and a list with room for at most so many.

    totals: Array[Decimal, 4] = Array()          zeros; or as many values as there are places
    found: BoundedList[Account, 16] = BoundedList()

Both are values: stored, passed and returned whole, `copy()` makes another one. A local may be changed in place, and so
may a field of a program or a record; inside structs, containers and parameters they are frozen. An index outside
0 ≤ i < len is Rejected "index out of range", appending to a full list "list is full", popping nothing "empty".
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from execution.lang import journal
from execution.lang.kinds import Kind, Plain, kind_of
from execution.lang.rejection import EMPTY, INDEX, LIST_FULL, Rejected

T = TypeVar("T")
N = TypeVar("N")


class Mode(Enum):
    """FREE: a temporary, changed in place. FROZEN: part of another value. STORED: a field, its changes journalled."""

    FREE = 0
    FROZEN = 1
    STORED = 2


class _Sequence(Generic[T, N]):
    """Values in a row. kind: None until the annotation is known."""

    __slots__ = ("_kind", "_mode", "_values")

    def __init__(self, *values: T) -> None:
        self._values: list[T] = list(values)
        self._kind: SequenceKind | None = None
        self._mode = Mode.FREE

    if not TYPE_CHECKING:

        def __class_getitem__(cls, arguments: Any) -> types.GenericAlias:
            return types.GenericAlias(cls, arguments)

    def __getitem__(self, index: int) -> T:
        return self._values[self._checked(index)]

    def __setitem__(self, index: int, value: T) -> None:
        kept = self._coerced(value)
        place = self._checked(index)
        self._before_change()
        self._values[place] = kept

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        """Live: what an earlier turn of the loop wrote is seen by a later one."""
        index = 0
        while index < len(self._values):
            yield self._values[index]
            index += 1

    def copy(self) -> Self:
        """A new temporary with the same values."""
        return self._new(self._values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, _Sequence)
        return self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(self._values))

    def __bool__(self) -> bool:
        raise TypeError("a sequence is not a condition; compare len(...) with 0")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._values))})"

    def overwrite(self, other: _Sequence[T, N]) -> None:
        """Take the other's values, in place: how a stored field is assigned."""
        self._before_change()
        self._values[:] = other._values

    def _new(self, values: list[T], kind: SequenceKind | None = None, mode: Mode = Mode.FREE) -> Self:
        made = type(self)(*values)
        made._kind, made._mode = kind or self._kind, mode
        return made

    def _coerced(self, value: T) -> T:
        kept: T = value if self._kind is None else self._kind.item.coerce(value)
        return kept

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._values):
            raise Rejected(INDEX)
        return index

    def _before_change(self) -> None:
        if self._mode is Mode.FROZEN:
            raise TypeError(f"this {type(self).__name__} is part of another value; change a copy() and store that")
        if self._mode is Mode.STORED:
            journal.record(self._restore, tuple(self._values))

    def _restore(self, values: tuple[T, ...]) -> None:
        self._values[:] = values

    @classmethod
    def __kind__(cls, arguments: tuple[Any, ...]) -> Kind:
        return SequenceKind(cls, kind_of(arguments[0]), arguments[1])


class Array(_Sequence[T, N]):
    """Exactly N values. `Array()` is all zeros."""

    __slots__ = ()


class BoundedList(_Sequence[T, N]):
    """At most N values."""

    __slots__ = ()

    def append(self, value: T) -> None:
        """Rejected "list is full" when there is no room."""
        kept = self._coerced(value)
        if self._kind is not None and len(self._values) >= self._kind.count:
            raise Rejected(LIST_FULL)
        self._before_change()
        self._values.append(kept)

    def pop(self) -> T:
        """Remove the last value: Rejected "empty"."""
        if not self._values:
            raise Rejected(EMPTY)
        self._before_change()
        return self._values.pop()

    def clear(self) -> None:
        self._before_change()
        self._values.clear()


class SequenceKind:
    """Plain image: a tuple of the values there are."""

    __slots__ = ("cls", "count", "item")

    def __init__(self, cls: type[_Sequence[Any, Any]], item: Kind, count: int) -> None:
        self.cls, self.item, self.count = cls, item, count

    @property
    def bounded(self) -> bool:
        return self.cls is BoundedList

    @property
    def abi(self) -> str:
        return f"{self.item.abi}[{'..' if self.bounded else ''}{self.count}]"

    def zero(self) -> _Sequence[Any, Any]:
        return self._made([], Mode.FROZEN)

    def stored(self) -> _Sequence[Any, Any]:
        """The zero of a field."""
        return self._made([], Mode.STORED)

    def fresh(self, value: Any) -> Any:
        """A value written without its type, `Array(1, 2)`, as a temporary of this one; any other as it is."""
        if type(value) is not self.cls or value._kind is not None:
            return value
        return self._made(value._values, Mode.FREE)

    def coerce(self, value: Any) -> _Sequence[Any, Any]:
        if type(value) is not self.cls:
            raise TypeError(f"expected {self.cls.__name__}, got {value!r}")
        frozen: _Sequence[Any, Any] = value
        return frozen if value._mode is Mode.FROZEN else self._made(value._values, Mode.FROZEN)

    def plain(self, value: _Sequence[Any, Any]) -> Plain:
        return tuple(self.item.plain(member) for member in value)

    def load(self, plain: Plain) -> _Sequence[Any, Any]:
        if len(plain) > self.count or (len(plain) < self.count and not self.bounded):
            raise ValueError(f"{len(plain)} values do not fit {self.abi}")
        return self._made([self.item.load(member) for member in plain], Mode.FREE)

    def _made(self, values: list[Any], mode: Mode) -> _Sequence[Any, Any]:
        if not self.bounded and not values:
            values = [self.item.zero() for _ in range(self.count)]
        if len(values) > self.count or (len(values) < self.count and not self.bounded):
            raise TypeError(f"{len(values)} values do not fit {self.abi}")
        made = self.cls(*(self.item.coerce(value) for value in values))
        made._kind, made._mode = self, mode
        return made


def stored_zero(kind: Kind) -> Any:
    """The zero a field of a program or record begins with."""
    return kind.stored() if isinstance(kind, SequenceKind) else kind.zero()
