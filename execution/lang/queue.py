"""
Queue: storage of flat values, first in, first out. Popping nothing is Rejected "empty".

Pushing or popping while the queue is iterated is Rejected "changed while iterating". What is done is popped, so a queue
needs no cursor to go on from later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from execution.lang import journal
from execution.lang.kinds import Kind, Plain, kind_of
from execution.lang.rejection import EMPTY, Rejected
from execution.lang.storage import Storage

T = TypeVar("T")


class Queue(Storage, Generic[T]):
    """Made by the program that declares it as a field, never by a call."""

    __slots__ = ("_values",)

    def __init__(self, values_kind: Kind) -> None:
        super().__init__(values_kind)
        self.need_flat()
        self._values: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        with self.loop():
            yield from self._values

    def first(self) -> T | None:
        """The value `pop` would give; None when there is none."""
        return self._values[0] if self._values else None

    def push(self, value: T) -> None:
        kept = self.values_kind.coerce(value)
        self.guard()
        journal.record(self._values.pop)
        self._values.append(kept)

    def pop(self) -> T:
        """Remove the first value: Rejected "empty"."""
        self.guard()
        if not self._values:
            raise Rejected(EMPTY)
        value = self._values.popleft()
        journal.record(self._values.appendleft, value)
        return value

    def clear(self) -> None:
        self.guard()
        while self._values:
            self.pop()

    @classmethod
    def __kind__(cls, arguments: tuple[Any, ...]) -> Kind:
        return QueueKind(kind_of(arguments[0]))


class QueueKind:
    """Plain image: a list of values, the first first."""

    abi = ""

    def __init__(self, values: Kind) -> None:
        self.values = values

    def zero(self) -> Queue[Any]:
        return Queue(self.values)

    def coerce(self, value: Any) -> Any:
        if isinstance(value, Queue):
            return value  # a borrow, passed between the functions of one program
        raise TypeError(f"expected a Queue, got {value!r}")

    def plain(self, value: Queue[Any]) -> Plain:
        return [self.values.plain(item) for item in value]

    def load(self, plain: Plain) -> Any:
        raise TypeError("containers never cross a boundary")
