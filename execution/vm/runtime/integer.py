"""Checked 64-bit integers: what does not fit rejects "overflow"; division rounds towards −∞, as in Python."""

from __future__ import annotations

from execution.vm.core import core, div_s, i64, mul_wide_s, rem_s
from execution.vm.runtime.words import DIVISION_BY_ZERO, OVERFLOW, reject

LOWEST = -(1 << 63)


@core()
def add(a: i64, b: i64) -> i64:
    total = a + b
    if ((a ^ total) & (b ^ total)) < 0:
        raise reject(OVERFLOW)
    return total


@core()
def sub(a: i64, b: i64) -> i64:
    difference = a - b
    if ((a ^ b) & (a ^ difference)) < 0:
        raise reject(OVERFLOW)
    return difference


@core()
def mul(a: i64, b: i64) -> i64:
    low, high = mul_wide_s(a, b)
    if high != low >> 63:
        raise reject(OVERFLOW)
    return low


@core()
def floordiv(a: i64, b: i64) -> i64:
    if b == 0:
        raise reject(DIVISION_BY_ZERO)
    if a == LOWEST and b == -1:
        raise reject(OVERFLOW)
    quotient = div_s(a, b)
    if rem_s(a, b) != 0 and (a ^ b) < 0:
        quotient -= 1
    return quotient


@core()
def mod(a: i64, b: i64) -> i64:
    """With the sign of b."""
    if b == 0:
        raise reject(DIVISION_BY_ZERO)
    remainder = rem_s(a, b)
    if remainder != 0 and (a ^ b) < 0:
        remainder += b
    return remainder


@core()
def neg(a: i64) -> i64:
    if a == LOWEST:
        raise reject(OVERFLOW)
    return 0 - a


@core()
def absolute(a: i64) -> i64:
    if a == LOWEST:
        raise reject(OVERFLOW)
    return -a if a < 0 else a


@core()
def minimum(a: i64, b: i64) -> i64:
    return a if a < b else b


@core()
def maximum(a: i64, b: i64) -> i64:
    return a if a > b else b
