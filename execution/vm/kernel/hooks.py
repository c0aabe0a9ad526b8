"""
Due hooks: what time and prices owe to programs, run in order under caps.

The pinned oracle and clearing come first, then everyone else; of either the programs take turns, one hook at a time,
each program's in the order of becoming due (`due`), and what did not fit comes first in the next batch. RETRY is due
again in the next batch, a hook that failed after 1, 2, 4 … batches. Every run is paid from the program's purse: a hook
that fails is tried for as long as the purse pays; one that the purse cannot pay is parked until there is money, a price
handler dropped, as the next quote makes it due again; hooks that nobody pays for (`fees.has_purse`) fail a bounded
number of times. Failing, parking and dropping are recorded and emitted as events of the kernel, and touch nobody else.
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load32, load64, rem_u, store64, u64
from execution.vm.kernel import places as p
from execution.vm.kernel.crossings import begin_sweep, expand_crossings, forget_crossing
from execution.vm.kernel.due import distance, expand_waiting, leave_line, make_due, park, put_off, unpark
from execution.vm.kernel.fees import cover, hold_hook_fee, pay_storage, settle
from execution.vm.kernel.fills import listener_at_hand, pass_fill, write_fill
from execution.vm.kernel.frames import entry_of, invoke
from execution.vm.kernel.journal import charge, keep_savepoint, open_savepoint, undo_savepoint, undo_savepoints
from execution.vm.kernel.outbox import append_event, run_handlers
from execution.vm.kernel.services import count_schedule, write_quote
from execution.vm.kernel.system import begin_scope
from execution.vm.kernel.words import (
    FEE_UNPAYABLE,
    HOOK_BASE,
    OUT_OF_GAS,
    SCRATCH,
    STATE,
    SYSTEM_GAS,
    TOO_MANY_EVENTS,
    VALUE_K1,
    VALUE_K2,
    VALUE_K4,
    crossings_find,
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
EXPANSION_GAS_MAX = 25_000_000  # what making them due may cost, in the gas of the kernel's own work; the rest waits
QUEUEING_GAS_FREE = 200_000  # of that for one hook; more, where keys were chosen to collide, is taken from hooks' gas
UNPAID_GAS = 5_000  # what finding out that nobody pays takes from the gas for hooks
WITHDRAWN_GAS = 1_000  # and that the cause is gone
UNPARKED_MAX = 2  # parked hooks that get another try after one that was paid
HANDED_WORDS = 13  # most that a handler is given: a Fill
DONE = 0
RETRY = 1


@core()
def expand_schedules(room: i64) -> i64:
    """Make the schedules due whose time has come; return how many entries still fit this batch."""
    now = load64(SCRATCH, p.TIME)
    while room > 0 and SYSTEM_GAS - g.gas < EXPANSION_GAS_MAX:
        entry = load64(STATE, p.SCHEDULES + 8)
        if entry == 0:
            return room
        number = load64(STATE, entry + 16)
        time = load64(STATE, entry + 24)
        if time > now:
            return room
        make_due(load64(STATE, entry + VALUE_K2), load64(STATE, entry + VALUE_K2 + 8), p.DUE_SCHEDULE, time, 0)
        count_schedule(load64(STATE, entry + VALUE_K2), -1)
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
    entry = load64(STATE, header + 8)
    skip = rem_u(load64(SCRATCH, p.BATCH_NUMBER), count)
    while skip > 0:
        entry = subscriber_after(entry, header)
        skip -= 1
    left = count
    while left > 0:
        make_due(load64(STATE, entry + 16), load64(STATE, entry + 24), p.DUE_PRICE, number, 0)
        entry = subscriber_after(entry, header)
        left -= 1
    return count


@core()
def expand() -> None:
    """At the start of a batch: what was put off, what the time has reached, what earlier batches published is due."""
    begin_scope(p.STAGE_EXPAND)
    room = expand_schedules(expand_waiting(EXPANSIONS_MAX))
    while room > 0 and SYSTEM_GAS - g.gas < EXPANSION_GAS_MAX:
        entry = load64(STATE, p.MOVED + 8)
        if entry == 0:
            break
        number = load64(STATE, entry + 16)
        room -= expand_feed(number)
        begin_sweep(number)
        moved_drop(p.MOVED, number)
    expand_crossings()


@core()
def record_failure(event: i64, why: i64, tries: i64) -> None:
    """Of the hook at hand. event: one of KERNEL_EVENT_HOOK_…"""
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
def finish_hook(heard: i64) -> None:
    """The hook at hand will not run again for its cause. heard: 1 when it was done, 0 when it is given up."""
    if load64(SCRATCH, p.HOOK_KIND) == p.DUE_FILL:
        pass_fill(heard)
    elif stands():
        forget_crossing(load64(SCRATCH, p.HOOK_ARGUMENT))


@core()
def stands() -> i64:
    """Whether the hook at hand serves a crossing that has not been withdrawn."""
    if load64(SCRATCH, p.HOOK_KIND) != p.DUE_CROSSING:
        return 0
    return 1 if crossings_find(p.CROSSINGS, load64(SCRATCH, p.HOOK_ARGUMENT)) else 0


@core()
def settle_hook(outcome: i64, why: i64, tries: i64) -> None:
    """Put a hook off when it wants to run again, or failed and may try again."""
    program = load64(SCRATCH, p.HOOK_PROGRAM)
    selector = load64(SCRATCH, p.HOOK_SELECTOR)
    kind = load64(SCRATCH, p.HOOK_KIND)
    argument = load64(SCRATCH, p.HOOK_ARGUMENT)
    if why:
        record_failure(p.KERNEL_EVENT_HOOK_FAILED, why, tries + 1)
        if load64(SCRATCH, p.PAYER_PRICE) or tries + 1 < load64(SCRATCH, p.LIMIT_HOOK_TRIES):
            put_off(program, selector, kind, argument, distance(tries + 1), tries + 1)
        else:
            finish_hook(0)
    elif outcome == RETRY:
        put_off(program, selector, kind, argument, 1, 0)
    else:
        finish_hook(1)


@core()
def take_due(lines: i64, entry: i64) -> None:
    """Remember the entry at hand and take it off its program's line."""
    program = load64(STATE, entry + 16)
    selector = load64(STATE, entry + 24)
    kind = load64(STATE, entry + 32)
    argument = load64(STATE, entry + 40)
    store64(SCRATCH, p.HOOK_PROGRAM, program)
    store64(SCRATCH, p.HOOK_SELECTOR, selector)
    store64(SCRATCH, p.HOOK_KIND, kind)
    store64(SCRATCH, p.HOOK_ARGUMENT, argument)
    store64(SCRATCH, p.HOOK_TRIES, load64(STATE, entry + VALUE_K4))
    leave_line(p.DUE, lines, program)


@core()
def hand_over(args: i32) -> None:
    """Write what the hook at hand is given at scratch[args]: a Quote, Timestamp, Fill or Crossing."""
    kind = load64(SCRATCH, p.HOOK_KIND)
    argument = load64(SCRATCH, p.HOOK_ARGUMENT)
    if kind == p.DUE_PRICE:
        write_quote(argument, u64(args))
    elif kind == p.DUE_CROSSING:
        value = crossings_find(p.CROSSINGS, argument) + VALUE_K1
        write_quote(load64(STATE, value + 8 * p.CROSSING_FEED), u64(args))
        store64(SCRATCH, args + 56, argument)
        store64(SCRATCH, args + 64, load64(STATE, value + 8 * p.CROSSING_LEVEL))
        store64(SCRATCH, args + 72, load64(STATE, value + 8 * p.CROSSING_LEVEL + 8))
    elif kind == p.DUE_FILL:
        write_fill(args)
    else:
        store64(SCRATCH, args, argument)


@core()
def call_hook() -> i64:
    """Run the hook at hand as a call by its own program; return its Outcome."""
    args = g.sp
    g.sp = args + 8 * HANDED_WORDS
    hand_over(args)
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
def spend_queueing() -> None:
    """What the kernel itself has used in this scope, beyond a free part."""
    used = SYSTEM_GAS - g.gas
    if used > QUEUEING_GAS_FREE:
        spend(used)


@core()
def end_hook(outcome: i64, why: i64) -> None:
    """Account for the gas of the hook at hand, have it paid, and settle what becomes of it."""
    cap = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    used = cap - (g.gas if g.gas > 0 else 0)
    owed = g.owed
    spend(used)
    begin_scope(p.STAGE_CLOSING)
    settle(used, owed)
    if load64(SCRATCH, p.HOOK_PAYS) and load64(STATE, p.PARKED):
        unpark(load64(SCRATCH, p.HOOK_PROGRAM), UNPARKED_MAX)
    settle_hook(outcome, why, load64(SCRATCH, p.HOOK_TRIES))
    spend_queueing()
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def leave_unpaid() -> None:
    """The purse cannot pay for the hook at hand: it is parked, or dropped as a later cause comes by itself."""
    spend(UNPAID_GAS)
    program = load64(SCRATCH, p.HOOK_PROGRAM)
    selector = load64(SCRATCH, p.HOOK_SELECTOR)
    kind = load64(SCRATCH, p.HOOK_KIND)
    tries = load64(SCRATCH, p.HOOK_TRIES)
    if kind != p.DUE_PRICE and park(program, selector, kind, load64(SCRATCH, p.HOOK_ARGUMENT), tries):
        record_failure(p.KERNEL_EVENT_HOOK_PARKED, FEE_UNPAYABLE, tries)
        return
    record_failure(p.KERNEL_EVENT_HOOK_DROPPED, FEE_UNPAYABLE, tries)
    finish_hook(0)


@core()
def pay_ahead() -> i64:
    """Hold what the hook at hand may cost; 0 when the purse does not have it."""
    open_savepoint()
    try:
        hold_hook_fee(load64(SCRATCH, p.HOOK_PROGRAM))
    except reject:
        undo_savepoint()
        leave_unpaid()
        return 0
    keep_savepoint()
    return 1


@core()
def has_cause() -> i64:
    """Whether the hook at hand still has what it waited for: its crossing or fill may have been withdrawn."""
    kind = load64(SCRATCH, p.HOOK_KIND)
    if kind == p.DUE_CROSSING:
        return stands()
    if kind == p.DUE_FILL:
        return 1 if listener_at_hand() else 0
    return 1


@core()
def run_hook(lines: i64, entry: i64) -> None:
    begin_scope(p.STAGE_CLOSING)
    for i in range(3):
        store64(SCRATCH, p.SIGNER + 8 * i, 0)
    store64(SCRATCH, p.CLASS, 0)
    take_due(lines, entry)
    spend_queueing()
    if has_cause() == 0:
        spend(WITHDRAWN_GAS)
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return
    if pay_ahead() == 0:
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return
    begin_scope(p.STAGE_HOOK)
    if load64(SCRATCH, p.HOOK_PAYS):
        pay_storage()
    outcome = 0
    why = 0
    open_savepoint()
    g.gas = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    try:
        outcome = call_hook()
        cover(1)
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
def next_hook(lines: i64) -> i64:
    """Run the first hook of the line whose turn it is; 0 when none is due, or this batch has no room left for hooks."""
    line = load64(STATE, lines + 8)
    if line == 0 or has_room() == 0:
        return 0
    run_hook(lines, load64(STATE, line + VALUE_K1))
    return 1
