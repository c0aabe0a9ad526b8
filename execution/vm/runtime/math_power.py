"""Powers on words: exp, pow, the normal density, as `execution.mathematics.functions` specifies them, bit for bit."""

from __future__ import annotations

from execution.mathematics import tables as t
from execution.mathematics.functions import EXP_COARSER, EXP_NARROW, GRID
from execution.vm.core import add128, clz, core, gt_u, i64, load64, mul_wide_u, shr_u, sub128, unroll
from execution.vm.runtime.decimal import magnitude, signed
from execution.vm.runtime.math_log import logarithm
from execution.vm.runtime.math_words import INVERSE_HIGH, INVERSE_LOW, WORD, shift_right, times
from execution.vm.runtime.wide import ONE, divide_by_one, multiply
from execution.vm.runtime.words import DIVISION_BY_ZERO, INVALID_NUMBER, OVERFLOW, TABLES, reject

EXP_LAST = len(t.EXP_TERMS) - 1
UNITS_LOW, UNITS_HIGH = t.UNITS & WORD, t.UNITS >> 64
SQUARE_LOW, SQUARE_HIGH = t.HALF_SQUARE & WORD, t.HALF_SQUARE >> 64
DENSITY_LOW, DENSITY_HIGH = t.DENSITY & WORD, t.DENSITY >> 64


def exp_term(index: int) -> int:
    return t.EXP_TERMS[index]


@core()
def power_of_two(u0: i64, u1: i64, step: i64) -> tuple[i64, i64]:
    """2^((step + u/2¹²⁸)/64) in 2⁻¹²⁶, step 0 … 63."""
    u0 = u0 & (0 - (1 << GRID))
    narrow: i64 = exp_term(EXP_LAST) >> EXP_COARSER
    for i in unroll(EXP_LAST - EXP_NARROW):
        _n0, n1 = mul_wide_u(u1, narrow)
        narrow = n1 + (exp_term(EXP_LAST - 1 - i) >> EXP_COARSER)
    r0 = narrow << EXP_COARSER
    r1 = shr_u(narrow, 64 - EXP_COARSER)
    for i in unroll(EXP_NARROW):
        r0, r1 = times(u0, u1, r0, r1)
        r0, r1 = add128(r0, r1, exp_term(EXP_NARROW - 1 - i) & WORD, exp_term(EXP_NARROW - 1 - i) >> 64)
    place = step * 16
    r0, r1 = times(load64(TABLES, t.EXP_AT + place), load64(TABLES, t.EXP_AT + 8 + place), r0, r1)
    return r0, r1


@core()
def raw_power(m0: i64, m1: i64, exponent: i64, bits: i64) -> tuple[i64, i64]:
    """m·2^(exponent − bits) as a magnitude of 10⁻¹⁸; rejects "overflow" when it has more than 128 bits."""
    if exponent <= -62:
        return 0, 0
    if exponent > 67:
        raise reject(OVERFLOW)
    n0, n1 = mul_wide_u(m0, ONE)
    x0, n2 = mul_wide_u(m1, ONE)
    n1, n2 = add128(n1, n2, x0, 0)
    count = bits - exponent - 1
    if count >= 128:
        n0 = n2
        n1 = 0
        n2 = 0
    elif count >= 64:
        n0 = n1
        n1 = n2
        n2 = 0
    r0 = shr_u(n0, count) | ((n1 << 1) << (63 - (count & 63)))
    r1 = shr_u(n1, count) | ((n2 << 1) << (63 - (count & 63)))
    if shr_u(n2, count):
        raise reject(OVERFLOW)
    odd = r0 & 1
    r0, r1 = shift_right(r0, r1, 1)
    r0, r1 = add128(r0, r1, odd, 0)
    return r0, r1


@core()
def from_units(u0: i64, u1: i64, u2: i64, sign: i64) -> tuple[i64, i64]:
    """2^(±u/64) as a magnitude of 10⁻¹⁸, for u of three words; minus when sign < 0."""
    if sign < 0:
        u2 = ~u2
        if (u0 | u1) == 0:
            u2 += 1
        u0, u1 = sub128(0, 0, u0, u1)
    m0, m1 = power_of_two(u0, u1, u2 & 63)
    low, high = raw_power(m0, m1, u2 >> 6, 126)
    return low, high


@core()
def exp(x0: i64, x1: i64) -> tuple[i64, i64]:
    """e^x; rejects "overflow"."""
    sign = x1
    x0, x1 = magnitude(x0, x1)
    if gt_u(x1, 3):
        if sign < 0:
            return 0, 0
        raise reject(OVERFLOW)
    n0, n1, n2, n3 = multiply(x0, x1, UNITS_LOW, UNITS_HIGH)
    u0 = shr_u(n0, 53) | (n1 << 11)
    u1 = shr_u(n1, 53) | (n2 << 11)
    u2 = shr_u(n2, 53) | (n3 << 11)
    r0, r1 = from_units(u0, u1, u2, sign)
    low, high = signed(r0, r1, 0)
    return low, high


@core()
def norm_pdf(x0: i64, x1: i64) -> tuple[i64, i64]:
    """e^(−x²/2)/√(2π)."""
    x0, x1 = magnitude(x0, x1)
    if x1 != 0 or x0 < 0:
        return 0, 0
    s0, s1 = mul_wide_u(x0, x0)
    _n0, n1, n2, n3 = multiply(s0, s1, SQUARE_LOW, SQUARE_HIGH)
    u0 = shr_u(n1, 49) | (n2 << 15)
    u1 = shr_u(n2, 49) | (n3 << 15)
    u2 = ~shr_u(n3, 49)
    if (u0 | u1) == 0:
        u2 += 1
    u0, u1 = sub128(0, 0, u0, u1)
    m0, m1 = power_of_two(u0, u1, u2 & 63)
    m0, m1 = times(m0, m1, DENSITY_LOW, DENSITY_HIGH)
    low, high = raw_power(m0, m1, u2 >> 6, 127)
    return low, high


@core()
def power(x0: i64, x1: i64, y0: i64, y1: i64) -> tuple[i64, i64]:
    """x^y; rejects "overflow", "division by zero" (0 to a negative power), "invalid number" (x < 0, y no integer)."""
    if (y0 | y1) == 0:
        return ONE, 0
    if (x0 | x1) == 0:
        if y1 < 0:
            raise reject(DIVISION_BY_ZERO)
        return 0, 0
    down = y1
    y0, y1 = magnitude(y0, y1)
    sign = 0
    if x1 < 0:
        whole, _high, rest = divide_by_one(y0, y1, 0)
        if rest:
            raise reject(INVALID_NUMBER)
        sign = 0 - (whole & 1)
        x0, x1 = magnitude(x0, x1)
    r0, r1 = positive_power(x0, x1, y0, y1, down)
    low, high = signed(r0, r1, sign)
    return low, high


@core()
def positive_power(x0: i64, x1: i64, y0: i64, y1: i64, down: i64) -> tuple[i64, i64]:
    """The magnitude of x^y, x > 0, y > 0, or of x^−y when down < 0."""
    a0, a1, bits = logarithm(x0, x1)
    if (a0 | a1) == 0:
        return ONE, 0
    down = down ^ a1
    a0, a1 = magnitude(a0, a1)
    if y1:
        shift = clz(y1)
        y1 = (y1 << shift) | shr_u(shr_u(y0, 1), 63 - shift)
        y0 = y0 << shift
    else:
        shift = clz(y0)
        y1 = y0 << shift
        y0 = 0
        shift += 64
    y0, y1 = times(y0, y1, INVERSE_LOW, INVERSE_HIGH)
    a0, a1 = times(a0, a1, y0, y1)
    fraction = shift + bits - 75
    whole = 0
    if fraction < 128:
        if fraction > 64:
            whole = shr_u(a1, fraction)
        if fraction <= 64 or gt_u(whole, (1 << 13) - 1):
            if down < 0:
                return 0, 0
            raise reject(OVERFLOW)
        u0 = a0 << (128 - fraction)
        u1 = (a1 << (128 - fraction)) | shr_u(a0, fraction)
    else:
        u0, u1 = shift_right(a0, a1, fraction - 128)
    low, high = from_units(u0, u1, whole, down)
    return low, high
