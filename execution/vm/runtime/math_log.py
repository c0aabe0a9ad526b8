"""Logarithms on words: ln and log2, as `execution.mathematics.functions` specifies them, bit for bit."""

from __future__ import annotations

from execution.mathematics import tables as t
from execution.mathematics.functions import LOG_COARSER, LOG_GRID, LOG_NARROW, NEAR
from execution.vm.core import add128, clz, core, i64, load64, lt_u, mul_wide_u, parameter, shr_u, sub128, unroll
from execution.vm.runtime.decimal import magnitude
from execution.vm.runtime.math_words import INVERSE_HIGH, INVERSE_LOW, WORD, rounded_shift, shift_right, times
from execution.vm.runtime.wide import ONE
from execution.vm.runtime.words import INVALID_NUMBER, TABLES, reject

SCALE = parameter("SCALE")
LN, LOG2 = 0, 1
SCALE_BITS = 60
LOG_LAST, NEAR_LAST = len(t.LOG_TERMS) - 1, len(t.NEAR_TERMS) - 1
STEP_BYTES = 24
GENERAL_BITS, NEAR_BITS = 120, 122


def general_term(index: int) -> int:
    return abs(t.LOG_TERMS[index])


def near_term(index: int) -> int:
    return abs(t.NEAR_TERMS[index])


def scale(which: int) -> int:
    return t.LN_SCALE if which == LN else t.LOG2_SCALE


@core()
def logarithm(x0: i64, x1: i64) -> tuple[i64, i64, i64]:
    """log2 of a raw decimal above 0 (unsigned) as a signed a0, a1 and s: the value is a·2⁻ˢ."""
    d0, d1 = sub128(x0, x1, ONE, 0)
    below = d1 >> 63
    d0, d1 = magnitude(d0, d1)
    if d1 == 0 and lt_u(d0, NEAR):
        if d0 == 0:
            return 0, 0, GENERAL_BITS
        low, high, bits = near(d0, below)
        return low, high, bits
    low, high = general(x0, x1)
    return low, high, GENERAL_BITS


@core()
def general(x0: i64, x1: i64) -> tuple[i64, i64]:
    """log2 in 2⁻¹²⁰ of what is not near 1."""
    if x1:
        shift = clz(x1)
        m1 = (x1 << shift) | shr_u(shr_u(x0, 1), 63 - shift)
        m0 = x0 << shift
        exponent = 127 - shift
    else:
        shift = clz(x0)
        m1 = x0 << shift
        m0 = 0
        exponent = 63 - shift
    place = (shr_u(m1, 56) & 127) * STEP_BYTES
    low = shr_u(m0, LOG_GRID) | (m1 << (64 - LOG_GRID))
    reciprocal = load64(TABLES, t.LOG_AT + place)
    p0, p1 = mul_wide_u(low, reciprocal)
    p1 += shr_u(m1, LOG_GRID) * reciprocal
    e0 = p0 << 7
    e1 = (p1 << 7) | shr_u(p0, 57)
    s0 = e0 << 6
    s1 = (e1 << 6) | shr_u(e0, 58)
    narrow: i64 = general_term(LOG_LAST) >> LOG_COARSER
    for i in unroll(LOG_LAST - LOG_NARROW):
        _n0, n1 = mul_wide_u(s1, narrow)
        narrow = (general_term(LOG_LAST - 1 - i) >> LOG_COARSER) - n1
    r0 = narrow << LOG_COARSER
    r1 = shr_u(narrow, 64 - LOG_COARSER)
    for i in unroll(LOG_NARROW):
        y0, y1 = times(s0, s1, r0, r1)
        r0, r1 = sub128(general_term(LOG_NARROW - 1 - i) & WORD, general_term(LOG_NARROW - 1 - i) >> 64, y0, y1)
    y0, y1 = times(e0, e1, r0, r1)
    y0, y1 = shift_right(y0, y1, 7)
    a0, a1 = sub128(load64(TABLES, t.LOG_AT + 8 + place), load64(TABLES, t.LOG_AT + 16 + place), LOG2_LOW, LOG2_HIGH)
    a0, a1 = add128(a0, a1, y0, y1)
    return a0, a1 + (exponent << 56)


LOG2_LOW, LOG2_HIGH = t.LOG2_ONE & WORD, t.LOG2_ONE >> 64


@core()
def near(distance: i64, below: i64) -> tuple[i64, i64, i64]:
    """log2(1 ± distance/10¹⁸), minus when below is −1, else 0; and its bits."""
    shift = clz(distance)
    normal = distance << shift
    _z0, z1 = mul_wide_u(normal, INVERSE_LOW)
    n0, n1 = mul_wide_u(normal, INVERSE_HIGH)
    n0, n1 = add128(n0, n1, z1, 0)
    s0, s1 = shift_right(n0, n1, shift - 11)
    sign = ~below
    narrow: i64 = near_term(NEAR_LAST) >> LOG_COARSER
    for i in unroll(NEAR_LAST - LOG_NARROW):
        _y0, y1 = mul_wide_u(s1, narrow)
        narrow = (near_term(NEAR_LAST - 1 - i) >> LOG_COARSER) + ((y1 ^ sign) - sign)
    r0 = narrow << LOG_COARSER
    r1 = shr_u(narrow, 64 - LOG_COARSER)
    for i in unroll(LOG_NARROW):
        y0, y1 = times(s0, s1, r0, r1)
        y0, y1 = sub128(y0 ^ sign, y1 ^ sign, sign, sign)
        r0, r1 = add128(near_term(LOG_NARROW - 1 - i) & WORD, near_term(LOG_NARROW - 1 - i) >> 64, y0, y1)
    a0, a1 = times(n0, n1, r0, r1)
    a0, a1 = sub128(a0 ^ below, a1 ^ below, below, below)
    return a0, a1, shift + NEAR_BITS


@core()
def raw_logarithm(x0: i64, x1: i64) -> tuple[i64, i64]:
    """ln or log2 of a raw decimal, by SCALE; rejects "invalid number" unless it is above 0."""
    if x1 < 0 or (x0 | x1) == 0:
        raise reject(INVALID_NUMBER)
    a0, a1, bits = logarithm(x0, x1)
    sign = a1
    a0, a1 = magnitude(a0, a1)
    a0, a1 = times(a0, a1, scale(SCALE) & WORD, scale(SCALE) >> 64)
    low, high = rounded_shift(a0, a1, bits - SCALE_BITS, sign)
    return low, high
