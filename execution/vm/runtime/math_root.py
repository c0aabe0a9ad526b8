"""The square root on words: exact, rounded down at the last place."""

from __future__ import annotations

from execution.vm.core import add128, clz, core, i64, le_u, lt_u, mul_wide_s, mul_wide_u, shr_u, sub128, u64, unroll
from execution.vm.runtime.math_words import shift_right
from execution.vm.runtime.wide import ONE
from execution.vm.runtime.words import INVALID_NUMBER, reject

CUBIC = (0x6260EBAC149FA29C, 0xB62DB4E7F8119926, 0xBB919A49145ABA39, 0x47EEC4F41A105DF5)
"""1/√x ≈ c₀ − x·(c₁ − x·(c₂ − x·c₃)) on [1/4, 1) within 0.9 %, in 2⁻⁶¹: its interpolant at Chebyshev's points."""
ROOT_MAX = (1 << 32) - 1  # high word of the largest root


@core()
def sqrt(a0: i64, a1: i64) -> tuple[i64, i64]:
    """
    ⌊√a⌋ at the last place; a negative one rejects "invalid number".

    The radicand, shifted to 192 bits, times the reciprocal square root of its highest word by Newton's method gives 50
    bits of the root, its remainder 46 more; the last unit is put right by comparing squares.
    """
    if a1 < 0:
        raise reject(INVALID_NUMBER)
    n0, n1 = mul_wide_u(a0, ONE)
    x0, n2 = mul_wide_u(a1, ONE)
    n1, n2 = add128(n1, n2, x0, 0)
    if (n0 | n1 | n2) == 0:
        return 0, 0
    half = 0
    if n2 == 0:
        n2 = n1
        n1 = n0
        n0 = 0
        half = 32
        if n2 == 0:
            n2 = n1
            n1 = 0
            half = 64
    shift = clz(n2) & 62
    half += shr_u(shift, 1)
    n2 = (n2 << shift) | shr_u(shr_u(n1, 1), 63 - shift)
    n1 = (n1 << shift) | shr_u(shr_u(n0, 1), 63 - shift)
    n0 = n0 << shift
    r = inverse_root(n2)
    _x0, s = mul_wide_u(n2, r)
    e1, e2 = mul_wide_u(s, s)
    e1, e2 = sub128(n1, n2, e1 << 4, (e2 << 4) | shr_u(e1, 60))
    _x0, x1 = mul_wide_s((e2 << 50) | shr_u(e1, 14), r)
    x1 = x1 >> 17
    s0, s1 = add128(s << 34, shr_u(s, 30), x1, x1 >> 63)
    if s1 > ROOT_MAX:
        s0 = -1
        s1 = ROOT_MAX
    s0, s1 = corrected(s0, s1, n0, n1, n2)
    s0, s1 = shift_right(s0, s1, half)
    return s0, s1


def cubic(index: int) -> int:
    return CUBIC[index]


@core()
def inverse_root(n: i64) -> i64:
    """1/√x in 2⁻⁶² for x = n/2⁶⁴ from 1/4 up, within 2⁻⁵⁰: a cubic, then three steps of Newton's method."""
    _x0, x1 = mul_wide_u(n, cubic(3))
    _x0, x1 = mul_wide_u(n, cubic(2) - x1)
    _x0, x1 = mul_wide_u(n, cubic(1) - x1)
    r = (cubic(0) - x1) << 1
    for _i in unroll(3):
        _x0, x1 = mul_wide_u(r, r)
        _x0, x1 = mul_wide_u(n, x1)
        _x0, x1 = mul_wide_u(r, 3 * (1 << 60) - x1)
        r = x1 << 3
    return r


@core()
def corrected(s0: i64, s1: i64, n0: i64, n1: i64, n2: i64) -> tuple[i64, i64]:
    """⌊√n⌋ from a number of 96 bits near it."""
    while True:
        q0, q1 = mul_wide_u(s0, s0)
        x0, x1 = mul_wide_u(s0, s1 << 1)
        q1, q2 = add128(q1, s1 * s1, x0, x1)
        borrow = lt_u(n0, q0)
        d0 = n0 - q0
        d1, d2 = sub128(n1, n2, q1, q2)
        d1, d2 = sub128(d1, d2, u64(borrow), 0)
        if d2 < 0:
            s0, s1 = sub128(s0, s1, 1, 0)
        else:
            twice = (s1 << 1) | shr_u(s0, 63)
            if d2 == 0 and (lt_u(d1, twice) or (d1 == twice and le_u(d0, s0 << 1))):
                return s0, s1
            s0, s1 = add128(s0, s1, 1, 0)
