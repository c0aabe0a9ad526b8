"""
What is due when: subscriptions to feeds and times, and the queues of hooks that a batch runs.

Subscriptions are data. A publication or a time that passes makes handlers due; what becomes due in a batch runs in
the next one, times that have come at its start in this one. A handler is due once per (program, handler, cause)
however often its cause occurs. All tables are containers of the language, so the journal undoes them with everything
else.
"""

from __future__ import annotations

from typing import NamedTuple

from execution.lang.containers import Map, OrderedMap
from execution.lang.journal import record
from execution.lang.kinds import INT, ValueKind
from execution.lang.values import Account

PRICE = "price"
SCHEDULE = "schedule"


class Handler(NamedTuple):
    program: bytes
    name: str


class Due(NamedTuple):
    """cause: PRICE with the feed's index, or SCHEDULE with the time in ms."""

    program: bytes
    name: str
    cause: str
    argument: int

    @property
    def address(self) -> Account:
        return Account(self.program)


class Standing(NamedTuple):
    """from_batch: first batch that may run it. tries: failures so far."""

    from_batch: int
    tries: int


def _tuples(cls: type) -> ValueKind:
    return ValueKind("tuple", cls, cls, lambda value: value, lambda plain: plain)


HANDLER, DUE, STANDING = _tuples(Handler), _tuples(Due), _tuples(Standing)
SUBSCRIPTION = ValueKind("tuple", tuple, (), lambda value: value, lambda plain: plain)
TIME_SHIFT = 1 << 64


class Hooks:
    """batch: number of the batch at hand."""

    def __init__(self) -> None:
        self.batch = 0
        self.subscribers: Map[tuple[int, Handler], int] = Map(SUBSCRIPTION, INT)
        self.moved: Map[int, int] = Map(INT, INT)
        self.schedules: OrderedMap[int, Handler] = OrderedMap(INT, HANDLER)
        self.due: Map[Due, Standing] = Map(DUE, STANDING)

    def subscribe(self, feed: int, handler: Handler) -> None:
        if (feed, handler) not in self.subscribers:
            self.subscribers[feed, handler] = 1

    def unsubscribe(self, feed: int, handler: Handler) -> None:
        if (feed, handler) in self.subscribers:
            del self.subscribers[feed, handler]

    def schedule(self, time_ms: int, handler: Handler) -> None:
        """Earlier calls come first among equal times."""
        last = self.schedules.before((time_ms + 1) * TIME_SHIFT)
        first = last is None or last < time_ms * TIME_SHIFT
        self.schedules[time_ms * TIME_SHIFT if first else (last or 0) + 1] = handler

    def publish(self, feed: int) -> None:
        if feed not in self.moved:
            self.moved[feed] = self.batch

    def open_batch(self, time_ms: int) -> None:
        """Collect what time and earlier batches have made due; a feed's subscribers from a start that rotates."""
        record(setattr, self, "batch", self.batch)
        self.batch += 1
        while (key := self.schedules.first()) is not None and key // TIME_SHIFT <= time_ms:
            handler = self.schedules.pop(key)
            self._add(Due(*handler, SCHEDULE, key // TIME_SHIFT), Standing(self.batch, 0))
        while (feed := self.moved.first()) is not None:
            del self.moved[feed]
            handlers = [handler for subscribed, handler in self.subscribers if subscribed == feed]
            skip = self.batch % len(handlers) if handlers else 0
            for handler in handlers[skip:] + handlers[:skip]:
                self._add(Due(*handler, PRICE, feed), Standing(self.batch, 0))

    def _add(self, due: Due, standing: Standing) -> None:
        if due not in self.due:
            self.due[due] = standing

    def ready(self) -> list[Due]:
        """Due in this batch, longest waiting first."""
        return [due for due, standing in self.due.items() if standing.from_batch <= self.batch]

    def take(self, due: Due) -> int:
        """Off the queue, to be run; returns its failures so far."""
        return self.due.pop(due).tries

    def again(self, due: Due, tries: int) -> None:
        """To the end of the queue, due in the next batch."""
        self._add(due, Standing(self.batch + 1, tries))
