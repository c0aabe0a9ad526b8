"""
Decimal arithmetic: signed 128-bit raw values counting 10⁻¹⁸, as pairs of words, low first.

Intermediates have 256 bits: a result is exact to the last place, rounded as its name says, or "overflow" is rejected.
Half even when nothing is said; up is towards +∞, down towards −∞. A divisor of 0 rejects "division by zero".
"""

from __future__ import annotations

from execution.vm.core import (
    add128,
    core,
    ge_u,
    gt_u,
    i64,
    inline,
    lt_u,
    mul_wide_s,
    mul_wide_u,
    parameter,
    select,
    shr_u,
    sub128,
    u64,
)
from execution.vm.runtime.wide import ONE, divide, divide_by_one, multiply
from execution.vm.runtime.words import DIVISION_BY_ZERO, OVERFLOW, reject

HALF_EVEN, DOWN, UP = 0, 1, 2
MODE = parameter("MODE")
LOWEST = -(1 << 63)


@inline
def magnitude(low: i64, high: i64) -> tuple[i64, i64]:
    """The absolute value, unsigned; 2¹²⁷ fits."""
    sign = high >> 63
    low, high = sub128(low ^ sign, high ^ sign, sign, sign)
    return low, high


@core()
def signed(low: i64, high: i64, sign: i64) -> tuple[i64, i64]:
    """The unsigned magnitude with a sign (negative when sign < 0); rejects "overflow" outside [−2¹²⁷, 2¹²⁷)."""
    if sign < 0:
        low, high = sub128(0, 0, low, high)
        if high >= 0 and (low | high) != 0:
            raise reject(OVERFLOW)
        return low, high
    if high < 0:
        raise reject(OVERFLOW)
    return low, high


@core()
def rounded(q0: i64, q1: i64, r0: i64, r1: i64, d0: i64, d1: i64, sign: i64) -> tuple[i64, i64]:
    """A magnitude q with remainder r of divisor d, rounded by MODE, with its sign."""
    if r0 | r1:
        step = 0
        if MODE == HALF_EVEN:
            s0, s1 = sub128(d0, d1, r0, r1)
            if gt_u(r1, s1) or (r1 == s1 and (gt_u(r0, s0) or (r0 == s0 and (q0 & 1) == 1))):
                step = 1
        if MODE == DOWN:
            step = shr_u(sign, 63)
        if MODE == UP:
            step = shr_u(~sign, 63)
        q0, q1 = add128(q0, q1, step, 0)
        if step != 0 and (q0 | q1) == 0:
            raise reject(OVERFLOW)
    low, high = signed(q0, q1, sign)
    return low, high


@inline
def step_of(r: i64, q0: i64, sign: i64) -> i64:
    """What rounding by MODE adds to the magnitude of a quotient by 10¹⁸ with remainder r: 0 or 1, without a branch."""
    step = 0
    if MODE == HALF_EVEN:
        step = u64(gt_u(2 * r + (q0 & 1), ONE))
    if MODE == DOWN:
        step = u64(r != 0) & shr_u(sign, 63)
    if MODE == UP:
        step = u64(r != 0) & shr_u(~sign, 63)
    return step


@core()
def add(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    low, high = add128(a0, a1, b0, b1)
    if ((a1 ^ high) & (b1 ^ high)) < 0:
        raise reject(OVERFLOW)
    return low, high


@core()
def sub(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    low, high = sub128(a0, a1, b0, b1)
    if ((a1 ^ b1) & (a1 ^ high)) < 0:
        raise reject(OVERFLOW)
    return low, high


@core()
def neg(a0: i64, a1: i64) -> tuple[i64, i64]:
    if a1 == LOWEST and a0 == 0:
        raise reject(OVERFLOW)
    low, high = sub128(0, 0, a0, a1)
    return low, high


@core()
def absolute(a0: i64, a1: i64) -> tuple[i64, i64]:
    low, high = magnitude(a0, a1)
    if high < 0:
        raise reject(OVERFLOW)
    return low, high


@inline
def less(a0: i64, a1: i64, b0: i64, b1: i64) -> i64:
    return u64(a1 < b1 or (a1 == b1 and lt_u(a0, b0)))


@core()
def minimum(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    first = less(a0, a1, b0, b1)
    return select(first, a0, b0), select(first, a1, b1)


@core()
def maximum(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    second = less(a0, a1, b0, b1)
    return select(second, b0, a0), select(second, b1, a1)


@core()
def mul(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    sign = a1 ^ b1
    a0, a1 = magnitude(a0, a1)
    b0, b1 = magnitude(b0, b1)
    if a1 == 0 or b1 == 0:
        n0, n1 = mul_wide_u(a0, b0)
        x0, n2 = mul_wide_u(select(a1, b0, a0), a1 | b1)
        n1, n2 = add128(n1, n2, x0, 0)
    else:
        n0, n1, n2, n3 = multiply(a0, a1, b0, b1)
        if n3:
            raise reject(OVERFLOW)
    if ge_u(n2, ONE):
        raise reject(OVERFLOW)
    q0, q1, r = divide_by_one(n0, n1, n2)
    if q1 == -1:  # far too large, and one more might come out as nothing
        raise reject(OVERFLOW)
    q0, q1 = add128(q0, q1, step_of(r, q0, sign), 0)
    low, high = signed(q0, q1, sign)
    return low, high


@core()
def div(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    if (b0 | b1) == 0:
        raise reject(DIVISION_BY_ZERO)
    sign = a1 ^ b1
    a0, a1 = magnitude(a0, a1)
    b0, b1 = magnitude(b0, b1)
    n0, n1 = mul_wide_u(a0, ONE)
    x0, n2 = mul_wide_u(a1, ONE)
    n1, n2 = add128(n1, 0, x0, n2)
    q0, q1, r0, r1 = divide(n0, n1, n2, 0, b0, b1)
    low, high = rounded(q0, q1, r0, r1, b0, b1, sign)
    return low, high


@core()
def mul_div(a0: i64, a1: i64, b0: i64, b1: i64, c0: i64, c1: i64) -> tuple[i64, i64]:
    """a · b / c with one rounding."""
    if (c0 | c1) == 0:
        raise reject(DIVISION_BY_ZERO)
    sign = a1 ^ b1 ^ c1
    a0, a1 = magnitude(a0, a1)
    b0, b1 = magnitude(b0, b1)
    c0, c1 = magnitude(c0, c1)
    n0, n1, n2, n3 = multiply(a0, a1, b0, b1)
    q0, q1, r0, r1 = divide(n0, n1, n2, n3, c0, c1)
    low, high = rounded(q0, q1, r0, r1, c0, c1, sign)
    return low, high


@core()
def floordiv(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    """⌊a / b⌋ as an integer decimal."""
    if (b0 | b1) == 0:
        raise reject(DIVISION_BY_ZERO)
    sign = a1 ^ b1
    a0, a1 = magnitude(a0, a1)
    b0, b1 = magnitude(b0, b1)
    q0, q1, r0, r1 = divide(a0, a1, 0, 0, b0, b1)
    q0, q1 = add128(q0, q1, u64((r0 | r1) != 0 and sign < 0), 0)
    n0, n1, n2, n3 = multiply(q0, q1, ONE, 0)
    if n2 | n3:
        raise reject(OVERFLOW)
    low, high = signed(n0, n1, sign)
    return low, high


@core()
def mod(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    """a − b · ⌊a / b⌋, with the sign of b."""
    if (b0 | b1) == 0:
        raise reject(DIVISION_BY_ZERO)
    sign = b1
    different = a1 ^ b1
    a0, a1 = magnitude(a0, a1)
    b0, b1 = magnitude(b0, b1)
    _q0, _q1, r0, r1 = divide(a0, a1, 0, 0, b0, b1)
    if (r0 | r1) != 0 and different < 0:
        r0, r1 = sub128(b0, b1, r0, r1)
    low, high = signed(r0, r1, sign)
    return low, high


@core()
def div_int(a: i64, b: i64) -> tuple[i64, i64]:
    """The quotient of two integers as a decimal, half even."""
    if b == 0:
        raise reject(DIVISION_BY_ZERO)
    a0, _a1 = magnitude(a, a >> 63)
    b0, _b1 = magnitude(b, b >> 63)
    n0, n1 = mul_wide_u(a0, ONE)
    q0, q1, r0, r1 = divide(n0, n1, 0, 0, b0, 0)
    low, high = rounded(q0, q1, r0, r1, b0, 0, a ^ b)
    return low, high


@core()
def to_decimal(a: i64) -> tuple[i64, i64]:
    low, high = mul_wide_s(a, ONE)
    return low, high


@core()
def to_integer(a0: i64, a1: i64) -> i64:
    """Rounded by MODE; rejects "overflow" outside 64 bits."""
    sign = a1
    a0, a1 = magnitude(a0, a1)
    q0, q1, r = divide_by_one(a0, a1, 0)
    low, high = rounded(q0, q1, r, 0, ONE, 0, sign)
    if high != low >> 63:
        raise reject(OVERFLOW)
    return low
