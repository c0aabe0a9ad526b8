"""
Fills: a venue tells the programs that trade there of their fills, one by one, after the fact.

Who listens has one queue per venue. Telling appends to it, and a queue that was empty puts its handler off to the next
batch; the handler hears the first fill, and the next when it is done with that. So fills are heard in order, whatever
fails or waits in between, and a venue calls nobody. A full queue takes no more: fills then are counted, and the next
one heard says how many were missed.
"""

from __future__ import annotations

from execution.lang.bounds import FILLS_WAITING_MAX
from execution.vm.core import core, i32, i64, load64, store64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.due import make_due, put_off
from execution.vm.kernel.frames import entry_of, lookup
from execution.vm.kernel.words import (
    SCRATCH,
    STATE,
    VALUE_K2,
    VALUE_K3,
    fills_free,
    fills_pop,
    fills_push,
    g,
    listeners_drop,
    listeners_find,
    listeners_put,
    registry_find,
    touch,
)


@core()
def number_of(a: i64, b: i64, c: i64) -> i64:
    """Number of the program at an address, 0 when there is none."""
    entry = registry_find(p.REGISTRY, a, b, c)
    if entry == 0:
        return 0
    return load64(STATE, entry + VALUE_K3 + 8 * p.RECORD_NUMBER)


@core()
def waiting_fills(listener: i64) -> i64:
    """Fills in a listener's queue; listener: address of its value."""
    return load64(STATE, listener + 8 * p.LISTENER_QUEUE)


@core()
def subscribe_fills(args: i64) -> None:
    """venue (3), selector: the calling program's handler hears its fills there. Rejects "unknown program"."""
    venue_entry = lookup(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    venue = load64(STATE, venue_entry + VALUE_K3 + 8 * p.RECORD_NUMBER)
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    selector = load64(SCRATCH, args + 24)
    listener = listeners_put(p.FILLS, program, venue) + VALUE_K2
    if load64(STATE, listener) == selector:
        return
    touch(listener, 8)
    store64(STATE, listener, selector)
    if waiting_fills(listener):
        put_off(program, selector, p.DUE_FILL, venue, 1, 0)


@core()
def unsubscribe_fills(args: i64) -> None:
    """venue (3): the calling program hears nothing from there any more, neither what waits."""
    venue = number_of(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    entry = listeners_find(p.FILLS, program, venue)
    if entry:
        fills_free(entry + VALUE_K2 + 8 * p.LISTENER_QUEUE)
        listeners_drop(p.FILLS, program, venue)


@core()
def hears_fills(args: i64) -> None:
    """owner (3) → 1 when it is a program that listens to the calling venue, else 0."""
    entry = 0
    if load64(STATE, p.FILLS):
        owner = number_of(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
        if owner:
            entry = listeners_find(p.FILLS, owner, load64(SCRATCH, g.frame + p.FRAME_NUMBER))
    store64(SCRATCH, args, 1 if entry else 0)


@core()
def report_fill(args: i64) -> None:
    """owner (3), market, order, bought, price (2), size (2), fee (2): of the calling venue, to whoever listens."""
    owner = number_of(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    venue = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    entry = 0
    if owner:
        entry = listeners_find(p.FILLS, owner, venue)
    if entry == 0:
        return
    listener = entry + VALUE_K2
    waiting = waiting_fills(listener)
    if waiting >= FILLS_WAITING_MAX:
        touch(listener + 8 * p.LISTENER_MISSED, 8)
        store64(STATE, listener + 8 * p.LISTENER_MISSED, load64(STATE, listener + 8 * p.LISTENER_MISSED) + 1)
        return
    item = fills_push(listener + 8 * p.LISTENER_QUEUE)
    for i in unroll(p.FILL_BATCH):
        store64(STATE, item + 8 * i, load64(SCRATCH, args + 24 + 8 * i))
    store64(STATE, item + 8 * p.FILL_BATCH, load64(SCRATCH, p.BATCH_NUMBER))
    if waiting == 0:
        put_off(owner, load64(STATE, listener), p.DUE_FILL, venue, 1, 0)


@core()
def listener_at_hand() -> i64:
    """Value of the subscription that the hook at hand serves; 0 when it has ended or has nothing to hear."""
    entry = listeners_find(p.FILLS, load64(SCRATCH, p.HOOK_PROGRAM), load64(SCRATCH, p.HOOK_ARGUMENT))
    if entry == 0:
        return 0
    listener: i64 = entry + VALUE_K2
    if load64(STATE, listener) != load64(SCRATCH, p.HOOK_SELECTOR) or waiting_fills(listener) == 0:
        return 0
    return listener


@core()
def write_fill(args: i32) -> None:
    """The Fill that the hook at hand hears, at scratch[args]: venue, the words of the item, how many were missed."""
    listener = listener_at_hand()
    venue = entry_of(load64(SCRATCH, p.HOOK_ARGUMENT))
    item = load64(STATE, listener + 8 * p.LISTENER_QUEUE + 8)
    for i in unroll(3):
        store64(SCRATCH, args + 8 * i, load64(STATE, venue + 16 + 8 * i))
    for i in unroll(p.FILL_BATCH):
        store64(SCRATCH, args + 24 + 8 * i, load64(STATE, item + 8 * i))
    missed = load64(STATE, listener + 8 * p.LISTENER_MISSED)
    store64(SCRATCH, args + 24 + 8 * p.FILL_BATCH, missed)
    store64(SCRATCH, p.HOOK_MISSED, missed)


@core()
def pass_fill(heard: i64) -> None:
    """
    The handler is done with the first fill, or it is given up; the next is due, in this batch if it was told before it.

    heard: 1 when it ran; a fill that is given up counts as missed.
    """
    listener = listener_at_hand()
    if listener == 0:
        return
    if load64(STATE, load64(STATE, listener + 8 * p.LISTENER_QUEUE + 8) + 8 * p.FILL_BATCH) == load64(
        SCRATCH, p.BATCH_NUMBER
    ):
        return  # the handler subscribed anew: this one it has not heard
    missed = listener + 8 * p.LISTENER_MISSED
    touch(missed, 8)
    if heard:
        store64(STATE, missed, load64(STATE, missed) - load64(SCRATCH, p.HOOK_MISSED))
    else:
        store64(STATE, missed, load64(STATE, missed) + 1)
    fills_pop(listener + 8 * p.LISTENER_QUEUE)
    item = load64(STATE, listener + 8 * p.LISTENER_QUEUE + 8)
    if item == 0:
        return
    program = load64(SCRATCH, p.HOOK_PROGRAM)
    selector = load64(SCRATCH, p.HOOK_SELECTOR)
    venue = load64(SCRATCH, p.HOOK_ARGUMENT)
    if load64(STATE, item + 8 * p.FILL_BATCH) < load64(SCRATCH, p.BATCH_NUMBER):
        make_due(program, selector, p.DUE_FILL, venue, 0)
    else:
        put_off(program, selector, p.DUE_FILL, venue, 1, 0)
