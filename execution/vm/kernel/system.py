"""
Calls the kernel makes in its own name: fees and credits at the bank, creation of programs, reads for the host.

The sender is the account of number 1 (20 bytes 0x00 … 01), which nobody can sign for. Each returns 0 or the reason
why not.
"""

from __future__ import annotations

from execution.vm.core import copy, core, fill, i32, i64, load16, load32, load64, store64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of, invoke, lookup
from execution.vm.kernel.journal import keep_savepoint, open_savepoint, undo_savepoint, undo_savepoints
from execution.vm.kernel.outbox import begin_outermost, run_handlers
from execution.vm.kernel.words import (
    IO,
    KERNEL_ACCOUNT_WORD2,
    KEY_EXISTS,
    OUT_OF_GAS,
    SCRATCH,
    STATE,
    SYSTEM_GAS,
    VALUE_K3,
    exhausted,
    g,
    programs_push,
    registry_find,
    registry_put,
    reject,
    touch,
)


@core()
def begin_scope(stage: i64) -> None:
    """A new outermost scope: nothing to undo but what follows, empty stack, no world; nobody pays for storage."""
    store64(SCRATCH, p.STAGE, stage)
    g.mark += 1
    g.undo_top = 0
    g.sp = p.STACK_START
    g.frame = 0
    g.gas = SYSTEM_GAS
    g.paying = 0
    g.owed = 0
    begin_outermost()


@core()
def forget_programs() -> None:
    """What `lookup` remembers may have been undone, rolled back or restored since."""
    fill(SCRATCH, p.KNOWN, 0, p.KNOWN_BYTES * p.KNOWN_MAX)


@core()
def begin_system() -> None:
    """A scope of the host's own: nobody signed, every class of entry may be reached."""
    begin_scope(p.STAGE_SYSTEM)
    forget_programs()
    store64(SCRATCH, p.CLASS, p.CLASS_TRADE)
    for i in range(p.SIGNER_WORDS):
        store64(SCRATCH, p.SIGNER + 8 * i, 0)


@core()
def bank_call(selector: i32, args: i32) -> None:
    """Call the pinned bank as the kernel, arguments at scratch[args]."""
    invoke(entry_of(load64(STATE, p.BANK)), selector, args, 0, 0, 0, 0, KERNEL_ACCOUNT_WORD2)


@core()
def take_arguments(at: i64, words: i64, results: i64) -> i32:
    """Copy argument words from io to the stack, with room for the results; return where they are."""
    args = g.sp
    copy(SCRATCH, IO, args, i32(at), i32(8 * words))
    g.sp = args + i32(8 * (words if words > results else results))
    return args


@core()
def system_call(number: i64) -> i64:
    """
    Run the call at the start of io's input on program `number`; its target field holds the sender instead.

    Results replace the arguments. The host sends deposits as the kernel, and the plan of genesis as its admin.

    Returns:
        0, or the reason of the rejection; then nothing has changed.
    """
    begin_system()
    words = load16(IO, p.IO_INPUT + p.CALL_WORDS)
    results = load16(IO, p.IO_INPUT + p.CALL_RESULT_WORDS)
    open_savepoint()
    try:
        args = take_arguments(p.IO_INPUT + p.CALL_ARGS, words, results)
        selector = i32(load32(IO, p.IO_INPUT + p.CALL_SELECTOR))
        a = load64(IO, p.IO_INPUT + p.CALL_TARGET)
        b = load64(IO, p.IO_INPUT + p.CALL_TARGET + 8)
        c = load64(IO, p.IO_INPUT + p.CALL_TARGET + 16)
        invoke(entry_of(number), selector, args, p.FLAG_KERNEL, 0, a, b, c)
        run_handlers()
        copy(IO, SCRATCH, p.IO_INPUT + p.CALL_ARGS, args, i32(8 * results))
    except reject as refusal:
        undo_savepoint()
        store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
        return refusal.value
    keep_savepoint()
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
    return 0


# A program to create, in io: its registry record, its address, then the call of `create`.
NEW_RECORD = p.IO_INPUT
NEW_ADDRESS = p.IO_INPUT + 8 * p.RECORD_WORDS
NEW_SENDER = NEW_ADDRESS + 24
NEW_CALL = NEW_SENDER + 24


@core()
def register_program() -> i64:
    """Enter the program described in io into the registry; return its entry. Rejects "key exists"."""
    a = load64(IO, NEW_ADDRESS)
    b = load64(IO, NEW_ADDRESS + 8)
    c = load64(IO, NEW_ADDRESS + 16)
    if registry_find(p.REGISTRY, a, b, c):
        raise reject(KEY_EXISTS)
    entry: i64 = registry_put(p.REGISTRY, a, b, c)
    place = programs_push(p.PROGRAMS)
    touch(place, 8)
    store64(STATE, place, entry)
    touch(entry + VALUE_K3, 8 * p.RECORD_WORDS)
    for i in unroll(p.RECORD_WORDS):
        store64(STATE, entry + VALUE_K3 + 8 * i, load64(IO, NEW_RECORD + 8 * i))
    store64(STATE, entry + VALUE_K3 + 8 * p.RECORD_NUMBER, load64(STATE, p.PROGRAMS))
    return entry


@core()
def create_program(run_create: i64) -> i64:
    """
    Register the program described in io and run its `create` under the gas cap there.

    run_create: 0 for a program without `create`. Its instance and its entry in the tables are the host's part, done
    before.

    Returns:
        0, or the reason of the rejection; then nothing has changed.
    """
    begin_system()
    open_savepoint()
    try:
        entry = register_program()
        if run_create:
            words = load16(IO, NEW_CALL + p.CALL_WORDS)
            args = take_arguments(NEW_CALL + p.CALL_ARGS, words, 0)
            a = load64(IO, NEW_SENDER)
            b = load64(IO, NEW_SENDER + 8)
            c = load64(IO, NEW_SENDER + 16)
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
def pin(place: i64, number: i64) -> None:
    """Pin a program number to one of the kernel's roles: place is BANK, ORACLE or CLEARING."""
    begin_system()
    touch(place, 8)
    store64(STATE, place, number)
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def answer(at: i64, to: i64) -> i64:
    """Run one view call of io under its gas, write reason, gas used, words and result at io[to]; return the reason."""
    begin_system()
    cap = load64(IO, at + p.CALL_GAS)
    results = load16(IO, at + p.CALL_RESULT_WORDS)
    g.gas = cap
    open_savepoint()
    why = 0
    try:
        args = take_arguments(at + p.CALL_ARGS, load16(IO, at + p.CALL_WORDS), results)
        entry = lookup(load64(IO, at), load64(IO, at + 8), load64(IO, at + 16))
        invoke(entry, i32(load32(IO, at + p.CALL_SELECTOR)), args, p.FLAG_VIEW, 0, 0, 0, 0)
        copy(IO, SCRATCH, i32(to + 24), args, i32(8 * results))
    except reject as refusal:
        why = refusal.value
    except exhausted:
        why = OUT_OF_GAS
        g.gas = 0
    used = cap - (g.gas if g.gas > 0 else 0)
    undo_savepoints(0)
    store64(IO, to, why)
    store64(IO, to + 8, used)
    store64(IO, to + 16, 0 if why else results)
    return why


@core()
def query(count: i64) -> i64:
    """Answer `count` view calls packed in io's input one behind the other; return where the answers end."""
    at = p.IO_INPUT
    to = p.IO_RECEIPTS
    while count > 0:
        answer(at, to)
        to += 24 + 8 * load64(IO, to + 16)
        at += p.CALL_HEADER + 8 * load16(IO, at + p.CALL_WORDS)
        count -= 1
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
    return to
