"""
Fills under CPython: what venues told their listeners and these have not heard yet; `vm/kernel/fills.py` tells how.
"""

from __future__ import annotations

from typing import NamedTuple

from execution.lang.bounds import FILLS_WAITING_MAX
from execution.lang.containers import Map
from execution.lang.kinds import ValueKind


class Told(NamedTuple):
    """words: of the Fill, between venue and missed."""

    batch: int
    words: tuple[object, ...]


class Listener(NamedTuple):
    name: str
    missed: int
    waiting: tuple[Told, ...]


PAIR = ValueKind("tuple", tuple, (), lambda value: value, lambda plain: plain)
LISTENER = ValueKind("tuple", Listener, None, lambda value: value, lambda plain: plain)


class Listeners:
    """By program and venue."""

    def __init__(self) -> None:
        self._all: Map[tuple[bytes, bytes], Listener] = Map(PAIR, LISTENER)
        self._handed = 0  # fills missed that the handler at hand was told of

    def subscribe(self, program: bytes, venue: bytes, name: str) -> bool:
        """Whether the handler is new to fills that wait."""
        before = self._all.get((program, venue))
        if before is not None and before.name == name:
            return False
        kept = before or Listener(name, 0, ())
        self._all[program, venue] = kept._replace(name=name)
        return bool(kept.waiting)

    def unsubscribe(self, program: bytes, venue: bytes) -> None:
        if (program, venue) in self._all:
            del self._all[program, venue]

    def hears(self, owner: bytes, venue: bytes) -> bool:
        return (owner, venue) in self._all

    def report(self, owner: bytes, venue: bytes, batch: int, words: tuple[object, ...]) -> str | None:
        """The handler to be put off to the next batch, None when it waits already or nobody listens."""
        listener = self._all.get((owner, venue))
        if listener is None:
            return None
        if len(listener.waiting) >= FILLS_WAITING_MAX:
            self._all[owner, venue] = listener._replace(missed=listener.missed + 1)
            return None
        self._all[owner, venue] = listener._replace(waiting=(*listener.waiting, Told(batch, words)))
        return None if listener.waiting else listener.name

    def first(self, program: bytes, venue: bytes, name: str) -> tuple[object, ...] | None:
        """What the handler hears next: the words, and how many were missed."""
        listener = self._all.get((program, venue))
        if listener is None or listener.name != name or not listener.waiting:
            return None
        self._handed = listener.missed
        return (*listener.waiting[0].words, listener.missed)

    def pass_fill(self, program: bytes, venue: bytes, name: str, heard: bool, batch: int) -> int | None:
        """
        The first one was heard, or is given up and counts as missed.

        Returns:
            The batch in which the next was told; None if there is none.
        """
        listener = self._all.get((program, venue))
        if listener is None or listener.name != name or not listener.waiting or listener.waiting[0].batch == batch:
            return None
        missed = listener.missed - self._handed if heard else listener.missed + 1
        waiting = listener.waiting[1:]
        self._all[program, venue] = listener._replace(missed=missed, waiting=waiting)
        return waiting[0].batch if waiting else None
