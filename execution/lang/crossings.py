"""
Crossings under CPython: handlers that wait for a price at or beyond a level, once; `vm/kernel/crossings.py` tells how.

Levels are kept by keys of which the least is crossed first: the raw level above, its complement below; with the number
of the crossing behind it, they stand in order of subscription.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from execution.lang.bounds import CROSSED_MAX, CROSSED_TURN_MAX, CROSSINGS_MAX, CROSSINGS_PROGRAM_MAX
from execution.lang.containers import Map, OrderedMap
from execution.lang.journal import record
from execution.lang.kinds import INT, ValueKind
from execution.lang.rejection import TOO_MANY_CROSSINGS, Rejected

BELOW_ALL = -(1 << 200)  # less than any key
SHIFT = 1 << 64


class Crossing(NamedTuple):
    """level: raw. side: 0 above, 1 below. since: publications of the feed before it. due: it left its level."""

    program: bytes
    name: str
    feed: int
    level: int
    side: int
    since: int
    due: bool = False

    @property
    def key(self) -> int:
        return self.level ^ -self.side


class Moves(NamedTuple):
    """published: so far. reach: least and greatest price since the last sweep began, as keys of each side; or None."""

    published: int
    reach: tuple[int, int] | None


class Sweep(NamedTuple):
    """published: publications it covers. cursor: key to go on from on the side at hand; 2 is done."""

    published: int
    reach: tuple[int, int]
    side: int = 0
    cursor: int = BELOW_ALL


def _tuples(cls: type) -> ValueKind:
    return ValueKind("tuple", cls, None, lambda value: value, lambda plain: plain)


class Crossings:
    """all: by number, until the handler is done."""

    def __init__(self) -> None:
        self.all: Map[int, Crossing] = Map(INT, _tuples(Crossing))
        self._levels: dict[tuple[int, int], OrderedMap[int, int]] = {}
        self._moves: Map[int, Moves] = Map(INT, _tuples(Moves))
        self._sweeps: Map[int, Sweep] = Map(INT, _tuples(Sweep))
        self._counts: Map[bytes, int] = Map(_tuples(bytes), INT)
        self._numbered = 0

    def subscribe(self, program: bytes, name: str, feed: int, level: int, side: int) -> int:
        """Its number, counted from 1."""
        count = self._counts.get(program, 0)
        if count >= CROSSINGS_PROGRAM_MAX or len(self.all) >= CROSSINGS_MAX:
            raise Rejected(TOO_MANY_CROSSINGS)
        self._counts[program] = count + 1
        record(setattr, self, "_numbered", self._numbered)
        self._numbered += 1
        crossing = Crossing(program, name, feed, level, side, self._moves_of(feed).published)
        self.all[self._numbered] = crossing
        self._levels_of(feed, side)[crossing.key * SHIFT + self._numbered] = self._numbered
        return self._numbered

    def unsubscribe(self, program: bytes, number: int) -> bool:
        crossing = self.all.get(number)
        if crossing is None or crossing.program != program:
            return False
        if not crossing.due:
            del self._levels_of(crossing.feed, crossing.side)[crossing.key * SHIFT + number]
        self.forget(number)
        return True

    def forget(self, number: int) -> None:
        """Done or given up; nothing when it was withdrawn meanwhile."""
        if number not in self.all:
            return
        program = self.all.pop(number).program
        self._counts[program] -= 1

    def publish(self, feed: int, price: int | None) -> None:
        """None: a publication that is no price."""
        moves = self._moves_of(feed)
        reach = moves.reach
        if price is not None:
            above, below = reach or (price, ~price)
            reach = (max(above, price), max(below, ~price))
        self._moves[feed] = Moves(moves.published + 1, reach)

    def begin_sweep(self, feed: int) -> None:
        """Of what the feed's prices reached, unless a sweep is under way: it is followed by the next."""
        published, reach = self._moves_of(feed)
        if reach is None or feed in self._sweeps:
            return
        self._moves[feed] = Moves(published, None)
        firsts = [self._levels_of(feed, side).first() for side in (0, 1)]
        if any(first is not None and first // SHIFT <= reach[side] for side, first in enumerate(firsts)):
            self._sweeps[feed] = Sweep(published, reach)

    def sweep(self) -> Iterator[tuple[int, Crossing]]:
        """The crossings whose handlers are due now, as far as this batch has room for them."""
        room = CROSSED_MAX
        while room > 0 and (feed := self._sweeps.first()) is not None:
            turn = min(room, CROSSED_TURN_MAX)
            sweep, left = self._sweeps.pop(feed), turn
            while left > 0 and sweep.side < 2:
                fired, sweep, left = self._side(feed, sweep, left)
                yield from fired
            if sweep.side < 2:
                self._sweeps[feed] = sweep
            else:
                self.begin_sweep(feed)
            room -= turn - left

    def _side(self, feed: int, sweep: Sweep, room: int) -> tuple[list[tuple[int, Crossing]], Sweep, int]:
        """Go on with the side at hand: what fired, how the sweep stands, the room left."""
        levels = self._levels_of(feed, sweep.side)
        fired: list[tuple[int, Crossing]] = []
        place = levels.ceiling(sweep.cursor * SHIFT)
        while place is not None and (key := place // SHIFT) <= sweep.reach[sweep.side]:
            if room == 0:
                return fired, sweep._replace(cursor=key), 0
            room -= 1
            number = levels[place]
            crossing = self.all[number]
            if crossing.since >= sweep.published:  # so are those behind it at this level
                place = levels.ceiling((key + 1) * SHIFT)
                continue
            del levels[place]
            self.all[number] = crossing._replace(due=True)
            fired.append((number, crossing))
            place = levels.after(place)
        return fired, sweep._replace(side=sweep.side + 1, cursor=BELOW_ALL), room

    def _moves_of(self, feed: int) -> Moves:
        return self._moves.get(feed, Moves(0, None))

    def _levels_of(self, feed: int, side: int) -> OrderedMap[int, int]:
        return self._levels.setdefault((feed, side), OrderedMap(INT, INT))
