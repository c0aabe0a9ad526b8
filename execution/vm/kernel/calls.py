"""
The calls of a transaction, atomic or each for itself; sequences of its lane; whether the signer is an agent.
"""

from __future__ import annotations

from execution.vm.core import copy, core, i32, i64, load16, load32, load64, store64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.administration import administer, asks_kernel
from execution.vm.kernel.fees import cover
from execution.vm.kernel.frames import capped, invoke, lookup
from execution.vm.kernel.journal import (
    charge,
    keep_savepoint,
    open_savepoint,
    undo_savepoint,
    undo_savepoints,
)
from execution.vm.kernel.outbox import begin_outermost, run_handlers
from execution.vm.kernel.system import bank_call, take_arguments
from execution.vm.kernel.words import (
    ARGUMENT_WORD,
    ATOMIC,
    BAD_ARGUMENT,
    CALL_BASE,
    IO,
    MAY_ACT,
    OUT_OF_GAS,
    SCRATCH,
    SEQUENCE_GAP,
    SEQUENCE_USED,
    STATE,
    TOO_MANY_LANES,
    VALUE_K3,
    VALUE_K4,
    exhausted,
    g,
    lanes_find,
    lanes_put,
    reject,
    signers_find,
    signers_put,
    touch,
)


@core()
def next_sequence(a: i64, b: i64, c: i64, lane: i64) -> i64:
    """The smallest sequence a signer may still use in a lane; 0 in one never used."""
    if lane == 0:
        entry = signers_find(p.SIGNERS, a, b, c)
        return load64(STATE, entry + VALUE_K3) if entry else 0
    entry = lanes_find(p.LANES, a, b, c, lane)
    return load64(STATE, entry + VALUE_K4) if entry else 0


@core()
def sequence_reason(at: i64) -> i64:
    """Lane 0 is contiguous, other lanes only grow and are bounded in number per signer."""
    a = load64(IO, at + p.TX_SIGNER)
    b = load64(IO, at + p.TX_SIGNER + 8)
    c = load64(IO, at + p.TX_SIGNER + 16)
    lane = load64(IO, at + p.TX_LANE)
    sequence = load64(IO, at + p.TX_SEQUENCE)
    expected = next_sequence(a, b, c, lane)
    if sequence < expected:
        return SEQUENCE_USED
    if lane == 0:
        return SEQUENCE_GAP if sequence != expected else 0
    if expected == 0:
        entry = signers_find(p.SIGNERS, a, b, c)
        if entry and load64(STATE, entry + VALUE_K3 + 8) >= load64(SCRATCH, p.LIMIT_LANES):
            return TOO_MANY_LANES
    return 0


@core()
def use_sequence(at: i64) -> None:
    a = load64(IO, at + p.TX_SIGNER)
    b = load64(IO, at + p.TX_SIGNER + 8)
    c = load64(IO, at + p.TX_SIGNER + 16)
    lane = load64(IO, at + p.TX_LANE)
    following = load64(IO, at + p.TX_SEQUENCE) + 1
    if lane == 0:
        value = signers_put(p.SIGNERS, a, b, c) + VALUE_K3
        touch(value, 8)
        store64(STATE, value, following)
        return
    value = lanes_put(p.LANES, a, b, c, lane) + VALUE_K4
    touch(value, 8)
    if load64(STATE, value) == 0:
        count = signers_put(p.SIGNERS, a, b, c) + VALUE_K3 + 8
        touch(count, 8)
        store64(STATE, count, load64(STATE, count) + 1)
    store64(STATE, value, following)


@core()
def may_act_on(at: i64, a: i64, b: i64, c: i64) -> i64:
    """Ask the bank whether the signer is the account's agent for program (a, b, c) now."""
    if load64(STATE, p.BANK) == 0:
        return 0
    args = g.sp
    for i in unroll(3):
        store64(SCRATCH, args + 8 * i, load64(IO, at + p.TX_ACCOUNT + 8 * i))
        store64(SCRATCH, args + 24 + 8 * i, load64(IO, at + p.TX_SIGNER + 8 * i))
    store64(SCRATCH, args + 48, a)
    store64(SCRATCH, args + 56, b)
    store64(SCRATCH, args + 64, c)
    store64(SCRATCH, args + 72, load64(SCRATCH, p.TIME))
    g.sp = args + 80
    bank_call(MAY_ACT, args)
    g.sp = args
    return load64(SCRATCH, args)


@core()
def may_act(at: i64) -> i64:
    """Ask for each call's program, once for a row of the same; without calls, for program zero."""
    count = load64(IO, at + p.TX_CALLS)
    if count == 0:
        return may_act_on(at, 0, 0, 0)
    call = at + p.TX_HEADER
    a, b, c = -1, -1, -1
    while count > 0:
        x = load64(IO, call)
        y = load64(IO, call + 8)
        z = load64(IO, call + 16)
        if z < 0:  # an upgrade's announcement, as a deployment for program zero
            x, y, z = 0, 0, 0
        if x != a or y != b or z != c:
            if may_act_on(at, x, y, z) == 0:
                return 0
            a, b, c = x, y, z
        call += p.CALL_HEADER + 8 * call_words(call)
        count -= 1
    return 1


@core()
def call_words(call: i64) -> i64:
    """Argument words that follow a call's header; 0 when the host found them malformed (0xFFFF)."""
    words = load16(IO, call + p.CALL_WORDS)
    return 0 if words == p.CALL_MALFORMED else words


@core()
def outermost(at: i64, call: i64) -> None:
    """Run one call with the account as sender; its result goes behind the receipts."""
    words = call_words(call)
    charge(CALL_BASE + ARGUMENT_WORD * words)
    results = load16(IO, call + p.CALL_RESULT_WORDS)
    if load16(IO, call + p.CALL_WORDS) == p.CALL_MALFORMED or results > p.RESULT_WORDS_MAX:
        raise reject(BAD_ARGUMENT)
    args = take_arguments(call + p.CALL_ARGS, words, results)
    which = i32(load32(IO, call + p.CALL_SELECTOR))
    cap = load64(IO, call + p.CALL_GAS)
    a = load64(IO, at + p.TX_ACCOUNT)
    b = load64(IO, at + p.TX_ACCOUNT + 8)
    c = load64(IO, at + p.TX_ACCOUNT + 16)
    third = load64(IO, call + 16)
    if asks_kernel(load64(IO, call), load64(IO, call + 8), third):
        administer(third < 0, which, args, words, a, b, c)
    else:
        entry = lookup(load64(IO, call), load64(IO, call + 8), third)
        if cap:
            capped(entry, which, args, 0, 0, a, b, c, cap)
        else:
            invoke(entry, which, args, 0, 0, a, b, c)
    to = load64(SCRATCH, p.RECEIPTS_TOP)
    store64(IO, to, 0)
    store64(IO, to + 8, results)
    copy(IO, SCRATCH, i32(to + 16), args, i32(8 * results))
    g.sp = args


@core()
def call_failed(why: i64) -> None:
    """Write the reason of a failed call behind the receipts."""
    to = load64(SCRATCH, p.RECEIPTS_TOP)
    store64(IO, to, why)
    store64(IO, to + 8, 0)
    store64(SCRATCH, p.RECEIPTS_TOP, to + 16)
    if load64(SCRATCH, p.FIRST_REASON) == 0:
        store64(SCRATCH, p.FIRST_REASON, why)


@core()
def call_succeeded() -> None:
    to = load64(SCRATCH, p.RECEIPTS_TOP)
    store64(SCRATCH, p.RECEIPTS_TOP, to + 16 + 8 * load64(IO, to + 8))
    store64(SCRATCH, p.CALLS_DONE, load64(SCRATCH, p.CALLS_DONE) + 1)


@core()
def run_independent(at: i64, call: i64) -> None:
    """One call in a scope of its own: its handlers run after it, its failure is its alone."""
    begin_outermost()
    g.undo_top = 0
    open_savepoint()
    try:
        outermost(at, call)
        run_handlers()
        cover(1 if load64(SCRATCH, p.CALLS_LEFT) == 1 else 0)
    except reject as refusal:
        undo_savepoint()
        call_failed(refusal.value)
        return
    keep_savepoint()
    call_succeeded()


@core()
def next_call() -> None:
    call = load64(SCRATCH, p.CALL_CURSOR)
    store64(SCRATCH, p.CALL_CURSOR, call + p.CALL_HEADER + 8 * call_words(call))
    store64(SCRATCH, p.CALLS_LEFT, load64(SCRATCH, p.CALLS_LEFT) - 1)


@core()
def fail_remaining(why: i64) -> None:
    """Give the calls that did not run any more the reason that ended the transaction."""
    while load64(SCRATCH, p.CALLS_LEFT) > 0:
        call_failed(why)
        next_call()


@core()
def fail_atomic(at: i64, why: i64) -> None:
    """All calls of an atomic transaction share one fate; the one that failed is named by its own reason."""
    done = load64(SCRATCH, p.CALLS_DONE)
    store64(SCRATCH, p.RECEIPTS_TOP, load64(SCRATCH, p.RECEIPT) + p.RECEIPT_HEADER)
    store64(SCRATCH, p.CALLS_DONE, 0)
    store64(SCRATCH, p.FIRST_REASON, why)
    for i in range(load64(IO, at + p.TX_CALLS)):
        call_failed(why if i == done else ATOMIC)


@core()
def run_atomic(at: i64) -> None:
    """All calls under one savepoint, handlers after the last."""
    open_savepoint()
    try:
        while load64(SCRATCH, p.CALLS_LEFT) > 0:
            outermost(at, load64(SCRATCH, p.CALL_CURSOR))
            call_succeeded()
            next_call()
        run_handlers()
        cover(1)
    except reject as refusal:
        undo_savepoint()
        fail_atomic(at, refusal.value)
        return
    except exhausted:
        undo_savepoints(0)
        g.gas = 0
        fail_atomic(at, OUT_OF_GAS)
        return
    keep_savepoint()


@core()
def run_calls(at: i64) -> None:
    """Run a transaction's calls as its flag says; gas is what it has left, at or below zero when it ran out."""
    store64(SCRATCH, p.CALL_CURSOR, at + p.TX_HEADER)
    store64(SCRATCH, p.CALLS_LEFT, load64(IO, at + p.TX_CALLS))
    if load64(IO, at + p.TX_FLAGS) & p.TX_ATOMIC:
        run_atomic(at)
        return
    try:
        while load64(SCRATCH, p.CALLS_LEFT) > 0:
            run_independent(at, load64(SCRATCH, p.CALL_CURSOR))
            next_call()
    except exhausted:
        end_exhausted()


@core()
def end_exhausted() -> None:
    """Undo the call that took the last gas, if it got that far, and give up the rest."""
    undo_savepoints(0)
    g.gas = 0
    fail_remaining(OUT_OF_GAS)
