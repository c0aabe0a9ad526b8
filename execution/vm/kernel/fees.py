"""
Who pays: the most that a run may cost is held at the bank before it, what it used stays with the fee account.

A transaction pays from its account at its own price. A hook pays from its program's purse, an account that the bank
derives from the program (`genesis.derived`), at the chain's least price; programs of genesis are part of the chain's
rules and pay nothing.
"""

from __future__ import annotations

from execution.vm.core import core, i64, load64, mul_wide_u, store64, sub128, u64
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of
from execution.vm.kernel.services import derive
from execution.vm.kernel.system import bank_call
from execution.vm.kernel.words import CLOSE_FEE, OPEN_FEE, SCRATCH, STATE, VALUE_K3, g
from genesis.derived import PURSE


@core()
def hold_fee(a: i64, b: i64, c: i64, gas: i64, price: i64) -> None:
    """Take gas · price from the account's free balance. Rejects with the bank's reason when it cannot pay."""
    low, high = mul_wide_u(gas, price)
    args = g.sp
    store64(SCRATCH, args, a)
    store64(SCRATCH, args + 8, b)
    store64(SCRATCH, args + 16, c)
    store64(SCRATCH, args + 24, low)
    store64(SCRATCH, args + 32, high)
    g.sp = args + 40
    bank_call(OPEN_FEE, args)
    g.sp = args


@core()
def settle_fee(a: i64, b: i64, c: i64, gas: i64, used: i64, price: i64) -> None:
    """
    Give back what was held for gas and not used; keep used · price, written to FEE_LOW and FEE_HIGH. Nothing here can
    fail: what is held covers it.
    """
    fee_low, fee_high = mul_wide_u(used, price)
    store64(SCRATCH, p.FEE_LOW, fee_low)
    store64(SCRATCH, p.FEE_HIGH, fee_high)
    if price == 0:
        return
    all_low, all_high = mul_wide_u(gas, price)
    low, high = sub128(all_low, all_high, fee_low, fee_high)
    args = g.sp
    store64(SCRATCH, args, a)
    store64(SCRATCH, args + 8, b)
    store64(SCRATCH, args + 16, c)
    store64(SCRATCH, args + 24, low)
    store64(SCRATCH, args + 32, high)
    store64(SCRATCH, args + 40, fee_low)
    store64(SCRATCH, args + 48, fee_high)
    g.sp = args + 56
    bank_call(CLOSE_FEE, args)
    g.sp = args


@core()
def hook_price(program: i64) -> i64:
    """What a program pays for a unit of gas in its hooks: raw decimal; 0 for one of genesis, and without a bank."""
    if load64(STATE, p.BANK) == 0:
        return 0
    if load64(STATE, entry_of(program) + VALUE_K3 + 8 * p.RECORD_ACTIVE) == 0:
        return 0
    return load64(SCRATCH, p.LIMIT_HOOK_PRICE)


@core()
def find_purse(program: i64) -> None:
    """Write the address of a program's purse to HOOK_PURSE."""
    entry = entry_of(program)
    args = g.sp
    store64(SCRATCH, args, load64(STATE, entry + 16))
    store64(SCRATCH, args + 8, load64(STATE, entry + 24))
    store64(SCRATCH, args + 16, load64(STATE, entry + 32))
    store64(SCRATCH, args + 24, PURSE)
    g.sp = args + 32
    derive(u64(args))
    g.sp = args
    store64(SCRATCH, p.HOOK_PURSE, load64(SCRATCH, args))
    store64(SCRATCH, p.HOOK_PURSE + 8, load64(SCRATCH, args + 8))
    store64(SCRATCH, p.HOOK_PURSE + 16, load64(SCRATCH, args + 16))


@core()
def hold_hook_fee(program: i64) -> None:
    """Hold the most a hook of the program may cost, if it pays. Rejects when the purse does not have it."""
    price = hook_price(program)
    store64(SCRATCH, p.HOOK_PRICE, price)
    if price == 0:
        return
    find_purse(program)
    gas = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    hold_fee(
        load64(SCRATCH, p.HOOK_PURSE), load64(SCRATCH, p.HOOK_PURSE + 8), load64(SCRATCH, p.HOOK_PURSE + 16), gas, price
    )


@core()
def settle_hook_fee(used: i64) -> None:
    """After the run for which HOOK_PRICE was fixed."""
    price = load64(SCRATCH, p.HOOK_PRICE)
    if price == 0:
        return
    gas = load64(SCRATCH, p.LIMIT_HOOK_GAS)
    a = load64(SCRATCH, p.HOOK_PURSE)
    b = load64(SCRATCH, p.HOOK_PURSE + 8)
    c = load64(SCRATCH, p.HOOK_PURSE + 16)
    settle_fee(a, b, c, gas, used, price)
