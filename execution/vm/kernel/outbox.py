"""
What a program leaves for later: events for the host, handlers for the end of the outermost call.

The queue of handlers is found again through a small table of (epoch, index): an entry is valid while its epoch is the
present outermost call's and its index below the queue's top, so that undoing is moving the top. Invariants of the
programs that were entered wait in a list of their own, which is checked when no handler is left.
"""

from __future__ import annotations

from execution.vm.core import copy, core, i32, i64, load32, load64, mul_fold, store32, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of, invoke
from execution.vm.kernel.journal import charge
from execution.vm.kernel.words import (
    CALL_BASE,
    CHECK_INVARIANTS,
    EMIT_BASE,
    EMIT_WORD,
    IO,
    PROBE,
    READ_ONLY,
    SCRATCH,
    STATE,
    TOO_MANY_EVENTS,
    TOO_MANY_HANDLERS,
    g,
    reject,
)


@core()
def check_writable() -> None:
    """Reject "read only" inside a view."""
    if load64(SCRATCH, g.frame + p.FRAME_FLAGS) & p.FLAG_VIEW:
        raise reject(READ_ONLY)


@core()
def note_withdrawal(index: i64) -> None:
    """Remember that event `index` tells of a withdrawal; what was undone since goes first."""
    count = load64(SCRATCH, p.WITHDRAWALS)
    while count > 0 and load32(IO, p.IO_WITHDRAWALS + 4 * count - 4) >= index:
        count -= 1
    if count >= p.WITHDRAWALS_MAX:
        raise reject(TOO_MANY_EVENTS)
    store32(IO, p.IO_WITHDRAWALS + 4 * count, index)
    store64(SCRATCH, p.WITHDRAWALS, count + 1)


@core()
def append_event(program: i64, event: i64, args: i32, words: i64) -> None:
    top = load64(SCRATCH, p.EVENTS_TOP)
    count = load64(SCRATCH, p.EVENTS_COUNT)
    if top + p.EVENT_HEADER + 8 * words > p.IO_EVENTS_END or count >= load64(SCRATCH, p.EVENTS_LIMIT):
        raise reject(TOO_MANY_EVENTS)
    store32(IO, top, program)
    store32(IO, top + 4, event)
    store64(IO, top + 8, words)
    copy(IO, SCRATCH, i32(top + p.EVENT_HEADER), args, i32(8 * words))
    store32(IO, p.IO_EVENT_INDEX + 4 * count, top - p.IO_EVENTS)
    store64(SCRATCH, p.EVENTS_TOP, top + p.EVENT_HEADER + 8 * words)
    store64(SCRATCH, p.EVENTS_COUNT, count + 1)
    if event == load64(SCRATCH, p.WITHDRAWN_EVENT) and program == load64(STATE, p.BANK) and program:
        note_withdrawal(count)


@core()
def emit(event: i32, args: i32, words: i32) -> None:
    """Append an event of the program on top of the stack."""
    charge(EMIT_BASE + EMIT_WORD * u64(words))
    check_writable()
    append_event(load64(SCRATCH, g.frame + p.FRAME_NUMBER), u64(event), args, u64(words))


@core()
def begin_outermost() -> None:
    """A new outermost call: nothing is queued."""
    store64(SCRATCH, p.EPOCH, load64(SCRATCH, p.EPOCH) + 1)
    store64(SCRATCH, p.QUEUE_TOP, 0)
    store64(SCRATCH, p.QUEUE_DONE, 0)
    store64(SCRATCH, p.INVARIANTS_TOP, 0)
    limit = load64(SCRATCH, p.EVENTS_COUNT) + load64(SCRATCH, p.LIMIT_EVENTS)
    most = load64(SCRATCH, p.LIMIT_BATCH_EVENTS)
    store64(SCRATCH, p.EVENTS_LIMIT, limit if limit < most else most)


@core()
def same_handler(at: i64, program: i64, selector: i64, a: i64, b: i64, c: i64) -> i32:
    if load64(SCRATCH, at) != program or load64(SCRATCH, at + 8) != selector:
        return 0
    if load64(SCRATCH, at + 16) != a or load64(SCRATCH, at + 24) != b or load64(SCRATCH, at + 32) != c:
        return 0
    return 1


@core()
def taken(slot: i64, epoch: i64, top: i64) -> i32:
    """Whether a slot of the table leads to a waiting entry that leads back to it; what was undone does not."""
    index = load32(SCRATCH, slot + 4)
    if load32(SCRATCH, slot) != epoch or index >= top:
        return 0
    return load64(SCRATCH, p.QUEUE + p.QUEUE_ENTRY_BYTES * index + 40) == slot


@core()
def at_end(selector: i32, a: i64, b: i64, c: i64) -> None:
    """Queue a handler of the calling program for an account, once while it waits."""
    check_writable()
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    epoch = load64(SCRATCH, p.EPOCH) & 0xFFFFFFFF
    top = load64(SCRATCH, p.QUEUE_TOP)
    if top >= p.QUEUE_MAX:
        raise reject(TOO_MANY_HANDLERS)
    mixed = mul_fold(a ^ u64(selector), 0x9E3779B97F4A7C15 ^ b) ^ mul_fold(c ^ program, 0x2545F4914F6CDD1D)
    slot = p.TABLE + 8 * (mixed & (p.TABLE_SLOTS - 1))
    while taken(slot, epoch, top):
        index = load32(SCRATCH, slot + 4)
        if same_handler(p.QUEUE + p.QUEUE_ENTRY_BYTES * index, program, u64(selector), a, b, c):
            if index >= load64(SCRATCH, p.QUEUE_DONE):
                return
            break
        charge(PROBE)
        slot = p.TABLE + ((slot - p.TABLE + 8) & (8 * p.TABLE_SLOTS - 1))
    at = p.QUEUE + p.QUEUE_ENTRY_BYTES * top
    store64(SCRATCH, at, program)
    store64(SCRATCH, at + 8, u64(selector))
    store64(SCRATCH, at + 16, a)
    store64(SCRATCH, at + 24, b)
    store64(SCRATCH, at + 32, c)
    store64(SCRATCH, at + 40, slot)
    store32(SCRATCH, slot, epoch)
    store32(SCRATCH, slot + 4, top)
    store64(SCRATCH, p.QUEUE_TOP, top + 1)


@core()
def keep_invariants() -> None:
    """The calling program was entered: its invariants hold at the end of the outermost call. Once is enough."""
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    top = load64(SCRATCH, p.INVARIANTS_TOP)
    place = p.INVARIANTS_PLACE + 4 * program
    index = load32(SCRATCH, place)
    if index < top and load64(SCRATCH, p.INVARIANTS + 8 * index) == program:
        return
    if top >= p.INVARIANTS_MAX:
        raise reject(TOO_MANY_HANDLERS)
    store64(SCRATCH, p.INVARIANTS + 8 * top, program)
    store32(SCRATCH, place, top)
    store64(SCRATCH, p.INVARIANTS_TOP, top + 1)


@core()
def check_invariants() -> None:
    """Of every program entered, in the order of its first entry; they change nothing, so none is added meanwhile."""
    for i in range(load64(SCRATCH, p.INVARIANTS_TOP)):
        charge(CALL_BASE)
        entry = entry_of(load64(SCRATCH, p.INVARIANTS + 8 * i))
        x = load64(STATE, entry + 16)
        y = load64(STATE, entry + 24)
        z = load64(STATE, entry + 32)
        invoke(entry, CHECK_INVARIANTS, g.sp, p.FLAG_KERNEL, 0, x, y, z)


@core()
def run_handlers() -> None:
    """
    Run what is queued, in order, each as a call by its own program, then check the invariants of the programs entered;
    a rejection is the outermost call's.
    """
    while load64(SCRATCH, p.QUEUE_DONE) < load64(SCRATCH, p.QUEUE_TOP):
        at = p.QUEUE + p.QUEUE_ENTRY_BYTES * load64(SCRATCH, p.QUEUE_DONE)
        store64(SCRATCH, p.QUEUE_DONE, load64(SCRATCH, p.QUEUE_DONE) + 1)
        charge(CALL_BASE)
        args = g.sp
        for i in unroll(3):
            store64(SCRATCH, args + 8 * i, load64(SCRATCH, at + 16 + 8 * i))
        g.sp = args + 24
        entry = entry_of(load64(SCRATCH, at))
        selector = i32(load64(SCRATCH, at + 8))
        x = load64(STATE, entry + 16)
        y = load64(STATE, entry + 24)
        z = load64(STATE, entry + 32)
        invoke(entry, selector, args, p.FLAG_KERNEL, 0, x, y, z)
        g.sp = args
    check_invariants()
