"""
List: storage numbered from 0. Indices outside 0 ≤ i < len are Rejected "index out of range"; popping nothing is
"empty".

Appending or popping while the list is iterated is Rejected "changed while iterating"; overwriting is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from execution.lang import journal
from execution.lang.kinds import Kind, Plain, kind_of
from execution.lang.rejection import EMPTY, INDEX, Rejected
from execution.lang.storage import Storage, guard_nested

T = TypeVar("T")


class List(Storage, Generic[T]):
    """Made by the program that declares it as a field, never by a call."""

    __slots__ = ("_values",)

    def __init__(self, values_kind: Kind) -> None:
        super().__init__(values_kind)
        self._values: list[T] = []

    def __getitem__(self, index: int) -> T:
        return self._values[self._checked(index)]

    def __setitem__(self, index: int, value: T) -> None:
        self.need_flat()
        stored = self.values_kind.coerce(value)
        place = self._checked(index)
        journal.record(self._values.__setitem__, place, self._values[place])
        self._values[place] = stored

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        with self.loop():
            for index in range(len(self._values)):
                yield self._values[index]

    def append(self, value: T) -> None:
        self.need_flat()
        self._push(self.values_kind.coerce(value))

    def add(self) -> T:
        """Append a zeroed record or container and borrow it."""
        made: T = self.values_kind.zero()
        self._push(made)
        return made

    def pop(self) -> T:
        """Remove the last value: Rejected "empty"."""
        self.guard()
        if not self._values:
            raise Rejected(EMPTY)
        guard_nested(self._values[-1])
        value = self._values.pop()
        journal.record(self._values.append, value)
        return value

    def clear(self) -> None:
        self.guard()
        while self._values:
            self.pop()

    def first(self) -> int | None:
        """The smallest index, None when the list is empty: where a walk begins that `after` goes on with."""
        return 0 if self._values else None

    def after(self, index: int) -> int | None:
        """The smallest index above the given one, which need not be there."""
        following = max(index + 1, 0)
        return following if following < len(self._values) else None

    def contents(self) -> Iterable[T]:
        return self._values

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._values):
            raise Rejected(INDEX)
        return index

    def _push(self, value: T) -> None:
        self.guard()
        journal.record(self._values.pop)
        self._values.append(value)

    @classmethod
    def __kind__(cls, arguments: tuple[Any, ...]) -> Kind:
        return ListKind(kind_of(arguments[0]))


class ListKind:
    """Plain image: a list of values."""

    abi = ""

    def __init__(self, values: Kind) -> None:
        self.values = values

    def zero(self) -> List[Any]:
        return List(self.values)

    def coerce(self, value: Any) -> Any:
        if isinstance(value, List):
            return value  # a borrow, passed between the functions of one program
        raise TypeError(f"expected a List, got {value!r}")

    def plain(self, value: List[Any]) -> Plain:
        return [self.values.plain(item) for item in value]

    def load(self, plain: Plain) -> Any:
        raise TypeError("containers never cross a boundary")
