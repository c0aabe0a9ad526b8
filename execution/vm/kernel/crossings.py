"""
Crossings: handlers that wait for a price at or beyond a level, once.

Of each feed two ordered maps, above and below, lead from a level to its first and last crossing; crossings of one
level are a chain in order of subscription. Publishing widens what the prices reached, O(1). A sweep then walks the
levels in that reach, the nearest first, and makes their handlers due; meanwhile new prices widen the reach of the next
sweep. Feeds take turns, and what a batch has no room for goes on in the next, so a price that moved back still counts.
Whoever subscribed after the last price of a sweep is passed over.
"""

from __future__ import annotations

from execution.lang.bounds import CROSSED_MAX, CROSSED_TURN_MAX, CROSSINGS_MAX, CROSSINGS_PROGRAM_MAX
from execution.vm.core import copy, core, i32, i64, load64, lt_u, store64
from execution.vm.kernel import places as p
from execution.vm.kernel.due import make_due
from execution.vm.kernel.words import (
    BAD_ARGUMENT,
    SCRATCH,
    STATE,
    TOO_MANY_CROSSINGS,
    VALUE_K1,
    VALUE_K2,
    crossers_drop,
    crossers_put,
    crossings_drop,
    crossings_find,
    crossings_put,
    feeds_find,
    feeds_put,
    g,
    levels_after,
    levels_drop,
    levels_find,
    levels_from,
    levels_put,
    reject,
    sweeps_drop,
    sweeps_find,
    sweeps_put,
    touch,
)

NO_KEY_HIGH = -(1 << 63)  # with 0: below every key


@core()
def before128(low: i64, high: i64, other_low: i64, other_high: i64) -> i64:
    """1 when a signed 128-bit number is smaller than another."""
    if high != other_high:
        return 1 if high < other_high else 0
    return 1 if lt_u(low, other_low) else 0


@core()
def levels_of(feed: i64, side: i64) -> i64:
    """Header of a feed's levels; feed: address of its value."""
    return feed + 8 * p.FEED_LEVELS + 128 * side


# ---- publishing


@core()
def widen(feed: i64, low: i64, high: i64) -> None:
    """A price was published: the reach of the next sweep includes it. The feed's words are touched."""
    moved = load64(STATE, feed + 8 * p.FEED_MOVED)
    side = p.ABOVE
    while side <= p.BELOW:
        key_low = low ^ (0 - side)
        key_high = high ^ (0 - side)
        reach = feed + 8 * p.FEED_REACH + 16 * side
        if moved == 0 or before128(load64(STATE, reach), load64(STATE, reach + 8), key_low, key_high):
            store64(STATE, reach, key_low)
            store64(STATE, reach + 8, key_high)
        side += 1
    store64(STATE, feed + 8 * p.FEED_MOVED, 1)


# ---- subscribing


@core()
def append_crossing(entry: i64) -> None:
    """Behind the others of its level. entry: of CROSSINGS, its words written."""
    value = entry + VALUE_K1
    side = load64(STATE, value + 8 * p.CROSSING_SIDE)
    low = load64(STATE, value + 8 * p.CROSSING_LEVEL) ^ (0 - side)
    high = load64(STATE, value + 8 * p.CROSSING_LEVEL + 8) ^ (0 - side)
    feed = feeds_find(p.FEEDS, load64(STATE, value + 8 * p.CROSSING_FEED)) + VALUE_K1
    level = levels_put(levels_of(feed, side), low, high) + VALUE_K2
    touch(level, 16)
    last = load64(STATE, level + 8)
    if last:
        touch(last + VALUE_K1 + 8 * p.CROSSING_NEXT, 8)
        store64(STATE, last + VALUE_K1 + 8 * p.CROSSING_NEXT, entry)
    else:
        store64(STATE, level, entry)
    store64(STATE, value + 8 * p.CROSSING_PREVIOUS, last)
    store64(STATE, level + 8, entry)


@core()
def count_crossing(program: i64) -> None:
    """One more of a program. Rejects "too many crossings"."""
    count = crossers_put(p.CROSSERS, program) + VALUE_K1
    if load64(STATE, count) >= CROSSINGS_PROGRAM_MAX or load64(STATE, p.CROSSINGS) >= CROSSINGS_MAX:
        raise reject(TOO_MANY_CROSSINGS)
    touch(count, 8)
    store64(STATE, count, load64(STATE, count) + 1)


@core()
def subscribe_cross(args: i64) -> None:
    """feed, level (2), side, selector → the crossing's number, counted from 1 on the chain."""
    side = load64(SCRATCH, args + 24)
    if side != p.ABOVE and side != p.BELOW:
        raise reject(BAD_ARGUMENT)
    number = load64(SCRATCH, args)
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    count_crossing(program)
    feed = feeds_put(p.FEEDS, number) + VALUE_K1
    touch(p.CROSSED, 8)
    crossing = load64(STATE, p.CROSSED) + 1
    store64(STATE, p.CROSSED, crossing)
    entry = crossings_put(p.CROSSINGS, crossing)
    value = entry + VALUE_K1
    touch(value, 8 * p.CROSSING_WORDS)
    store64(STATE, value + 8 * p.CROSSING_PROGRAM, program)
    store64(STATE, value + 8 * p.CROSSING_SELECTOR, load64(SCRATCH, args + 32))
    store64(STATE, value + 8 * p.CROSSING_FEED, number)
    store64(STATE, value + 8 * p.CROSSING_LEVEL, load64(SCRATCH, args + 8))
    store64(STATE, value + 8 * p.CROSSING_LEVEL + 8, load64(SCRATCH, args + 16))
    store64(STATE, value + 8 * p.CROSSING_SIDE, side)
    store64(STATE, value + 8 * p.CROSSING_SINCE, load64(STATE, feed + 8 * p.FEED_PUBLISHED))
    append_crossing(entry)
    store64(SCRATCH, args, crossing)


@core()
def unchain(entry: i64) -> None:
    """Take a crossing out of its level; a level without crossings goes."""
    value = entry + VALUE_K1
    side = load64(STATE, value + 8 * p.CROSSING_SIDE)
    low = load64(STATE, value + 8 * p.CROSSING_LEVEL) ^ (0 - side)
    high = load64(STATE, value + 8 * p.CROSSING_LEVEL + 8) ^ (0 - side)
    levels = levels_of(feeds_find(p.FEEDS, load64(STATE, value + 8 * p.CROSSING_FEED)) + VALUE_K1, side)
    following = load64(STATE, value + 8 * p.CROSSING_NEXT)
    previous = load64(STATE, value + 8 * p.CROSSING_PREVIOUS)
    if following == 0 and previous == 0:
        levels_drop(levels, low, high)
        return
    level = levels_find(levels, low, high) + VALUE_K2
    touch(level, 16)
    if previous:
        touch(previous + VALUE_K1 + 8 * p.CROSSING_NEXT, 8)
        store64(STATE, previous + VALUE_K1 + 8 * p.CROSSING_NEXT, following)
    else:
        store64(STATE, level, following)
    if following:
        touch(following + VALUE_K1 + 8 * p.CROSSING_PREVIOUS, 8)
        store64(STATE, following + VALUE_K1 + 8 * p.CROSSING_PREVIOUS, previous)
    else:
        store64(STATE, level + 8, previous)


@core()
def forget_crossing(number: i64) -> None:
    """It is done or given up: nothing is left of it, and its program may have another."""
    program = load64(STATE, crossings_find(p.CROSSINGS, number) + VALUE_K1 + 8 * p.CROSSING_PROGRAM)
    crossings_drop(p.CROSSINGS, number)
    count = crossers_put(p.CROSSERS, program) + VALUE_K1
    touch(count, 8)
    left = load64(STATE, count) - 1
    store64(STATE, count, left)
    if left == 0:
        crossers_drop(p.CROSSERS, program)


@core()
def unsubscribe_cross(args: i64) -> None:
    """number → 1 when the calling program's handler had not run yet, else 0; it never will."""
    number = load64(SCRATCH, args)
    store64(SCRATCH, args, 0)
    entry = crossings_find(p.CROSSINGS, number)
    if entry == 0:
        return
    value = entry + VALUE_K1
    if load64(STATE, value + 8 * p.CROSSING_PROGRAM) != load64(SCRATCH, g.frame + p.FRAME_NUMBER):
        return
    if load64(STATE, value + 8 * p.CROSSING_SIDE) != p.CROSSED_SIDE:
        unchain(entry)
    forget_crossing(number)
    store64(SCRATCH, args, 1)


# ---- sweeping


@core()
def reaches(feed: i64, side: i64) -> i64:
    """Whether the prices published since the last sweep began reached a level."""
    first = load64(STATE, levels_of(feed, side) + 8)
    if first == 0:
        return 0
    reach = feed + 8 * p.FEED_REACH + 16 * side
    beyond = before128(
        load64(STATE, reach), load64(STATE, reach + 8), load64(STATE, first + 16), load64(STATE, first + 24)
    )
    return 1 - beyond


@core()
def begin_side(sweep: i64, side: i64) -> None:
    """Let a sweep go on with a side from its first level."""
    store64(STATE, sweep + 8 * p.SWEEP_SIDE, side)
    store64(STATE, sweep + 8 * p.SWEEP_CURSOR, 0)
    store64(STATE, sweep + 8 * p.SWEEP_CURSOR + 8, NO_KEY_HIGH)


@core()
def begin_sweep(number: i64) -> None:
    """Sweep what a feed's prices reached, unless a sweep is under way: it is followed by the next."""
    entry = feeds_find(p.FEEDS, number)
    feed = entry + VALUE_K1
    if entry == 0 or load64(STATE, feed + 8 * p.FEED_MOVED) == 0 or sweeps_find(p.SWEEPS, number):
        return
    touch(feed + 8 * p.FEED_MOVED, 8)
    store64(STATE, feed + 8 * p.FEED_MOVED, 0)
    if reaches(feed, p.ABOVE) == 0 and reaches(feed, p.BELOW) == 0:
        return
    sweep = sweeps_put(p.SWEEPS, number) + VALUE_K1
    touch(sweep, 8 * p.SWEEP_WORDS)
    store64(STATE, sweep + 8 * p.SWEEP_PUBLISHED, load64(STATE, feed + 8 * p.FEED_PUBLISHED))
    for i in range(4):
        store64(STATE, sweep + 8 * p.SWEEP_REACH + 8 * i, load64(STATE, feed + 8 * p.FEED_REACH + 8 * i))
    begin_side(sweep, p.ABOVE)


@core()
def fire(entry: i64) -> None:
    """The price was at or beyond the level: the crossing's handler is due."""
    unchain(entry)
    value = entry + VALUE_K1
    touch(value + 8 * p.CROSSING_SIDE, 8)
    store64(STATE, value + 8 * p.CROSSING_SIDE, p.CROSSED_SIDE)
    program = load64(STATE, value + 8 * p.CROSSING_PROGRAM)
    make_due(program, load64(STATE, value + 8 * p.CROSSING_SELECTOR), p.DUE_CROSSING, load64(STATE, entry + 16), 0)


@core()
def sweep_side(sweep: i64, feed: i64, room: i64) -> i64:
    """Go on with the side at hand; return the room left. The side is over when some is."""
    side = load64(STATE, sweep + 8 * p.SWEEP_SIDE)
    cursor = sweep + 8 * p.SWEEP_CURSOR
    reach = sweep + 8 * p.SWEEP_REACH + 16 * side
    low = load64(STATE, reach)
    high = load64(STATE, reach + 8)
    levels = levels_of(feed, side)
    level = levels_from(levels, load64(STATE, cursor), load64(STATE, cursor + 8))
    while level != 0 and before128(low, high, load64(STATE, level + 16), load64(STATE, level + 24)) == 0:
        if room == 0:
            store64(STATE, cursor, load64(STATE, level + 16))
            store64(STATE, cursor + 8, load64(STATE, level + 24))
            return 0
        room -= 1
        following = levels_after(levels, load64(STATE, level + 16), load64(STATE, level + 24))
        head = load64(STATE, level + VALUE_K2)
        since = load64(STATE, head + VALUE_K1 + 8 * p.CROSSING_SINCE)
        if since < load64(STATE, sweep + 8 * p.SWEEP_PUBLISHED):
            if load64(STATE, head + VALUE_K1 + 8 * p.CROSSING_NEXT):
                following = level
            fire(head)
        level = following
    begin_side(sweep, side + 1)
    return room


@core()
def pass_turn(number: i64, entry: i64) -> None:
    """Put a feed's sweep behind those of the others."""
    kept = g.sp
    copy(SCRATCH, STATE, kept, i32(entry + VALUE_K1), 8 * p.SWEEP_WORDS)
    sweeps_drop(p.SWEEPS, number)
    sweep = sweeps_put(p.SWEEPS, number) + VALUE_K1
    touch(sweep, 8 * p.SWEEP_WORDS)
    copy(STATE, SCRATCH, i32(sweep), kept, 8 * p.SWEEP_WORDS)


@core()
def sweep_turn(number: i64, entry: i64, room: i64) -> i64:
    """One turn of a feed; return the room it left. Its sweep ends, or stands behind the others'."""
    sweep = entry + VALUE_K1
    touch(sweep, 8 * p.SWEEP_WORDS)
    feed = feeds_find(p.FEEDS, number) + VALUE_K1
    while room > 0 and load64(STATE, sweep + 8 * p.SWEEP_SIDE) <= p.BELOW:
        room = sweep_side(sweep, feed, room)
    if load64(STATE, sweep + 8 * p.SWEEP_SIDE) > p.BELOW:
        sweeps_drop(p.SWEEPS, number)
        begin_sweep(number)
    else:
        pass_turn(number, entry)
    return room


@core()
def expand_crossings() -> None:
    """Make the handlers of crossed levels due, feed by feed in turns, as far as this batch has room for them."""
    room = CROSSED_MAX
    while room > 0:
        entry = load64(STATE, p.SWEEPS + 8)
        if entry == 0:
            return
        turn = room if room < CROSSED_TURN_MAX else CROSSED_TURN_MAX
        room -= turn
        room += sweep_turn(load64(STATE, entry + 16), entry, turn)
