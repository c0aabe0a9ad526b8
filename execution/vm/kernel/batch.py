"""
A batch, in phases: hooks of oracle and clearing, cancel, post-only, hooks of programs, trade; what the host calls.

Where the batch stands is kept in scratch, step by step, so that `recover` can go on after a trap: the engine has
thrown away the native stack, the kernel undoes what was under way and takes the next transaction.
"""

from __future__ import annotations

from execution.vm.core import core, i64, load64, shr_u, store64
from execution.vm.kernel import places as p
from execution.vm.kernel.calls import fail_atomic, fail_remaining, next_sequence
from execution.vm.kernel.hooks import end_hook, expand, next_hook
from execution.vm.kernel.journal import undo_savepoint
from execution.vm.kernel.system import begin_scope, forget_programs
from execution.vm.kernel.transaction import close_transaction, refuse, run_transaction
from execution.vm.kernel.words import IO, SCRATCH, STATE, TRAP, g, touch, write_record


@core()
def open_block(height: i64, time: i64, gap: i64) -> None:
    """Open a block: its journal is empty, its time ambient."""
    store64(SCRATCH, p.HEIGHT, height)
    store64(SCRATCH, p.TIME, time)
    store64(SCRATCH, p.GAP, gap)
    store64(SCRATCH, p.BLOCK_GAS, 0)
    store64(SCRATCH, p.BLOCK_HOOK_GAS, 0)
    g.mark += 1
    g.block_mark = g.mark
    g.before_top = 0
    clear_events()
    store64(SCRATCH, p.OPENING_EVENTS, 1)
    begin_scope(p.STAGE_SYSTEM)
    touch(p.LAST_HEIGHT, 24)
    store64(STATE, p.LAST_HEIGHT, height)
    store64(STATE, p.LAST_TIME, time)
    store64(STATE, p.LAST_GAP, gap)


@core()
def clear_events() -> None:
    store64(SCRATCH, p.EVENTS_TOP, p.IO_EVENTS)
    store64(SCRATCH, p.EVENTS_COUNT, 0)
    store64(SCRATCH, p.WITHDRAWALS, 0)


@core()
def begin_batch(count: i64) -> None:
    """Set everything to the start of a batch of `count` transactions in io; events of the opening stay in front."""
    if load64(SCRATCH, p.OPENING_EVENTS) == 0:
        clear_events()
    store64(SCRATCH, p.OPENING_EVENTS, 0)
    store64(SCRATCH, p.RECEIPTS_TOP, p.IO_RECEIPTS)
    store64(SCRATCH, p.ORDER_TOP, 0)
    store64(SCRATCH, p.BATCH_GAS, 0)
    store64(SCRATCH, p.BATCH_CLOSED, 0)
    store64(SCRATCH, p.BATCH_HOOK_GAS, 0)
    hooks = load64(SCRATCH, p.LIMIT_BLOCK_HOOK_GAS) - load64(SCRATCH, p.BLOCK_HOOK_GAS)
    most = load64(SCRATCH, p.LIMIT_BATCH_HOOK_GAS)
    store64(SCRATCH, p.HOOK_GAS, hooks if hooks < most else most)
    store64(SCRATCH, p.TRANSACTIONS, count)
    begin_scope(p.STAGE_SYSTEM)
    forget_programs()
    touch(p.BATCHES, 8)
    number = load64(STATE, p.BATCHES) + 1
    store64(STATE, p.BATCHES, number)
    store64(SCRATCH, p.BATCH_NUMBER, number)
    enter_phase(p.PHASE_SYSTEM_HOOKS)


@core()
def enter_phase(phase: i64) -> None:
    store64(SCRATCH, p.PHASE, phase)
    store64(SCRATCH, p.CURSOR, p.IO_INPUT)
    store64(SCRATCH, p.POSITION, 0)


@core()
def next_transaction(order_class: i64) -> i64:
    """Run the next transaction of a class; 0 when the phase has none left."""
    count = load64(SCRATCH, p.TRANSACTIONS)
    at = load64(SCRATCH, p.CURSOR)
    position = load64(SCRATCH, p.POSITION)
    while position < count and shr_u(load64(IO, at + p.TX_LANE), 30) != order_class:
        at += load64(IO, at + p.TX_BYTES)
        position += 1
    if position >= count:
        return 0
    store64(SCRATCH, p.POSITION, position)
    store64(SCRATCH, p.CURSOR, at)
    run_transaction(at)
    pass_transaction()
    return 1


@core()
def pass_transaction() -> None:
    at = load64(SCRATCH, p.CURSOR)
    store64(SCRATCH, p.CURSOR, at + load64(IO, at + p.TX_BYTES))
    store64(SCRATCH, p.POSITION, load64(SCRATCH, p.POSITION) + 1)


@core()
def step() -> i64:
    """One transaction or hook of the present phase; 0 when it is over."""
    phase = load64(SCRATCH, p.PHASE)
    if phase == p.PHASE_SYSTEM_HOOKS:
        return next_hook(p.LINES_SYSTEM)
    if phase == p.PHASE_CANCEL:
        return next_transaction(p.CLASS_CANCEL)
    if phase == p.PHASE_POST_ONLY:
        return next_transaction(p.CLASS_POST_ONLY)
    if phase == p.PHASE_PROGRAM_HOOKS:
        return next_hook(p.LINES_PROGRAMS)
    return next_transaction(p.CLASS_TRADE)


@core()
def advance() -> None:
    while load64(SCRATCH, p.PHASE) < p.PHASE_END:
        if step() == 0:
            enter_phase(load64(SCRATCH, p.PHASE) + 1)


@core()
def run(count: i64) -> None:
    """Run the whole batch in io."""
    begin_batch(count)
    expand()
    advance()


@core()
def trap_in_calls() -> None:
    """
    The trap fails the call it hit and those after it; an atomic transaction fails as a whole. All its gas is gone.
    """
    at = load64(SCRATCH, p.CURSOR)
    if load64(IO, at + p.TX_FLAGS) & p.TX_ATOMIC:
        fail_atomic(at, TRAP)
    else:
        fail_remaining(TRAP)
    g.gas = 0
    close_transaction(at)


@core()
def recover() -> i64:
    """
    After a trap: undo what was under way, write its receipt, go on with the batch.

    Returns:
        1 when the batch is done; 0 when the trap hit the kernel's own work, which nothing can go on from.
    """
    stage = load64(SCRATCH, p.STAGE)
    if stage != p.STAGE_OPENING and stage != p.STAGE_BODY and stage != p.STAGE_HOOK:
        return 0
    while load64(SCRATCH, p.SAVEPOINTS_OPEN) > 0:
        undo_savepoint()
    if stage == p.STAGE_OPENING:
        refuse(TRAP)
        pass_transaction()
    elif stage == p.STAGE_BODY:
        trap_in_calls()
        pass_transaction()
    else:
        g.gas = 0
        end_hook(0, TRAP)
    advance()
    return 1


@core()
def sequence(a: i64, b: i64, c: i64, lane: i64) -> i64:
    """Last sequence a signer used in a lane, −1 when none."""
    return next_sequence(a, b, c, lane) - 1


@core()
def init() -> None:
    """Write the record of the kernel's own state; once, at genesis, inside the first block."""
    begin_scope(p.STAGE_SYSTEM)
    write_record(p.HEAP)
