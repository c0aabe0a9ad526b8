"""
Queues of hooks: due in this batch, put off to a later one, parked until their purse has money.

A hook is a key: program, selector, kind, argument (the feed, the time, the crossing's number, the venue). It waits in
one place at most. Putting off costs O(log n), parking and taking back O(1); nobody searches.
"""

from __future__ import annotations

from execution.lang.bounds import BACKOFF_MAX, BACKOFF_TRIES
from execution.vm.core import core, i64, load64, store64
from execution.vm.kernel import places as p
from execution.vm.kernel.words import (
    SCRATCH,
    STATE,
    VALUE_K1,
    VALUE_K2,
    VALUE_K4,
    due_drop,
    due_put,
    later_drop,
    later_put,
    parks_drop,
    parks_find,
    parks_put,
    touch,
    waiting_drop,
    waiting_find,
    waiting_put,
)

PARKED_MAX = 4096  # hooks of one program that wait for money; a venue's fills are one


@core()
def queue_of(program: i64) -> i64:
    """The queue a program's hooks run in."""
    if program == load64(STATE, p.ORACLE) or program == load64(STATE, p.CLEARING):
        return p.DUE_SYSTEM
    return p.DUE_PROGRAMS


@core()
def enqueue(program: i64, selector: i64, kind: i64, argument: i64, tries: i64) -> None:
    """To the tail of its queue, unless it stands there already."""
    queue = queue_of(program)
    before = load64(STATE, queue)
    value = due_put(queue, program, selector, kind, argument) + VALUE_K4
    if load64(STATE, queue) != before:
        touch(value, 16)
        store64(STATE, value, load64(SCRATCH, p.BATCH_NUMBER))
        store64(STATE, value + 8, tries)


@core()
def make_due(program: i64, selector: i64, kind: i64, argument: i64, tries: i64) -> None:
    """Let a hook run in this batch. One that was put off comes now and keeps its failures."""
    if load64(STATE, p.WAITING):
        entry = waiting_find(p.WAITING, program, selector, kind, argument)
        if entry:
            tries = load64(STATE, entry + VALUE_K4 + 16)
            later_drop(p.LATER, load64(STATE, entry + VALUE_K4 + 8), load64(STATE, entry + VALUE_K4))
            waiting_drop(p.WAITING, program, selector, kind, argument)
    enqueue(program, selector, kind, argument, tries)


@core()
def put_off(program: i64, selector: i64, kind: i64, argument: i64, batches: i64, tries: i64) -> None:
    """Let a hook run `batches` from now, unless it is put off already."""
    before = load64(STATE, p.WAITING)
    entry = waiting_put(p.WAITING, program, selector, kind, argument)
    if load64(STATE, p.WAITING) == before:
        return
    touch(p.PUT_OFF, 8)
    number = load64(STATE, p.PUT_OFF) + 1
    store64(STATE, p.PUT_OFF, number)
    batch = load64(SCRATCH, p.BATCH_NUMBER) + batches
    touch(entry + VALUE_K4, 24)
    store64(STATE, entry + VALUE_K4, batch)
    store64(STATE, entry + VALUE_K4 + 8, number)
    store64(STATE, entry + VALUE_K4 + 16, tries)
    place = later_put(p.LATER, number, batch) + VALUE_K2
    touch(place, 8)
    store64(STATE, place, entry)


@core()
def distance(tries: i64) -> i64:
    """Batches to wait after so many failures in a row: 1, 2, 4 … BACKOFF_MAX."""
    if tries >= BACKOFF_TRIES:
        return BACKOFF_MAX
    batches = 1
    while tries > 1:
        batches = batches + batches
        tries -= 1
    return batches


@core()
def expand_waiting(room: i64) -> i64:
    """Make due what was put off to this batch; return how many entries still fit."""
    batch = load64(SCRATCH, p.BATCH_NUMBER)
    while room > 0:
        later = load64(STATE, p.LATER + 8)
        if later == 0 or load64(STATE, later + 24) > batch:
            return room
        entry = load64(STATE, later + VALUE_K2)
        program = load64(STATE, entry + 16)
        make_due(program, load64(STATE, entry + 24), load64(STATE, entry + 32), load64(STATE, entry + 40), 0)
        room -= 1
    return room


@core()
def park(program: i64, selector: i64, kind: i64, argument: i64, tries: i64) -> i64:
    """Behind the program's other hooks that wait for money; 0 when they are too many."""
    before = load64(STATE, p.PARKED)
    value = parks_put(p.PARKS, program) + VALUE_K1
    touch(value, 24)
    if load64(STATE, value + 16) >= PARKED_MAX and kind != p.DUE_FILL:
        return 0
    entry = due_put(p.PARKED, program, selector, kind, argument)
    if load64(STATE, p.PARKED) == before:
        return 1
    touch(entry + VALUE_K4, 16)
    store64(STATE, entry + VALUE_K4, tries)
    last = load64(STATE, value + 8)
    if last:
        touch(last + VALUE_K4 + 8, 8)
        store64(STATE, last + VALUE_K4 + 8, entry)
    else:
        store64(STATE, value, entry)
    store64(STATE, value + 8, entry)
    store64(STATE, value + 16, load64(STATE, value + 16) + 1)
    return 1


@core()
def take_parked(program: i64, value: i64) -> None:
    """Put off the first parked hook of a program to the next batch. value: of its entry in PARKS."""
    entry = load64(STATE, value)
    selector = load64(STATE, entry + 24)
    kind = load64(STATE, entry + 32)
    argument = load64(STATE, entry + 40)
    put_off(program, selector, kind, argument, 1, load64(STATE, entry + VALUE_K4))
    touch(value, 24)
    store64(STATE, value, load64(STATE, entry + VALUE_K4 + 8))
    store64(STATE, value + 16, load64(STATE, value + 16) - 1)
    due_drop(p.PARKED, program, selector, kind, argument)
    if load64(STATE, value) == 0:
        parks_drop(p.PARKS, program)


@core()
def unpark(program: i64, most: i64) -> None:
    """Give up to `most` parked hooks of a program another try in the next batch, the longest waiting first."""
    while most > 0:
        entry = parks_find(p.PARKS, program)
        if entry == 0:
            return
        take_parked(program, entry + VALUE_K1)
        most -= 1
