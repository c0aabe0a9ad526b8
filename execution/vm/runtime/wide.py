"""
Wide unsigned arithmetic: 256 by 128 bits, and by the constant 10¹⁸, on 64-bit limbs, lowest first.

Division by multiplication with a reciprocal, after Möller and Granlund, "Improved division by invariant integers" (IEEE
Transactions on Computers 60, 2011): algorithms 2 (reciprocal of a word), 4 (two limbs by one), 5 (three by two), 6.
"""

from __future__ import annotations

from execution.vm.core import (
    add128,
    clz,
    core,
    div_u,
    ge_u,
    gt_u,
    i64,
    inline,
    lt_u,
    mul_wide_u,
    select,
    shr_u,
    sub128,
    u64,
)
from execution.vm.runtime.words import OVERFLOW, reject

ONE = 10**18
ONE_SHIFT = 4  # 10¹⁸ has four leading zeros in 64 bits
ONE_NORMAL = ONE << ONE_SHIFT
ONE_RECIPROCAL = ((1 << 128) - 1) // ONE_NORMAL - (1 << 64)


@inline
def divide_2_by_1(u1: i64, u0: i64, d: i64, v: i64) -> tuple[i64, i64]:
    """Quotient and remainder of u1:u0 by a normalised d > u1, with the reciprocal v of d."""
    q0, q1 = mul_wide_u(v, u1)
    q0, q1 = add128(q0, q1, u0, u1 + 1)
    r = u0 - q1 * d
    over = gt_u(r, q0)
    q1 = q1 - u64(over)
    r = r + select(over, d, 0)
    if ge_u(r, d):
        q1 += 1
        r -= d
    return q1, r


@core()
def reciprocal(d: i64) -> i64:
    """⌊(2¹²⁸ − 1) / d⌋ − 2⁶⁴ of a normalised d (top bit set)."""
    d40 = shr_u(d, 24) + 1
    v0 = div_u(0x7FD00, shr_u(d, 55))
    v1 = (v0 << 11) - shr_u(v0 * v0 * d40, 40) - 1
    v2 = (v1 << 13) + shr_u(v1 * ((1 << 60) - v1 * d40), 47)
    e = (shr_u(v2, 1) & (0 - (d & 1))) - v2 * (shr_u(d, 1) + (d & 1))
    low, high = mul_wide_u(v2, e)
    v3 = (v2 << 31) + shr_u(high, 1)
    low, high = mul_wide_u(v3, d)
    low, high = add128(low, high, d, d)
    return v3 - high


@core()
def reciprocal_3_by_2(d0: i64, d1: i64) -> i64:
    """⌊(2¹⁹² − 1) / d1:d0⌋ − 2⁶⁴ of a normalised divisor."""
    v = reciprocal(d1)
    p = d1 * v + d0
    if lt_u(p, d0):
        v -= 1
        if ge_u(p, d1):
            v -= 1
            p -= d1
        p -= d1
    low, high = mul_wide_u(v, d0)
    p += high
    if lt_u(p, high):
        v -= 1
        if gt_u(p, d1) or (p == d1 and ge_u(low, d0)):
            v -= 1
    return v


@inline
def divide_3_by_2(u2: i64, u1: i64, u0: i64, d1: i64, d0: i64, v: i64) -> tuple[i64, i64, i64]:
    """Quotient and remainder (low, high) of u2:u1:u0 by the normalised d1:d0 > u2:u1."""
    q0, q1 = mul_wide_u(v, u2)
    q0, q1 = add128(q0, q1, u1, u2)
    r1 = u1 - q1 * d1
    low, high = mul_wide_u(d0, q1)
    r0, r1 = sub128(u0, r1, low, high)
    r0, r1 = sub128(r0, r1, d0, d1)
    q1 += 1
    if ge_u(r1, q0):
        q1 -= 1
        r0, r1 = add128(r0, r1, d0, d1)
    if gt_u(r1, d1) or (r1 == d1 and ge_u(r0, d0)):
        q1 += 1
        r0, r1 = sub128(r0, r1, d0, d1)
    return q1, r0, r1


@inline
def shift_left(low: i64, high: i64, count: i64) -> i64:
    """The high word of high:low shifted left by 0 … 63."""
    return (high << count) | shr_u(shr_u(low, 1), 63 - count)


@core()
def divide(n0: i64, n1: i64, n2: i64, n3: i64, d0: i64, d1: i64) -> tuple[i64, i64, i64, i64]:
    """
    Quotient (low, high) and remainder (low, high) of a 256-bit numerator by a 128-bit divisor other than 0.

    Rejects "overflow" when the quotient does not fit 128 bits.
    """
    if (n1 | n2 | n3 | d1) == 0:
        q0 = div_u(n0, d0)
        return q0, 0, n0 - q0 * d0, 0
    if gt_u(n3, d1) or (n3 == d1 and ge_u(n2, d0)):
        raise reject(OVERFLOW)
    if d1 == 0:
        shift = clz(d0)
        d = d0 << shift
        v = reciprocal(d)
        a = shift_left(n1, n2, shift)
        b = shift_left(n0, n1, shift)
        q1 = 0
        if a:
            q1, a = divide_2_by_1(a, b, d, v)
        elif ge_u(b, d):
            q1 = 1
            a = b - d
        else:
            a = b
        q0, a = divide_2_by_1(a, n0 << shift, d, v)
        return q0, q1, shr_u(a, shift), 0
    shift = clz(d1)
    e1 = shift_left(d0, d1, shift)
    e0 = d0 << shift
    v = reciprocal_3_by_2(e0, e1)
    m3 = shift_left(n2, n3, shift)
    m2 = shift_left(n1, n2, shift)
    m1 = shift_left(n0, n1, shift)
    q1 = 0
    if m3 | m2:
        q1, m1, m2 = divide_3_by_2(m3, m2, m1, e1, e0, v)
    q0, m0, m1 = divide_3_by_2(m2, m1, n0 << shift, e1, e0, v)
    return q0, q1, shr_u(m0, shift) | ((m1 << 1) << (63 - shift)), shr_u(m1, shift)


@core()
def divide_by_one(n0: i64, n1: i64, n2: i64) -> tuple[i64, i64, i64]:
    """Quotient (low, high) and remainder of a numerator below 10¹⁸ · 2¹²⁸ by 10¹⁸."""
    a = (n2 << ONE_SHIFT) | shr_u(n1, 64 - ONE_SHIFT)
    b = (n1 << ONE_SHIFT) | shr_u(n0, 64 - ONE_SHIFT)
    q1 = 0
    if a:
        q1, a = divide_2_by_1(a, b, ONE_NORMAL, ONE_RECIPROCAL)
    elif ge_u(b, ONE_NORMAL):
        q1 = 1
        a = b - ONE_NORMAL
    else:
        a = b
    q0, a = divide_2_by_1(a, n0 << ONE_SHIFT, ONE_NORMAL, ONE_RECIPROCAL)
    return q0, q1, shr_u(a, ONE_SHIFT)


@core()
def multiply(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64, i64, i64]:
    """The 256-bit product of two unsigned 128-bit numbers, lowest limb first."""
    n0, n1 = mul_wide_u(a0, b0)
    if (a1 | b1) == 0:
        return n0, n1, 0, 0
    x0, x1 = mul_wide_u(a0, b1)
    y0, y1 = mul_wide_u(a1, b0)
    n2, n3 = mul_wide_u(a1, b1)
    n1, carry = add128(n1, 0, x0, 0)
    n1, more = add128(n1, 0, y0, 0)
    n2, n3 = add128(n2, n3, x1, 0)
    n2, n3 = add128(n2, n3, y1, 0)
    n2, n3 = add128(n2, n3, carry + more, 0)
    return n0, n1, n2, n3
