"""
The past in memory: images of the pages that recent blocks changed, for rollback, and which pages to export since
when.

A block's journal holds each page once, as it was before the block; going back writes the images of the newest block
first. It is bounded in blocks; what is older can only come from a checkpoint.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from execution.vm.deploy import Program
from execution.vm.host import Host
from execution.vm.runtime.barrier import PAGE_RECORD_BYTES
from execution.vm.state import Key, Replaced, place_of
from genesis.errors import Invalid

_IMAGE = 8
_PAGE_BYTES = 1024
_WORDS = PAGE_RECORD_BYTES // 8
_NEVER = 1 << 63


def keys_of(journal: bytes) -> array[int]:
    """The keys of a journal's records, in order, repetitions included."""
    return array("Q", memoryview(journal).cast("Q")[::_WORDS].tolist())


def images(journal: bytes) -> Iterator[tuple[Key, bytes]]:
    """Key and image of each record, newest first."""
    for at in range(len(journal) - PAGE_RECORD_BYTES, -1, -PAGE_RECORD_BYTES):
        key = int.from_bytes(journal[at : at + _IMAGE], "little")
        yield key, journal[at + _IMAGE : at + PAGE_RECORD_BYTES]


def image_of(journal: bytes, keys: array[int], key: Key) -> bytes | None:
    """A page as it was before the journal, None when it is not in it, the rest left as it is. keys: the journal's."""
    try:
        at = keys.index(key) * PAGE_RECORD_BYTES + _IMAGE
    except ValueError:
        return None
    return journal[at : at + _PAGE_BYTES]


def put_back(host: Host, journal: bytes, programs: int) -> None:
    """Write a journal's images back, newest first, but for programs that no longer exist (numbers ≥ `programs`)."""
    for key, image in images(journal):
        program, page = place_of(key)
        if program < programs:
            host.write(program, "state", page * _PAGE_BYTES, image)


@dataclass(frozen=True, slots=True)
class Past:
    """
    A block and its journal. replaced: the leaves of the pages it changed; none while it is open. kernel: the one it
    replaced, None when it went on under its parent's. programs: by number, those that it changed, as they were; oldest
    first.
    """

    height: int
    journal: bytes
    replaced: Replaced = field(default_factory=dict)
    kernel: bytes | None = None
    programs: tuple[tuple[int, Program], ...] = ()


@dataclass(slots=True)
class History:
    """blocks_max: blocks that can be rolled back."""

    blocks_max: int
    _past: deque[Past] = field(default_factory=deque)
    _dirty: list[tuple[int, array[int]]] = field(default_factory=list)
    _exportable: int = 0

    def add(self, past: Past) -> None:
        self._past.append(past)
        self._dirty.append((past.height, keys_of(past.journal)))
        while len(self._past) > self.blocks_max:
            self._past.popleft()

    def take_back(self, height: int) -> list[Past]:
        """Remove and return the blocks above `height`, newest first. Raises Invalid when it is beyond what is kept."""
        newest = self._past[-1].height if self._past else height
        kept = self._past[0].height - 1 if self._past else height
        if height < kept or height > newest:
            raise Invalid(f"Rollback to height {height} is not possible: {kept} to {newest} is kept.", "beyond_history")
        taken = []
        while self._past and self._past[-1].height > height:
            taken.append(self._past.pop())
        self._dirty = [entry for entry in self._dirty if entry[0] <= height]
        if height < self._exportable:
            self._exportable = _NEVER  # what was exported is not an ancestor any more
        return taken

    def changed_since(self, height: int) -> set[Key] | None:
        """Pages dirtied in blocks above `height`; None when that is not known any more. Forgets what is older."""
        if height < self._exportable:
            return None
        self.exported(height)
        return {key for _, keys in self._dirty for key in keys}

    def exported(self, height: int) -> None:
        """All of the state as of `height` has been exported, or imported: only what comes after is of interest."""
        self._exportable = height
        self._dirty = [entry for entry in self._dirty if entry[0] > height]
