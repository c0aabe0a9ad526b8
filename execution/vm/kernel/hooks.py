"""
Due hooks: what time and prices owe to programs, run in order under caps.

Two queues, of the pinned oracle and clearing and of everyone else, both in order of becoming due. An entry is due
from a batch on; what did not fit stays at the head. RETRY and failures go to the tail for the next batch. Every run
is paid from the program's purse: a hook that fails stays due for as long as the purse pays, one that the purse cannot
pay is dropped; hooks that nobody pays for (`fees.hook_price`) fail a bounded number of times. Failing and dropping are
recorded and emitted as events of the kernel, and touch nobody else.
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load32, load64, rem_u, store64, u64
from execution.vm.kernel import places as p
from execution.vm.kernel.fees import hold_hook_fee, settle_hook_fee
from execution.vm.kernel.frames import entry_of, invoke
from execution.vm.kernel.journal import charge, keep_savepoint, open_savepoint, undo_savepoint, undo_savepoints
from execution.vm.kernel.outbox import append_event, run_handlers
from execution.vm.kernel.services import write_quote
from execution.vm.kernel.system import begin_scope
from execution.vm.kernel.words import (
    FEE_UNPAYABLE,
    HOOK_BASE,
    OUT_OF_GAS,
    SCRATCH,
    STATE,
    TOO_MANY_EVENTS,
    VALUE_K1,
    VALUE_K2,
    VALUE_K4,
    due_drop,
    due_put,
    exhausted,
    failures_put,
    feeds_find,
    g,
    moved_drop,
    reject,
    schedules_drop,
    touch,
)

EXPANSIONS_MAX = 4096  # entries made due in one batch
DROP_BASES = 5  # times hook_base: what finding out that nobody pays takes from the gas for hooks
DONE = 0
RETRY = 1


@core()
def queue_of(program: i64) -> i64:
    """The queue a program's hooks run in."""
    if program == load64(STATE, p.ORACLE) or program == load64(STATE, p.CLEARING):
        return p.DUE_SYSTEM
    return p.DUE_PROGRAMS


@core()
def make_due(program: i64, selector: i64, kind: i64, argument: i64, batch: i64, tries: i64) -> None:
    """Queue a hook unless it waits already: a newer quote takes the place of an older one."""
    queue = queue_of(program)
    before = load64(STATE, queue)
    value = due_put(queue, program, selector, kind, argument) + VALUE_K4
    if load64(STATE, queue) != before:
        touch(value, 16)
        store64(STATE, value, batch)
        store64(STATE, value + 8, tries)


@core()
def expand_schedules(room: i64) -> i64:
    """Make the schedules due whose time has come; return how many entries still fit this batch."""
    now = load64(SCRATCH, p.TIME)
    batch = load64(SCRATCH, p.BATCH_NUMBER)
    while room > 0:
        entry = load64(STATE, p.SCHEDULES + 8)
        if entry == 0:
            return room
        number = load64(STATE, entry + 16)
        time = load64(STATE, entry + 24)
        if time > now:
            return room
        make_due(
            load64(STATE, entry + VALUE_K2), load64(STATE, entry + VALUE_K2 + 8), p.DUE_SCHEDULE, time, batch - 1, 0
        )
        schedules_drop(p.SCHEDULES, number, time)
        room -= 1
    return room


@core()
def subscriber_after(entry: i64, header: i64) -> i64:
    """The next subscriber, round the end."""
    following = load32(STATE, entry)
    return following if following else load64(STATE, header + 8)


@core()
def expand_feed(number: i64) -> i64:
    """Make a published feed's subscribers due, from a start that rotates with the batches; return how many."""
    feed = feeds_find(p.FEEDS, number)
    header = feed + VALUE_K1 + 8 * p.FEED_SUBSCRIBERS
    count = load64(STATE, header)
    if feed == 0 or count == 0:
        return 0
    batch = load64(SCRATCH, p.BATCH_NUMBER)
    entry = load64(STATE, header + 8)
    skip = rem_u(batch, count)
    while skip > 0:
        entry = subscriber_after(entry, header)
        skip -= 1
    left = count
    while left > 0:
        make_due(load64(STATE, entry + 16), load64(STATE, entry + 24), p.DUE_PRICE, number, batch - 1, 0)
        entry = subscriber_after(entry, header)
        left -= 1
    return count


@core()
def expand() -> None:
    """At the start of a batch: what earlier batches published and what the time has reached becomes due."""
    begin_scope(p.STAGE_EXPAND)
    room = expand_schedules(EXPANSIONS_MAX)
    while room > 0:
        entry = load64(STATE, p.MOVED + 8)
        if entry == 0:
            break
        number = load64(STATE, entry + 16)
        room -= expand_feed(number)
        moved_drop(p.MOVED, number)


@core()
def record_failure(event: i64, why: i64, tries: i64) -> None:
    """Of the hook at hand. event: KERNEL_EVENT_HOOK_FAILED or KERNEL_EVENT_HOOK_DROPPED."""
    program = load64(SCRATCH, p.HOOK_PROGRAM)
    selector = load64(SCRATCH, p.HOOK_SELECTOR)
    value = failures_put(p.FAILURES, program, selector) + VALUE_K2
    touch(value, 32)
    store64(STATE, value, load64(STATE, value) + 1)
    store64(STATE, value + 8, why)
    store64(STATE, value + 16, load64(SCRATCH, p.HEIGHT))
    store64(STATE, value + 24, load64(SCRATCH, p.TIME))
    args = g.sp
    store64(SCRATCH, args, program)
    store64(SCRATCH, args + 8, selector)
    store64(SCRATCH, args + 16, why)
    store64(SCRATCH, args + 24, tries)
    try:
        append_event(0, event, args, 4)
    except reject as refusal:
        assert_full(refusal.value)


@core()
def assert_full(why: i64) -> None:
    """Events of a batch may be full, nothing else may go wrong here."""
    if why != TOO_MANY_EVENTS:
        raise reject(why)


@core()
def settle_hook(outcome: i64, why: i64, tries: i64) -> None:
    """Put a hook back for the next batch when it wants to be, or failed and may try again."""
    program = load64(SCRATCH, p.HOOK_PROGRAM)
    selector = load64(SCRATCH, p.HOOK_SELECTOR)
    kind = load64(SCRATCH, p.HOOK_KIND)
    argument = load64(SCRATCH, p.HOOK_ARGUMENT)
    batch = load64(SCRATCH, p.BATCH_NUMBER)
    if why:
        record_failure(p.KERNEL_EVENT_HOOK_FAILED, why, tries + 1)
        if load64(SCRATCH, p.HOOK_PRICE) or tries + 1 < load64(SCRATCH, p.LIMIT_HOOK_TRIES):
            make_due(program, selector, kind, argument, batch, tries + 1)
        return
    if outcome == RETRY:
        make_due(program, selector, kind, argument, batch, 0)


@core()
def take_due(queue: i64, entry: i64) -> None:
    """Remember the entry at hand and take it off its queue."""
    program = load64(STATE, entry + 16)
    selector = load64(STATE, entry + 24)
    kind = load64(STATE, entry + 32)
    argument = load64(STATE, entry + 40)
    store64(SCRATCH, p.HOOK_PROGRAM, program)
    store64(SCRATCH, p.HOOK_SELECTOR, selector)
    store64(SCRATCH, p.HOOK_KIND, kind)
    store64(SCRATCH, p.HOOK_ARGUMENT, argument)
    store64(SCRATCH, p.HOOK_TRIES, load64(STATE, entry + VALUE_K4 + 8))
    due_drop(queue, program, selector, kind, argument)


@core()
def call_hook() -> i64:
    """Run the hook at hand as a call by its own program; return its Outcome."""
    args = g.sp
    g.sp = args + 56
    if load64(SCRATCH, p.HOOK_KIND) == p.DUE_PRICE:
        write_quote(load64(SCRATCH, p.HOOK_ARGUMENT), u64(args))
    else:
        store64(SCRATCH, args, load64(SCRATCH, p.HOOK_ARGUMENT))
    entry = entry_of(load64(SCRATCH, p.HOOK_PROGRAM))
    a = load64(STATE, entry + 16)
    b = load64(STATE, entry + 24)
    c = load64(STATE, entry + 32)
    charge(HOOK_BASE)
    invoke(entry, i32(load64(SCRATCH, p.HOOK_SELECTOR)), args, p.FLAG_KERNEL, 0, a, b, c)
    outcome = load64(SCRATCH, args)
    run_handlers()
    return outcome


@core()
def spend(gas: i64) -> None:
    """Take gas from what this batch and this block have for hooks."""
    store64(SCRATCH, p.HOOK_GAS, load64(SCRATCH, p.HOOK_GAS) - gas)
    store64(SCRATCH, p.BATCH_HOOK_GAS, load64(SCRATCH, p.BATCH_HOOK_GAS) + gas)
    store64(SCRATCH, p.BLOCK_HOOK_GAS, load64(SCRATCH, p.BLOCK_HOOK_GAS) + gas)


@core()
def end_hook(outcome: i64, why: i64) -> None:
    """Account for the gas of the hook at hand, have it paid, and settle what becomes of it."""
    cap = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    used = cap - (g.gas if g.gas > 0 else 0)
    spend(used)
    begin_scope(p.STAGE_CLOSING)
    settle_hook_fee(used)
    settle_hook(outcome, why, load64(SCRATCH, p.HOOK_TRIES))
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def pay_ahead() -> i64:
    """Hold what the hook at hand may cost; 0 when the purse does not have it, and the hook is dropped."""
    open_savepoint()
    try:
        hold_hook_fee(load64(SCRATCH, p.HOOK_PROGRAM))
    except reject:
        undo_savepoint()
        spend(DROP_BASES * HOOK_BASE)
        record_failure(p.KERNEL_EVENT_HOOK_DROPPED, FEE_UNPAYABLE, load64(SCRATCH, p.HOOK_TRIES))
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return 0
    keep_savepoint()
    return 1


@core()
def run_hook(queue: i64, entry: i64) -> None:
    begin_scope(p.STAGE_CLOSING)
    for i in range(3):
        store64(SCRATCH, p.SIGNER + 8 * i, 0)
    store64(SCRATCH, p.CLASS, 0)
    take_due(queue, entry)
    if pay_ahead() == 0:
        return
    begin_scope(p.STAGE_HOOK)
    outcome = 0
    why = 0
    open_savepoint()
    g.gas = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    try:
        outcome = call_hook()
    except reject as refusal:
        why = refusal.value
    except exhausted:
        why = OUT_OF_GAS
        g.gas = 0
    if why:
        undo_savepoints(0)
    else:
        keep_savepoint()
    end_hook(outcome, why)


@core()
def has_room() -> i64:
    """Whether this batch has gas and events for one more hook."""
    if load64(SCRATCH, p.HOOK_GAS) < load64(SCRATCH, p.LIMIT_HOOK_GAS):
        return 0
    most = load64(SCRATCH, p.LIMIT_EVENTS)
    if load64(SCRATCH, p.EVENTS_TOP) + p.EVENT_BYTES_MAX * most > p.IO_EVENTS_END:
        return 0
    return 1 if load64(SCRATCH, p.EVENTS_COUNT) <= load64(SCRATCH, p.LIMIT_BATCH_EVENTS) - most else 0


@core()
def next_hook(queue: i64) -> i64:
    """Run the hook at the head of a queue; 0 when none is due in this batch, or it has no room left for hooks."""
    entry = load64(STATE, queue + 8)
    if entry == 0 or has_room() == 0:
        return 0
    if load64(STATE, entry + VALUE_K4) >= load64(SCRATCH, p.BATCH_NUMBER):
        return 0
    run_hook(queue, entry)
    return 1
