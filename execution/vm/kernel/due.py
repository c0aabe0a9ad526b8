"""
Where hooks wait: due in this batch, put off to a later one, parked until their purse has money.

A hook is a key: program, selector, kind, argument (the feed, the time, the crossing's number, the venue). It waits in
one place at most. Due and parked hooks of a program stand in its line, in order; the programs take turns, so that
however many one has due, another's next hook waits for at most one of each program. Putting off costs O(log n),
lining up and leaving O(1); nobody searches.
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
    lines_drop,
    lines_find,
    lines_put,
    touch,
    waiting_drop,
    waiting_find,
    waiting_put,
)

PARKED_MAX = 4096  # hooks of one program that wait for money; a venue's fills are one


@core()
def lines_of(program: i64) -> i64:
    """The lines among which a program's due hooks stand."""
    if program == load64(STATE, p.ORACLE) or program == load64(STATE, p.CLEARING):
        return p.LINES_SYSTEM
    return p.LINES_PROGRAMS


@core()
def line_up(hooks: i64, lines: i64, program: i64, selector: i64, kind: i64, argument: i64, tries: i64) -> None:
    """To the tail of its program's line, unless it stands there already."""
    before = load64(STATE, hooks)
    entry = due_put(hooks, program, selector, kind, argument)
    if load64(STATE, hooks) == before:
        return
    touch(entry + VALUE_K4, 16)
    store64(STATE, entry + VALUE_K4, tries)
    line = lines_put(lines, program) + VALUE_K1
    touch(line, 24)
    last = load64(STATE, line + 8)
    if last:
        touch(last + VALUE_K4 + 8, 8)
        store64(STATE, last + VALUE_K4 + 8, entry)
    else:
        store64(STATE, line, entry)
    store64(STATE, line + 8, entry)
    store64(STATE, line + 16, load64(STATE, line + 16) + 1)


@core()
def leave_line(hooks: i64, lines: i64, program: i64) -> None:
    """Take the first hook off a program's line; what is left of that goes behind the lines of the others."""
    line = lines_find(lines, program) + VALUE_K1
    entry = load64(STATE, line)
    last = load64(STATE, line + 8)
    left = load64(STATE, line + 16) - 1
    following = load64(STATE, entry + VALUE_K4 + 8)
    due_drop(hooks, program, load64(STATE, entry + 24), load64(STATE, entry + 32), load64(STATE, entry + 40))
    if left == 0 or load64(STATE, lines) > 1:
        lines_drop(lines, program)
    if left:
        line = lines_put(lines, program) + VALUE_K1
        touch(line, 24)
        store64(STATE, line, following)
        store64(STATE, line + 8, last)
        store64(STATE, line + 16, left)


@core()
def make_due(program: i64, selector: i64, kind: i64, argument: i64, tries: i64) -> None:
    """Let a hook run in this batch. One that was put off comes now and keeps its failures."""
    if load64(STATE, p.WAITING):
        entry = waiting_find(p.WAITING, program, selector, kind, argument)
        if entry:
            tries = load64(STATE, entry + VALUE_K4 + 16)
            later_drop(p.LATER, load64(STATE, entry + VALUE_K4 + 8), load64(STATE, entry + VALUE_K4))
            waiting_drop(p.WAITING, program, selector, kind, argument)
    line_up(p.DUE, lines_of(program), program, selector, kind, argument, tries)


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
    line = lines_find(p.PARKS, program)
    if line and load64(STATE, line + VALUE_K1 + 16) >= PARKED_MAX and kind != p.DUE_FILL:
        return 0
    line_up(p.PARKED, p.PARKS, program, selector, kind, argument, tries)
    return 1


@core()
def unpark(program: i64, most: i64) -> None:
    """Give up to `most` parked hooks of a program another try in the next batch, the longest waiting first."""
    while most > 0:
        line = lines_find(p.PARKS, program)
        if line == 0:
            return
        entry = load64(STATE, line + VALUE_K1)
        tries = load64(STATE, entry + VALUE_K4)
        put_off(program, load64(STATE, entry + 24), load64(STATE, entry + 32), load64(STATE, entry + 40), 1, tries)
        leave_line(p.PARKED, p.PARKS, program)
        most -= 1
