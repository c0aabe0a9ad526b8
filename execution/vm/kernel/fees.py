"""
Who pays: the most that a run may cost is held at the bank before it, what it used stays with the fee account.

A transaction pays from its account at its own price. A hook pays from its program's purse, an account that the bank
derives from the program (`genesis.derived`), at the chain's least price; programs of genesis are part of the chain's
rules and pay nothing.

Storage is paid by the byte: g.owed counts bytes that programs added while g.paying, less those they gave back
(`runtime/slots`). What a run owes is certain before its end is final: each outermost call is covered by gas that is
left at the last one's end, or by money held then, ahead for those that follow. It is settled with the fee. At any time

    the bank's deposits = price of a byte · sum over all programs of PAID_BYTES,

so nothing is given back that was not paid in, and what a program's users paid is given back in that program alone.
"""

from __future__ import annotations

from execution.vm.core import core, i64, load64, lt_u, mul_wide_u, store64, sub128, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of
from execution.vm.kernel.outbox import append_event
from execution.vm.kernel.services import derive
from execution.vm.kernel.system import bank_call
from execution.vm.kernel.words import (
    DEPOSIT_UNPAYABLE,
    HOLD,
    SCRATCH,
    SETTLE,
    STATE,
    SYSTEM_GAS,
    TOO_MANY_EVENTS,
    VALUE_K3,
    g,
    reject,
)
from genesis.derived import PURSE

AHEAD_BYTES = 4096
"""What is held beyond need when further calls follow, and as much as is owed already: so it doubles."""


@core()
def begin_payer(a: i64, b: i64, c: i64, price: i64) -> None:
    """Who pays from now on, and how much for a unit of gas; nothing is held yet."""
    store64(SCRATCH, p.PAYER, a)
    store64(SCRATCH, p.PAYER + 8, b)
    store64(SCRATCH, p.PAYER + 16, c)
    store64(SCRATCH, p.PAYER_PRICE, price)
    store64(SCRATCH, p.COVERED, 0)
    store64(SCRATCH, p.HELD, 0)


@core()
def pay_storage() -> None:
    """From here to the end of the scope the payer pays for what is added, where the chain has a price for it."""
    if load64(SCRATCH, p.LIMIT_DEPOSIT) != 0 and load64(STATE, p.BANK) != 0:
        g.paying = 1


@core()
def hold(low: i64, high: i64, most_low: i64, most_high: i64) -> i64:
    """
    Take money from the payer's free balance: the first amount, or the second where the payer has plenty.

    Returns:
        1 when it was the second. Rejects with the bank's reason when the payer does not have the first.
    """
    args = g.sp
    for i in unroll(3):
        store64(SCRATCH, args + 8 * i, load64(SCRATCH, p.PAYER + 8 * i))
    store64(SCRATCH, args + 24, low)
    store64(SCRATCH, args + 32, high)
    store64(SCRATCH, args + 40, most_low)
    store64(SCRATCH, args + 48, most_high)
    g.sp = args + 56
    bank_call(HOLD, args)
    g.sp = args
    store64(SCRATCH, p.HELD, 1)
    return load64(SCRATCH, args)


@core()
def hold_fee(gas: i64) -> None:
    """Hold the price of all the gas there may be used. Rejects with the bank's reason when the payer has less."""
    low, high = mul_wide_u(gas, load64(SCRATCH, p.PAYER_PRICE))
    hold(low, high, low, high)


@core()
def gas_covers(missing: i64) -> i64:
    """1 when the money held for gas that is left pays the deposit of so many bytes."""
    low, high = mul_wide_u(missing, load64(SCRATCH, p.LIMIT_DEPOSIT))
    held_low, held_high = mul_wide_u(g.gas, load64(SCRATCH, p.PAYER_PRICE))
    if high != held_high:
        return 1 if lt_u(high, held_high) else 0
    return 0 if lt_u(held_low, low) else 1


@core()
def cover(last: i64) -> None:
    """
    At the end of an outermost call: what is owed for storage is certain to be paid, or the call is rejected.

    last: 1 when no further call may use the gas that is left.
    """
    missing = g.owed - load64(SCRATCH, p.COVERED)
    if missing <= 0:
        return
    if last == 0 or gas_covers(missing) == 0:
        hold_deposit(missing, 0 if last else g.owed + AHEAD_BYTES)


@core()
def hold_deposit(missing: i64, ahead: i64) -> None:
    """Hold the deposit of `missing` bytes, and of as many more as told; not paid in gas."""
    price = load64(SCRATCH, p.LIMIT_DEPOSIT)
    low, high = mul_wide_u(missing, price)
    most_low, most_high = mul_wide_u(missing + ahead, price)
    left = g.gas
    g.gas = SYSTEM_GAS
    g.paying = 0
    plenty = 0
    try:
        plenty = hold(low, high, most_low, most_high)
    except reject:
        g.gas = left
        g.paying = 1
        raise reject(DEPOSIT_UNPAYABLE) from None
    g.gas = left
    g.paying = 1
    covered = load64(SCRATCH, p.COVERED) + missing
    store64(SCRATCH, p.COVERED, covered + (ahead if plenty else 0))


@core()
def settle(used: i64, owed: i64) -> None:
    """
    Keep the fee, written to FEE_LOW and FEE_HIGH, and the deposit of the bytes owed, or give it back; what else was
    held goes back to the payer. Nothing here can fail: what is held covers it.
    """
    low, high = mul_wide_u(used, load64(SCRATCH, p.PAYER_PRICE))
    store64(SCRATCH, p.FEE_LOW, low)
    store64(SCRATCH, p.FEE_HIGH, high)
    if load64(SCRATCH, p.HELD) == 0 and owed == 0:
        return
    deposit_low, deposit_high = mul_wide_u(owed if owed > 0 else 0 - owed, load64(SCRATCH, p.LIMIT_DEPOSIT))
    if owed < 0:
        deposit_low, deposit_high = sub128(0, 0, deposit_low, deposit_high)
    args = g.sp
    for i in unroll(3):
        store64(SCRATCH, args + 8 * i, load64(SCRATCH, p.PAYER + 8 * i))
    store64(SCRATCH, args + 24, low)
    store64(SCRATCH, args + 32, high)
    store64(SCRATCH, args + 40, deposit_low)
    store64(SCRATCH, args + 48, deposit_high)
    g.sp = args + 56
    bank_call(SETTLE, args)
    g.sp = args
    if owed:
        tell_deposit(owed, deposit_low, deposit_high)


@core()
def tell_deposit(owed: i64, low: i64, high: i64) -> None:
    """The kernel's event of a deposit paid or given back; none where the batch has no room for events."""
    args = g.sp
    for i in unroll(3):
        store64(SCRATCH, args + 8 * i, load64(SCRATCH, p.PAYER + 8 * i))
    store64(SCRATCH, args + 24, owed)
    store64(SCRATCH, args + 32, low)
    store64(SCRATCH, args + 40, high)
    try:
        append_event(0, p.KERNEL_EVENT_DEPOSIT, args, 6)
    except reject as refusal:
        if refusal.value != TOO_MANY_EVENTS:
            raise reject(refusal.value) from None


@core()
def has_purse(program: i64) -> i64:
    """Whether a program pays for its hooks: none of genesis, and none without a bank."""
    if load64(STATE, p.BANK) == 0:
        return 0
    return 1 if load64(STATE, entry_of(program) + VALUE_K3 + 8 * p.RECORD_ACTIVE) else 0


@core()
def begin_purse(program: i64, price: i64) -> None:
    """The program's purse pays from now on."""
    entry = entry_of(program)
    args = g.sp
    store64(SCRATCH, args, load64(STATE, entry + 16))
    store64(SCRATCH, args + 8, load64(STATE, entry + 24))
    store64(SCRATCH, args + 16, load64(STATE, entry + 32))
    store64(SCRATCH, args + 24, PURSE)
    g.sp = args + 32
    derive(u64(args))
    g.sp = args
    begin_payer(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16), price)


@core()
def hold_hook_fee(program: i64) -> None:
    """Hold the most a hook of the program may cost, if it pays. Rejects when the purse does not have it."""
    begin_payer(0, 0, 0, 0)
    pays = has_purse(program)
    store64(SCRATCH, p.HOOK_PAYS, pays)
    price = load64(SCRATCH, p.LIMIT_HOOK_PRICE)
    if pays == 0 or (price == 0 and load64(SCRATCH, p.LIMIT_DEPOSIT) == 0):
        return
    begin_purse(program, price)
    if price:
        hold_fee(load64(SCRATCH, p.LIMIT_HOOK_GAS))
