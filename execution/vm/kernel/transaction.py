"""
One transaction: checks, sequence, fee reserve, its calls, the fee, the receipt.

Refused: not executable; nothing is changed or charged. Failed: its calls are undone, sequence and fee stay. Each call
of an independent transaction is a scope of its own: what went before it is final, so the journal starts over.
"""

from __future__ import annotations

from execution.vm.core import core, div_u, i64, load64, shr_u, store32, store64, u64
from execution.vm.kernel import places as p
from execution.vm.kernel.calls import may_act, run_calls, sequence_reason, use_sequence
from execution.vm.kernel.fees import begin_payer, hold_fee, pay_storage, settle
from execution.vm.kernel.journal import keep_savepoint, open_savepoint, undo_savepoint
from execution.vm.kernel.system import begin_scope
from execution.vm.kernel.words import (
    BLOCK_FULL,
    EXPIRED,
    FEE_UNPAYABLE,
    GAS_TOO_HIGH,
    GAS_TOO_LOW,
    IO,
    NOT_AUTHORISED,
    OUT_OF_GAS,
    SCRATCH,
    exhausted,
    g,
    reject,
)
from execution.vm.runtime.barrier import PAGE_RECORD_BYTES
from execution.vm.runtime.words import DIRTY_PAGE


@core()
def has_io(calls: i64) -> i64:
    """
    Whether io takes the events of one outermost call more and a receipt of so many calls, the widest results assumed,
    with a refusal for each transaction behind it: receipts must not run into the events.
    """
    most = load64(SCRATCH, p.LIMIT_EVENTS)
    if load64(SCRATCH, p.EVENTS_COUNT) > load64(SCRATCH, p.LIMIT_BATCH_EVENTS) - most:
        return 0
    if load64(SCRATCH, p.EVENTS_TOP) + p.EVENT_BYTES_MAX * most > p.IO_EVENTS_END:
        return 0
    behind = load64(SCRATCH, p.TRANSACTIONS) - load64(SCRATCH, p.ORDER_TOP)
    room = p.IO_RECEIPTS_END - load64(SCRATCH, p.RECEIPTS_TOP) - p.RECEIPT_HEADER * behind
    return 1 if p.RECEIPT_CALL_MAX * calls <= room else 0


@core()
def check(at: i64) -> i64:
    """
    Reason why the transaction at io[at] cannot run, or 0; reads only.

    What finds no room is "block full", and so is all that comes after it in the batch: put back together, they keep
    their order. Room are the batch's and the block's gas, the journal, the events of one transaction, and its receipt.
    """
    gas = load64(IO, at + p.TX_GAS)
    if load64(SCRATCH, p.BATCH_CLOSED):
        return BLOCK_FULL
    if load64(SCRATCH, p.TIME) > load64(IO, at + p.TX_EXPIRY):
        return EXPIRED
    if gas < load64(IO, at + p.TX_INTRINSIC):
        return GAS_TOO_LOW
    if gas > load64(SCRATCH, p.LIMIT_TRANSACTION_GAS):
        return GAS_TOO_HIGH
    if gas > load64(SCRATCH, p.LIMIT_BATCH_GAS) - load64(SCRATCH, p.BATCH_GAS):
        return BLOCK_FULL
    if gas > load64(SCRATCH, p.LIMIT_BLOCK_GAS) - load64(SCRATCH, p.BLOCK_GAS):
        return BLOCK_FULL
    if has_io(load64(IO, at + p.TX_CALLS)) == 0:
        return BLOCK_FULL
    pages = div_u(gas, DIRTY_PAGE) + p.UNPAID_PAGES
    if u64(g.before_top) + PAGE_RECORD_BYTES * pages > p.JOURNAL_BYTES_MAX:
        return BLOCK_FULL
    return sequence_reason(at)


@core()
def authorised(at: i64) -> i64:
    """1 when the signer is the account, or its agent for the program of every call."""
    for i in range(3):
        if load64(IO, at + p.TX_ACCOUNT + 8 * i) != load64(IO, at + p.TX_SIGNER + 8 * i):
            return may_act(at)
    return 1


@core()
def reserve_fee(at: i64) -> None:
    """Hold gas · price of the account. Rejects when it cannot pay."""
    if load64(IO, at + p.TX_PRICE) == 0:
        return
    try:
        hold_fee(load64(IO, at + p.TX_GAS))
    except reject as refusal:
        store64(SCRATCH, p.FIRST_REASON, refusal.value)
        raise reject(FEE_UNPAYABLE) from None


@core()
def open_transaction(at: i64) -> i64:
    """Use the sequence and reserve the fee; return 0 or the reason why neither happened."""
    why = check(at)
    if why:
        return why
    try:
        if authorised(at) == 0:
            return NOT_AUTHORISED
        use_sequence(at)
        reserve_fee(at)
    except reject as refusal:
        return refusal.value
    except exhausted:
        return OUT_OF_GAS
    return 0


@core()
def begin_receipt(at: i64) -> None:
    to = load64(SCRATCH, p.RECEIPTS_TOP)
    position = load64(SCRATCH, p.POSITION)
    order = load64(SCRATCH, p.ORDER_TOP)
    store64(SCRATCH, p.RECEIPT, to)
    store64(SCRATCH, p.RECEIPTS_TOP, to + p.RECEIPT_HEADER)
    store32(IO, p.IO_RECEIPT_INDEX + 4 * position, to - p.IO_RECEIPTS)
    store32(IO, p.IO_ORDER + 4 * order, position)
    store64(SCRATCH, p.ORDER_TOP, order + 1)
    store32(IO, to + p.RECEIPT_POSITION, position)
    store32(IO, to + p.RECEIPT_EVENTS_FROM, load64(SCRATCH, p.EVENTS_COUNT))


@core()
def end_receipt(status: i64, why: i64, used: i64, calls: i64) -> None:
    to = load64(SCRATCH, p.RECEIPT)
    store32(IO, to + p.RECEIPT_STATUS, status)
    store64(IO, to + p.RECEIPT_REASON, why)
    store64(IO, to + p.RECEIPT_GAS, used)
    store64(IO, to + p.RECEIPT_FEE, load64(SCRATCH, p.FEE_LOW))
    store64(IO, to + p.RECEIPT_FEE + 8, load64(SCRATCH, p.FEE_HIGH))
    store32(IO, to + p.RECEIPT_EVENTS_TO, load64(SCRATCH, p.EVENTS_COUNT))
    store64(IO, to + p.RECEIPT_CALLS, calls)
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def refuse(why: i64) -> None:
    """The receipt of a transaction that was not executable; one without room closes the batch."""
    if why == BLOCK_FULL:
        store64(SCRATCH, p.BATCH_CLOSED, 1)
    store64(SCRATCH, p.FEE_LOW, 0)
    store64(SCRATCH, p.FEE_HIGH, 0)
    end_receipt(p.STATUS_REFUSED, why, 0, 0)


@core()
def close_transaction(at: i64) -> None:
    """After the calls: gas used, fee and deposit, the receipt. FIRST_REASON and CALLS_DONE tell how they went."""
    left = g.gas if g.gas > 0 else 0
    owed = g.owed
    used = load64(IO, at + p.TX_GAS) - left
    store64(SCRATCH, p.BATCH_GAS, load64(SCRATCH, p.BATCH_GAS) + used)
    store64(SCRATCH, p.BLOCK_GAS, load64(SCRATCH, p.BLOCK_GAS) + used)
    begin_scope(p.STAGE_CLOSING)
    settle(used, owed)
    calls = load64(IO, at + p.TX_CALLS)
    failed = load64(SCRATCH, p.FIRST_REASON) != 0 and load64(SCRATCH, p.CALLS_DONE) == 0
    if failed:
        end_receipt(p.STATUS_FAILED, load64(SCRATCH, p.FIRST_REASON), used, calls)
    else:
        end_receipt(p.STATUS_DONE, 0, used, calls)


@core()
def run_transaction(at: i64) -> None:
    """Run the transaction at io[at] and write its receipt."""
    begin_scope(p.STAGE_OPENING)
    for i in range(3):
        store64(SCRATCH, p.SIGNER + 8 * i, load64(IO, at + p.TX_SIGNER + 8 * i))
    a = load64(IO, at + p.TX_ACCOUNT)
    b = load64(IO, at + p.TX_ACCOUNT + 8)
    c = load64(IO, at + p.TX_ACCOUNT + 16)
    begin_payer(a, b, c, load64(IO, at + p.TX_PRICE))
    store64(SCRATCH, p.CLASS, shr_u(load64(IO, at + p.TX_LANE), 30))
    store64(SCRATCH, p.FIRST_REASON, 0)
    store64(SCRATCH, p.CALLS_DONE, 0)
    begin_receipt(at)
    open_savepoint()
    why = open_transaction(at)
    if why:
        undo_savepoint()
        refuse(why)
        return
    keep_savepoint()
    begin_scope(p.STAGE_BODY)
    pay_storage()
    g.gas = load64(IO, at + p.TX_GAS) - load64(IO, at + p.TX_INTRINSIC)
    run_calls(at)
    close_transaction(at)
