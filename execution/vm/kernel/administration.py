"""
Who may change a program, and when: the acts of a program's admin, and the switch to a version that was announced.

The acts are entries of the kernel at its own address, for transactions; to programs there is none. An upgrade is
announced by its transaction, whose code the block records; the host switches the instance when a block opens late
enough. Each act leaves an event of the kernel, so that whoever does not agree can leave before.
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load16, load32, load64, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of, invoke, lookup
from execution.vm.kernel.journal import charge, keep_savepoint, open_savepoint, undo_savepoint, undo_savepoints
from execution.vm.kernel.outbox import append_event, run_handlers
from execution.vm.kernel.system import NEW_CALL, NEW_RECORD, begin_system, take_arguments
from execution.vm.kernel.words import (
    BAD_ARGUMENT,
    CANCEL_UPGRADE,
    EMIT_BASE,
    IO,
    KERNEL_ACCOUNT_WORD2,
    NO_UPGRADE_PENDING,
    NOT_AUTHORISED,
    OUT_OF_GAS,
    SCRATCH,
    SET_ADMIN,
    SET_TIME_LOCK,
    STATE,
    TOO_MANY_EVENTS,
    UNKNOWN_ENTRY,
    UPGRADE_PENDING,
    VALUE_K3,
    exhausted,
    g,
    reject,
    touch,
)


@core()
def asks_kernel(a: i64, b: i64, c: i64) -> i32:
    """Whether a call is meant for the kernel: its own address, or, as an announcement is packed, one of no account."""
    if c < 0:
        return 1
    return a == 0 and b == 0 and c == KERNEL_ACCOUNT_WORD2


@core()
def tell(event: i64, first: i64, second: i64, third: i64, words: i64) -> None:
    """Append an event of the kernel with up to three words."""
    at = g.sp
    store64(SCRATCH, at, first)
    store64(SCRATCH, at + 8, second)
    store64(SCRATCH, at + 16, third)
    append_event(0, event, at, words)


@core()
def administered(args: i64, x: i64, y: i64, z: i64) -> i64:
    """State address of the record of the program at scratch[args], touched. Rejects unless (x, y, z) is its admin."""
    entry = lookup(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    at = entry + VALUE_K3
    admin = at + 8 * p.RECORD_ADMIN
    if x == 0 and y == 0 and z == 0:
        raise reject(NOT_AUTHORISED)
    if load64(STATE, admin) != x or load64(STATE, admin + 8) != y or load64(STATE, admin + 16) != z:
        raise reject(NOT_AUTHORISED)
    touch(at, 8 * p.RECORD_WORDS)
    return at


@core()
def time_lock(at: i64) -> i64:
    """The time-lock of a record that holds now."""
    since = load64(STATE, at + 8 * p.RECORD_NEXT_LOCK_TIME)
    if since > 0 and since <= load64(SCRATCH, p.TIME):
        return load64(STATE, at + 8 * p.RECORD_NEXT_LOCK)
    return load64(STATE, at + 8 * p.RECORD_TIME_LOCK)


@core()
def forget_upgrade(at: i64) -> None:
    store64(STATE, at + 8 * p.RECORD_UPGRADE, 0)
    store64(STATE, at + 8 * p.RECORD_UPGRADE_TIME, 0)


@core()
def cancel_upgrade(at: i64) -> None:
    if load64(STATE, at + 8 * p.RECORD_UPGRADE) == 0:
        raise reject(NO_UPGRADE_PENDING)
    forget_upgrade(at)
    tell(p.KERNEL_EVENT_UPGRADE_CANCELLED, load64(STATE, at), 0, 0, 1)


@core()
def set_admin(at: i64, to: i64) -> None:
    """to: scratch address of the account. Giving up also gives up what was announced."""
    a = load64(SCRATCH, to)
    b = load64(SCRATCH, to + 8)
    c = load64(SCRATCH, to + 16)
    if c < 0 or c > 0xFFFFFFFF:
        raise reject(BAD_ARGUMENT)
    if a == 0 and b == 0 and c == 0 and load64(STATE, at + 8 * p.RECORD_UPGRADE):
        cancel_upgrade(at)
    store64(STATE, at + 8 * p.RECORD_ADMIN, a)
    store64(STATE, at + 8 * p.RECORD_ADMIN + 8, b)
    store64(STATE, at + 8 * p.RECORD_ADMIN + 16, c)
    event = g.sp
    store64(SCRATCH, event, load64(STATE, at))
    store64(SCRATCH, event + 8, a)
    store64(SCRATCH, event + 16, b)
    store64(SCRATCH, event + 24, c)
    append_event(0, p.KERNEL_EVENT_ADMIN, event, 4)


@core()
def set_time_lock(at: i64, lock: i64) -> None:
    """A longer one holds at once, a shorter one when the present one has passed."""
    if lock < 0 or lock > p.TIME_LOCK_MAX:
        raise reject(BAD_ARGUMENT)
    present = time_lock(at)
    since = load64(SCRATCH, p.TIME)
    store64(STATE, at + 8 * p.RECORD_NEXT_LOCK, 0)
    store64(STATE, at + 8 * p.RECORD_NEXT_LOCK_TIME, 0)
    if lock >= present:
        store64(STATE, at + 8 * p.RECORD_TIME_LOCK, lock)
    else:
        since += present
        store64(STATE, at + 8 * p.RECORD_TIME_LOCK, present)
        store64(STATE, at + 8 * p.RECORD_NEXT_LOCK, lock)
        store64(STATE, at + 8 * p.RECORD_NEXT_LOCK_TIME, since)
    tell(p.KERNEL_EVENT_TIME_LOCK, load64(STATE, at), lock, since, 3)


@core()
def announce(at: i64, word: i64) -> None:
    """word: first of the transaction's id. One version at a time."""
    if load64(STATE, at + 8 * p.RECORD_UPGRADE):
        raise reject(UPGRADE_PENDING)
    time = load64(SCRATCH, p.TIME) + time_lock(at)
    store64(STATE, at + 8 * p.RECORD_UPGRADE, word)
    store64(STATE, at + 8 * p.RECORD_UPGRADE_TIME, time)
    tell(p.KERNEL_EVENT_UPGRADE_ANNOUNCED, load64(STATE, at), word, time, 3)


@core()
def administer(announcing: i32, selector: i32, args: i32, words: i64, x: i64, y: i64, z: i64) -> None:
    """
    An act by (x, y, z) on the program at scratch[args]. announcing: the call is an upgrade transaction's own.

    Rejects "unknown entry", "unknown program", "not authorised", or what the act refuses.
    """
    charge(EMIT_BASE)
    which = u64(selector)
    at = u64(args)
    if announcing:
        announce(administered(at, x, y, z), load64(SCRATCH, at + 24))
    elif which == SET_ADMIN and words == 6:
        set_admin(administered(at, x, y, z), at + 24)
    elif which == SET_TIME_LOCK and words == 4:
        set_time_lock(administered(at, x, y, z), load64(SCRATCH, at + 24))
    elif which == CANCEL_UPGRADE and words == 3:
        cancel_upgrade(administered(at, x, y, z))
    else:
        raise reject(UNKNOWN_ENTRY)


@core()
def upgrade_state(number: i64, word: i64) -> i64:
    """UPGRADE_WAITS or UPGRADE_DUE of a version announced by the transaction of that word; UPGRADE_GONE otherwise."""
    at = entry_of(number) + VALUE_K3
    if load64(STATE, at + 8 * p.RECORD_UPGRADE) != word:
        return p.UPGRADE_GONE
    if load64(STATE, at + 8 * p.RECORD_UPGRADE_TIME) > load64(SCRATCH, p.TIME):
        return p.UPGRADE_WAITS
    return p.UPGRADE_DUE


@core()
def next_version(at: i64) -> None:
    """The record of a program at its switch: hashes are in io's NEW_RECORD."""
    touch(at, 8 * p.RECORD_WORDS)
    forget_upgrade(at)
    store64(STATE, at + 8 * p.RECORD_VERSION, load64(STATE, at + 8 * p.RECORD_VERSION) + 1)
    store64(STATE, at + 8 * p.RECORD_ACTIVE, load64(SCRATCH, p.HEIGHT))
    for i in unroll(12):  # hashes of layout, code and source
        word = 8 * p.RECORD_LAYOUT + 8 * i
        store64(STATE, at + word, load64(IO, NEW_RECORD + word))


@core()
def upgrade_program(number: i64, migrates: i64) -> i64:
    """
    Enter the new version, whose instance is in place, and run its @migrate as a call of the admin.

    Returns:
        0, or the reason of the rejection; then nothing has changed but the instance, which the host puts back.
    """
    begin_system()
    open_savepoint()
    try:
        entry = entry_of(number)
        at = entry + VALUE_K3
        next_version(at)
        if migrates:
            args = take_arguments(NEW_CALL + p.CALL_ARGS, load16(IO, NEW_CALL + p.CALL_WORDS), 0)
            admin = at + 8 * p.RECORD_ADMIN
            a = load64(STATE, admin)
            b = load64(STATE, admin + 8)
            c = load64(STATE, admin + 16)
            selector = i32(load32(IO, NEW_CALL + p.CALL_SELECTOR))
            g.gas = load64(IO, NEW_CALL + p.CALL_GAS)
            invoke(entry, selector, args, p.FLAG_KERNEL, 0, a, b, c)
            run_handlers()
    except reject as refusal:
        undo_savepoint()
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return refusal.value
    except exhausted:
        undo_savepoints(0)
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return OUT_OF_GAS
    keep_savepoint()
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
    return 0


@core()
def tell_upgrade(number: i64, why: i64) -> None:
    """Emit that a program was upgraded, or why not; then nothing is announced any more."""
    begin_system()
    at = entry_of(number) + VALUE_K3
    try:
        if why:
            touch(at, 8 * p.RECORD_WORDS)
            forget_upgrade(at)
            tell(p.KERNEL_EVENT_UPGRADE_FAILED, number, why, 0, 2)
        else:
            event = g.sp
            store64(SCRATCH, event, number)
            store64(SCRATCH, event + 8, load64(STATE, at + 8 * p.RECORD_VERSION))
            for i in unroll(4):
                store64(SCRATCH, event + 16 + 8 * i, load64(STATE, at + 8 * p.RECORD_CODE + 8 * i))
            append_event(0, p.KERNEL_EVENT_UPGRADED, event, 6)
    except reject as refusal:
        if refusal.value != TOO_MANY_EVENTS:
            raise reject(refusal.value) from None
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
