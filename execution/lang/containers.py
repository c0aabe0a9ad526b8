"""
Map and OrderedMap: storage keyed by a flat value.

A Map keeps insertion order (overwriting keeps the place), an OrderedMap the order of its keys. `m[k]` of a missing
key is Rejected "missing key". Values are flat, or records and containers, which are borrowed: `m[k]`, `m.create(k)`,
`m.obtain(k)`. Keys are compared by their plain image; entries are linked, so that undoing a deletion restores its
exact place.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar, overload

from execution.lang import journal
from execution.lang.kinds import Kind, Plain, kind_of
from execution.lang.rejection import KEY_EXISTS, MISSING_KEY, Rejected
from execution.lang.storage import Storage, flat_key, guard_nested

K = TypeVar("K")
V = TypeVar("V")


class Entry:
    """A live key and its value. next, prev: neighbours in the container's order."""

    __slots__ = ("image", "key", "next", "prev", "value")

    def __init__(self, image: Plain, key: Any, value: Any) -> None:
        self.image = image
        self.key = key
        self.value = value
        self.next: Entry | None = None
        self.prev: Entry | None = None

    def assign(self, value: Any) -> None:
        self.value = value


class Map(Storage, Generic[K, V]):
    """Insertion order. Made by the program that declares it as a field, never by a call."""

    __slots__ = ("_entries", "_first", "_last", "keys_kind")

    def __init__(self, keys_kind: Kind, values_kind: Kind) -> None:
        super().__init__(values_kind)
        self.keys_kind = flat_key(keys_kind)
        self._entries: dict[Plain, Entry] = {}
        self._first: Entry | None = None
        self._last: Entry | None = None

    def __getitem__(self, key: K) -> V:
        value: V = self._need(key).value
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self.need_flat()
        stored = self.values_kind.coerce(value)
        entry = self._find(key)
        if entry is None:
            self._add(key, stored)
        else:
            journal.record(entry.assign, entry.value)
            entry.value = stored

    def __delitem__(self, key: K) -> None:
        self._remove(self._need(key))

    def __contains__(self, key: K) -> bool:
        return self._find(key) is not None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        for entry in self._walk():
            yield entry.key

    def items(self) -> Iterator[tuple[K, V]]:
        for entry in self._walk():
            yield entry.key, entry.value

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    def get(self, key: K, default: V | None = None) -> V | None:
        """The value, or the default; for flat values only."""
        self.need_flat()
        chosen = None if default is None else self.values_kind.coerce(default)
        entry = self._find(key)
        return chosen if entry is None else entry.value

    def pop(self, key: K) -> V:
        """Remove a key that is there; its (flat) value."""
        self.need_flat()
        entry = self._need(key)
        self._remove(entry)
        value: V = entry.value
        return value

    def create(self, key: K) -> V:
        """A new zeroed record or container under a key that is not there: Rejected "key exists"."""
        if self._find(key) is not None:
            raise Rejected(KEY_EXISTS)
        value: V = self._add(key, self.values_kind.zero()).value
        return value

    def obtain(self, key: K) -> V:
        """The record or container under the key, created when missing."""
        value: V = (self._find(key) or self._add(key, self.values_kind.zero())).value
        return value

    def first(self) -> K | None:
        return None if self._first is None else self._first.key

    def last(self) -> K | None:
        return None if self._last is None else self._last.key

    def after(self, key: K) -> K | None:
        """The next key in order; the given key must be there."""
        entry = self._need(key).next
        return None if entry is None else entry.key

    def before(self, key: K) -> K | None:
        entry = self._need(key).prev
        return None if entry is None else entry.key

    def clear(self) -> None:
        """Remove every key, the last first."""
        self.guard()
        while self._last is not None:
            self._remove(self._last)

    def contents(self) -> Iterable[V]:
        return [entry.value for entry in self._entries.values()]

    def _image(self, key: K) -> Plain:
        return self.keys_kind.plain(self.keys_kind.coerce(key))

    def _find(self, key: K) -> Entry | None:
        return self._entries.get(self._image(key))

    def _need(self, key: K) -> Entry:
        entry = self._find(key)
        if entry is None:
            raise Rejected(MISSING_KEY)
        return entry

    def _walk(self, backwards: bool = False) -> Iterator[Entry]:
        with self.loop():
            entry = self._last if backwards else self._first
            while entry is not None:
                yield entry
                entry = entry.prev if backwards else entry.next

    def _add(self, key: K, value: Any) -> Entry:
        self.guard()
        key = self.keys_kind.coerce(key)
        entry = Entry(self.keys_kind.plain(key), key, value)
        entry.prev = self._place(entry.image)
        entry.next = self._first if entry.prev is None else entry.prev.next
        journal.record(self._unlink, entry)
        self._link(entry)
        return entry

    def _remove(self, entry: Entry) -> None:
        guard_nested(entry.value)
        self.guard()
        journal.record(self._link, entry)
        self._unlink(entry)

    def _place(self, _image: Plain) -> Entry | None:
        """The entry a new one comes after."""
        return self._last

    def _link(self, entry: Entry) -> None:
        self._entries[entry.image] = entry
        if entry.prev is None:
            self._first = entry
        else:
            entry.prev.next = entry
        if entry.next is None:
            self._last = entry
        else:
            entry.next.prev = entry

    def _unlink(self, entry: Entry) -> None:
        del self._entries[entry.image]
        if entry.prev is None:
            self._first = entry.next
        else:
            entry.prev.next = entry.next
        if entry.next is None:
            self._last = entry.prev
        else:
            entry.next.prev = entry.prev

    @classmethod
    def __kind__(cls, arguments: tuple[Any, ...]) -> Kind:
        return MapKind(cls, kind_of(arguments[0]), kind_of(arguments[1]))


class OrderedMap(Map[K, V]):
    """Order of keys: numbers of any one-word type, or Decimals. `after` and `before` accept keys that are not there."""

    __slots__ = ("_order",)

    def __init__(self, keys_kind: Kind, values_kind: Kind) -> None:
        super().__init__(keys_kind, values_kind)
        if not isinstance(keys_kind.plain(keys_kind.zero()), int):
            raise TypeError("an OrderedMap is keyed by a one-word value or a Decimal")
        self._order: list[int] = []

    def ceiling(self, key: K) -> K | None:
        """The smallest key ≥ the given one."""
        return self._at(bisect_left(self._order, self._image(key)))

    def floor(self, key: K) -> K | None:
        """The largest key ≤ the given one."""
        return self._at(bisect_left(self._order, self._image(key) + 1) - 1)

    def after(self, key: K) -> K | None:
        """The smallest key > the given one."""
        return self._at(bisect_left(self._order, self._image(key) + 1))

    def before(self, key: K) -> K | None:
        """The largest key < the given one."""
        return self._at(bisect_left(self._order, self._image(key)) - 1)

    def descending(self) -> Iterator[K]:
        for entry in self._walk(backwards=True):
            yield entry.key

    def _at(self, position: int) -> K | None:
        if not 0 <= position < len(self._order):
            return None
        key: K = self._entries[self._order[position]].key
        return key

    def _place(self, image: Plain) -> Entry | None:
        position = bisect_left(self._order, image)
        return self._entries[self._order[position - 1]] if position else None

    def _link(self, entry: Entry) -> None:
        insort(self._order, entry.image)
        super()._link(entry)

    def _unlink(self, entry: Entry) -> None:
        del self._order[bisect_left(self._order, entry.image)]
        super()._unlink(entry)


class MapKind:
    """Plain image: a list of (key, value) in the container's order."""

    abi = ""

    def __init__(self, cls: type[Map[Any, Any]], keys: Kind, values: Kind) -> None:
        self.cls = cls
        self.keys = keys
        self.values = values

    def zero(self) -> Map[Any, Any]:
        return self.cls(self.keys, self.values)

    def coerce(self, value: Any) -> Any:
        if isinstance(value, Map):
            return value  # a borrow, passed between the functions of one program
        raise TypeError(f"expected a {self.cls.__name__}, got {value!r}")

    def plain(self, value: Map[Any, Any]) -> Plain:
        return [(self.keys.plain(key), self.values.plain(item)) for key, item in value.items()]

    def load(self, plain: Plain) -> Any:
        raise TypeError("containers never cross a boundary")
