"""
What the containers share: the iteration guard and the kinds of keys and values.

Adding or removing a key while the container is iterated is Rejected "changed while iterating" at that moment;
overwriting a value is allowed. A loop that ends by `break`, `return` or an exception ends the iteration.

A walk that a later call goes on with keeps a key: `first()` begins, `after(key)` goes on, None is the end. In between
keys may have gone: OrderedMap and List give the next one above any key; a Map rejects a key that is not there, so the
walk tests `key in map` and begins again; a Queue is walked by popping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from execution.lang.kinds import Kind
from execution.lang.rejection import CHANGED_WHILE_ITERATING, Rejected


class Storage:
    """iterating: number of loops running over this container."""

    __slots__ = ("iterating", "values_kind")

    def __init__(self, values_kind: Kind) -> None:
        self.iterating = 0
        self.values_kind = values_kind

    def guard(self) -> None:
        """Before a key is added or removed."""
        if self.iterating:
            raise Rejected(CHANGED_WHILE_ITERATING)

    def contents(self) -> Iterable[Any]:
        """The values held."""
        return ()

    @contextmanager
    def loop(self) -> Iterator[None]:
        self.iterating += 1
        try:
            yield
        finally:
            self.iterating -= 1

    def need_flat(self) -> None:
        """Values that are records or containers are reached by borrow, never copied."""
        if not self.values_kind.abi:
            raise TypeError("records and containers are borrowed by [key], create or obtain, never copied in or out")

    def __bool__(self) -> bool:
        raise TypeError("a container is not a condition; compare len(...) with 0")

    def __eq__(self, other: Any) -> bool:
        raise TypeError("containers cannot be compared")

    __hash__ = None  # type: ignore[assignment]


def guard_nested(value: Any) -> None:
    """Before a value goes away: no loop may run over a container inside it."""
    inside = [value] if isinstance(value, Storage) else list(getattr(value, "__dict__", {}).values())
    for container in inside:
        if isinstance(container, Storage):
            container.guard()
            for item in container.contents():
                guard_nested(item)


def flat_key(kind: Kind) -> Kind:
    if not kind.abi:
        raise TypeError("a key is a flat value, never a record or a container")
    return kind
