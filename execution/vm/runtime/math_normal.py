"""
The normal distribution on words: norm_cdf, norm_inv and erf, as `execution.mathematics.functions` specifies them, bit
for bit.
"""

from __future__ import annotations

from execution.mathematics import tables as t
from execution.mathematics.functions import ITERATIONS
from execution.vm.core import (
    add128,
    core,
    i64,
    load64,
    mul_wide_s,
    mul_wide_u,
    parameter,
    select,
    shr_u,
    sub128,
    unroll,
)
from execution.vm.runtime.decimal import magnitude
from execution.vm.runtime.math_words import WORD, rounded_shift, times_place
from execution.vm.runtime.wide import ONE, divide
from execution.vm.runtime.words import INVALID_NUMBER, TABLES, reject

DOUBLED = parameter("DOUBLED")
HALF = 1 << 63
ROW_BYTES = 8 * t.ROW_WORDS
NARROW_BYTES = 48  # the wide terms before them
NARROW_LAST = t.ROW_WORDS - 8
SHIFT_BYTES = ROW_BYTES - 8


def eighths(doubled: int) -> int:
    return t.EIGHTHS_ROOT_2 if doubled else t.EIGHTHS


@core()
def wide_terms(place: i64, g: i64) -> tuple[i64, i64]:
    """The tail on the row whose terms stand at `place` of the tables, in units of its shift; g signed, in 2⁻⁶⁴."""
    narrow = load64(TABLES, t.TAIL_AT + NARROW_BYTES + NARROW_LAST * 8 + place)
    for i in unroll(NARROW_LAST):
        _n0, n1 = mul_wide_s(narrow, g)
        narrow = n1 + load64(TABLES, t.TAIL_AT + NARROW_BYTES + (NARROW_LAST - 1 - i) * 8 + place)
    v0, v1 = mul_wide_s(narrow, g)
    v0 = shr_u(v0, 2) | (v1 << 62)
    v1 = v1 >> 2
    v0, v1 = add128(v0, v1, load64(TABLES, t.TAIL_AT + 32 + place), load64(TABLES, t.TAIL_AT + 40 + place))
    v0, v1 = times_place(v0, v1, g)
    v0, v1 = add128(v0, v1, load64(TABLES, t.TAIL_AT + 16 + place), load64(TABLES, t.TAIL_AT + 24 + place))
    v0, v1 = times_place(v0, v1, g)
    v0, v1 = add128(v0, v1, load64(TABLES, t.TAIL_AT + place), load64(TABLES, t.TAIL_AT + 8 + place))
    return v0, v1


@core()
def tail(x: i64) -> i64:
    """The upper tail at x ≥ 0, or twice that at x·√2 (DOUBLED = 1), in 10⁻¹⁸."""
    _x0, x1 = mul_wide_u(x, eighths(DOUBLED) & WORD)
    s0, s1 = mul_wide_u(x, eighths(DOUBLED) >> 64)
    s0, s1 = add128(s0, s1, x1, 0)
    if DOUBLED:
        s1 = (s1 << 1) | shr_u(s0, 63)
        s0 = s0 << 1
    row = shr_u(s1, 56)
    if row >= t.ROWS:
        return 0
    place = row * ROW_BYTES
    g = ((s1 << 8) | shr_u(s0, 56)) ^ HALF
    v0, v1 = wide_terms(place, g)
    low, _high = rounded_shift(v0, v1, load64(TABLES, t.TAIL_AT + SHIFT_BYTES + place) - DOUBLED, 0)
    return low


@core()
def norm_cdf(x0: i64, x1: i64) -> tuple[i64, i64]:
    """The standard normal distribution."""
    sign = x1
    x0, x1 = magnitude(x0, x1)
    value = 0
    if x1 == 0 and x0 >= 0:
        value = tail(x0)
    return select(sign < 0 or (x0 | x1) == 0, value, ONE - value), 0


@core()
def erf(x0: i64, x1: i64) -> tuple[i64, i64]:
    """The error function."""
    sign = x1 >> 63
    x0, x1 = magnitude(x0, x1)
    value = 0
    if x1 == 0 and x0 >= 0:
        value = tail(x0)
    value = ((ONE - value) ^ sign) - sign
    return value, value >> 63


@core()
def norm_inv(p0: i64, p1: i64) -> tuple[i64, i64]:
    """The quantile; rejects "invalid number" outside (0, 1)."""
    if p1 != 0 or p0 <= 0 or p0 >= ONE:
        raise reject(INVALID_NUMBER)
    if p0 == ONE // 2:
        return 0, 0
    sign = (p0 - ONE // 2) >> 63
    value = select(sign != 0, p0, ONE - p0)
    row = 0
    step = 64
    while step:
        if row + step < t.ROWS and load64(TABLES, t.EDGE_AT + (row + step) * 8) >= value:
            row += step
        step = step >> 1
    g = solved(row * ROW_BYTES, value)
    size, carry = mul_wide_u(g ^ HALF, ONE // 8)
    size = carry + row * (ONE // 8) + shr_u(size, 63)
    size = (size ^ sign) - sign
    return size, size >> 63


@core()
def solved(place: i64, value: i64) -> i64:
    """The g where the tail has this value, by Newton's method from the middle of the row."""
    shift = load64(TABLES, t.TAIL_AT + SHIFT_BYTES + place)
    t1 = value << (shift - 64)
    t0 = 0
    if shift < 64:
        t0 = value << shift
        t1 = shr_u(value, 64 - shift)
    g = 0
    for _i in range(ITERATIONS):
        v0, v1 = wide_terms(place, g)
        v0, v1 = sub128(v0, v1, t0, t1)
        sign = v1 >> 63
        v0, v1 = magnitude(v0, v1)
        q0, _q1, _r0, _r1 = divide(v0 << 2, (v1 << 2) | shr_u(v0, 62), shr_u(v1, 62), 0, 0 - slope(place, g), 0)
        q0, q1 = sub128(q0 ^ sign, sign, sign, sign)
        q0, q1 = add128(q0, q1, g, g >> 63)
        g = q0
        if q1 != q0 >> 63:
            g = (q1 >> 63) ^ (HALF - 1)
    return g


@core()
def slope(place: i64, g: i64) -> i64:
    """The derivative by g, negative, 2⁶² coarser than the row."""
    steep = load64(TABLES, t.TAIL_AT + NARROW_BYTES + NARROW_LAST * 8 + place)
    _n0, n1 = mul_wide_s(steep, g)
    value = n1 + load64(TABLES, t.TAIL_AT + NARROW_BYTES + (NARROW_LAST - 1) * 8 + place)
    for i in unroll(NARROW_LAST - 1):
        _s0, s1 = mul_wide_s(steep, g)
        steep = value + s1
        _v0, v1 = mul_wide_s(value, g)
        value = v1 + load64(TABLES, t.TAIL_AT + NARROW_BYTES + (NARROW_LAST - 2 - i) * 8 + place)
    for i in unroll(2):
        _s0, s1 = mul_wide_s(steep, g)
        steep = value + s1
        _v0, v1 = mul_wide_s(value, g)
        low = load64(TABLES, t.TAIL_AT + (2 - i) * 16 + place)
        high = load64(TABLES, t.TAIL_AT + (2 - i) * 16 + 8 + place)
        value = v1 + (shr_u(low, 62) | (high << 2))
    _s0, s1 = mul_wide_s(steep, g)
    return value + s1
