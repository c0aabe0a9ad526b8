"""
The undo log of the CPython side: every write to state records how to take it back.

A mark is a position in the log; undoing to a mark runs the records after it backwards, which restores fields,
containers (insertion order included), events and queues exactly. Without an open journal (a container in a unit test)
nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from execution.lang.rejection import READ_ONLY, Rejected


class Journal:
    """Records of one chain, oldest first."""

    __slots__ = ("records",)

    def __init__(self) -> None:
        self.records: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def note(self, undo: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.records.append((undo, arguments))

    def mark(self) -> int:
        return len(self.records)

    def undo(self, mark: int) -> None:
        """Take back every write after the mark. Nothing is recorded meanwhile."""
        with opened(None):
            while len(self.records) > mark:
                undo, arguments = self.records.pop()
                undo(*arguments)


class ReadOnly(Journal):
    """Open while a view runs: storage is not written there."""

    __slots__ = ()

    def note(self, undo: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        raise Rejected(READ_ONLY)


_open: list[Journal | None] = [None]


def record(undo: Callable[..., Any], *arguments: Any) -> None:
    """Say how to take back the write that follows."""
    journal = _open[-1]
    if journal is not None:
        journal.note(undo, arguments)


@contextmanager
def opened(journal: Journal | None) -> Iterator[None]:
    _open.append(journal)
    try:
        yield
    finally:
        _open.pop()
