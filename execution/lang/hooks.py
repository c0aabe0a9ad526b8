"""
What is due when: subscriptions to feeds and times, and the hooks that a batch runs.

Subscriptions are data. A publication or a time that passes makes handlers due; what becomes due in a batch runs in
the next one, times that have come at its start in this one. A handler is due once per (program, handler, cause)
however often its cause occurs. All tables are containers of the language, so the journal undoes them with everything
else. The kernel's tables are the same (`vm/kernel/due.py`, `hooks.py`), but for purses: here nobody pays.
"""

from __future__ import annotations

from typing import NamedTuple

from execution.lang.bounds import BACKOFF_MAX, BACKOFF_TRIES
from execution.lang.containers import Map, OrderedMap
from execution.lang.crossings import Crossings
from execution.lang.fills import Listeners
from execution.lang.journal import record
from execution.lang.kinds import INT, ValueKind
from execution.lang.values import Account

PRICE = "price"
SCHEDULE = "schedule"
CROSSING = "crossing"
FILL = "fill"


class Handler(NamedTuple):
    program: bytes
    name: str


class Due(NamedTuple):
    """argument: of a PRICE the feed, of a SCHEDULE the time in ms, of a CROSSING its number, of a FILL the venue."""

    program: bytes
    name: str
    cause: str
    argument: int | bytes

    @property
    def address(self) -> Account:
        return Account(self.program)

    @property
    def number(self) -> int:
        assert isinstance(self.argument, int)
        return self.argument

    @property
    def venue(self) -> bytes:
        assert isinstance(self.argument, bytes)
        return self.argument


class PutOff(NamedTuple):
    """key: in the order of batches. tries: failures so far."""

    key: int
    tries: int


def _tuples(cls: type) -> ValueKind:
    return ValueKind("tuple", cls, cls, lambda value: value, lambda plain: plain)


ADDRESS = ValueKind("bytes", bytes, b"", lambda value: value, lambda plain: plain)
HANDLER, DUE, PUT_OFF = _tuples(Handler), _tuples(Due), _tuples(PutOff)
SUBSCRIPTION = ValueKind("tuple", tuple, (), lambda value: value, lambda plain: plain)
SHIFT = 1 << 64


def distance(tries: int) -> int:
    """Batches to wait after so many failures in a row: 1, 2, 4 … BACKOFF_MAX."""
    return BACKOFF_MAX if tries >= BACKOFF_TRIES else 1 << max(tries - 1, 0)


class Hooks:
    """
    batch: number of the batch at hand. system: programs whose hooks run first. lines: due hooks of each program. turns:
    programs that have some, in the order of their turns; those of the system apart.
    """

    def __init__(self) -> None:
        self.batch = 0
        self.system: frozenset[bytes] = frozenset()
        self.subscribers: Map[tuple[int, Handler], int] = Map(SUBSCRIPTION, INT)
        self.moved: Map[int, int] = Map(INT, INT)
        self.schedules: OrderedMap[int, Handler] = OrderedMap(INT, HANDLER)
        self.crossings = Crossings()
        self.listeners = Listeners()
        self.lines: dict[bytes, Map[Due, int]] = {}
        self.turns: dict[bool, Map[bytes, int]] = {system: Map(ADDRESS, INT) for system in (False, True)}
        self.waiting: Map[Due, PutOff] = Map(DUE, PUT_OFF)
        self.later: OrderedMap[int, Due] = OrderedMap(INT, DUE)
        self._put_off = 0

    # ---- subscriptions

    def subscribe(self, feed: int, handler: Handler) -> None:
        if (feed, handler) not in self.subscribers:
            self.subscribers[feed, handler] = 1

    def unsubscribe(self, feed: int, handler: Handler) -> None:
        if (feed, handler) in self.subscribers:
            del self.subscribers[feed, handler]

    def schedule(self, time_ms: int, handler: Handler) -> None:
        """Earlier calls come first among equal times."""
        last = self.schedules.before((time_ms + 1) * SHIFT)
        first = last is None or last < time_ms * SHIFT
        self.schedules[time_ms * SHIFT if first else (last or 0) + 1] = handler

    def subscribe_fills(self, venue: bytes, handler: Handler) -> None:
        if self.listeners.subscribe(handler.program, venue, handler.name):
            self.put_off(Due(*handler, FILL, venue), 1, 0)

    def report_fill(self, owner: bytes, venue: bytes, words: tuple[object, ...]) -> None:
        """words: of the Fill, between venue and missed."""
        name = self.listeners.report(owner, venue, self.batch, words)
        if name is not None:
            self.put_off(Due(owner, name, FILL, venue), 1, 0)

    def publish(self, feed: int, price: int, halted: bool) -> None:
        """price: raw."""
        self.crossings.publish(feed, None if halted else price)
        if feed not in self.moved:
            self.moved[feed] = self.batch

    # ---- batches

    def open_batch(self, time_ms: int) -> None:
        """Collect what time and earlier batches have made due; a feed's subscribers from a start that rotates."""
        record(setattr, self, "batch", self.batch)
        self.batch += 1
        while (key := self.later.first()) is not None and key // SHIFT <= self.batch:
            self.make_due(self.later[key])
        while (key := self.schedules.first()) is not None and key // SHIFT <= time_ms:
            self.make_due(Due(*self.schedules.pop(key), SCHEDULE, key // SHIFT))
        while (feed := self.moved.first()) is not None:
            del self.moved[feed]
            handlers = [handler for subscribed, handler in self.subscribers if subscribed == feed]
            skip = self.batch % len(handlers) if handlers else 0
            for handler in handlers[skip:] + handlers[:skip]:
                self.make_due(Due(*handler, PRICE, feed))
            self.crossings.begin_sweep(feed)
        for number, crossing in self.crossings.sweep():
            self.make_due(Due(crossing.program, crossing.name, CROSSING, number))

    def make_due(self, due: Due) -> None:
        """In this batch, unless it is so already; one that was put off comes now and keeps its failures."""
        tries = 0
        if due in self.waiting:
            put_off = self.waiting.pop(due)
            del self.later[put_off.key]
            tries = put_off.tries
        line = self.lines.setdefault(due.program, Map(DUE, INT))
        if due not in line:
            line[due] = tries
            self.turns[due.program in self.system][due.program] = 1

    def put_off(self, due: Due, batches: int, tries: int) -> None:
        """So many batches from now, unless it is put off already."""
        if due in self.waiting:
            return
        record(setattr, self, "_put_off", self._put_off)
        self._put_off += 1
        key = (self.batch + batches) * SHIFT + self._put_off
        self.waiting[due] = PutOff(key, tries)
        self.later[key] = due

    def first(self, system: bool) -> Due | None:
        """What runs next: programs take turns, one hook at a time."""
        program = self.turns[system].first()
        return None if program is None else self.lines[program].first()

    def take(self, due: Due) -> int:
        """Off its program's line, to be run; returns its failures so far."""
        turns, line = self.turns[due.program in self.system], self.lines[due.program]
        del turns[due.program]
        tries = line.pop(due)
        if len(line):
            turns[due.program] = 1
        return tries

    def has_cause(self, due: Due) -> bool:
        """Whether it still has what it waited for: a crossing or fill may have been withdrawn."""
        if due.cause == CROSSING:
            return due.number in self.crossings.all
        return due.cause != FILL or self.listeners.first(due.program, due.venue, due.name) is not None

    def finish(self, due: Due, heard: bool) -> None:
        """It will not run again for this cause: done, or given up. The next fill is due, if it was told in time."""
        if due.cause == CROSSING:
            self.crossings.forget(due.number)
        elif due.cause == FILL:
            told = self.listeners.pass_fill(due.program, due.venue, due.name, heard, self.batch)
            if told is not None and told < self.batch:
                self.make_due(due)
            elif told is not None:
                self.put_off(due, 1, 0)
