"""
Fixed point on pairs of words, low first: what the mathematics is made of.

Bit for bit what `execution.mathematics.functions` writes as shifts of Python's integers; every shift rounds down.
"""

from __future__ import annotations

from execution.mathematics import tables
from execution.vm.core import add128, core, i64, inline, mul_wide_s, mul_wide_u, select, shr_u
from execution.vm.runtime.decimal import signed

WORD = (1 << 64) - 1
INVERSE_LOW, INVERSE_HIGH = tables.INVERSE_ONE & WORD, tables.INVERSE_ONE >> 64


@inline
def times(a0: i64, a1: i64, b0: i64, b1: i64) -> tuple[i64, i64]:
    """The upper half of an unsigned product, without the lowest of the four partial products."""
    _x0, x1 = mul_wide_u(a1, b0)
    _y0, y1 = mul_wide_u(a0, b1)
    p0, p1 = mul_wide_u(a1, b1)
    p0, p1 = add128(p0, p1, x1, 0)
    p0, p1 = add128(p0, p1, y1, 0)
    return p0, p1


@inline
def times_place(a0: i64, a1: i64, g: i64) -> tuple[i64, i64]:
    """a·g/2⁶⁴, both signed."""
    _x0, x1 = mul_wide_u(a0, g)
    x1 = x1 - (a0 & (g >> 63))
    p0, p1 = mul_wide_s(a1, g)
    p0, p1 = add128(p0, p1, x1, x1 >> 63)
    return p0, p1


@inline
def shift_right(a0: i64, a1: i64, count: i64) -> tuple[i64, i64]:
    """Unsigned, by 0 … 127."""
    low = shr_u(a0, count) | ((a1 << 1) << (63 - (count & 63)))
    high = shr_u(a1, count)
    far = count & 64
    return select(far != 0, high, low), select(far != 0, 0, high)


@core()
def rounded_shift(a0: i64, a1: i64, count: i64, sign: i64) -> tuple[i64, i64]:
    """a/2^count to the nearest, the middle up, with a sign (negative when sign < 0); count is 1 … 127."""
    a0, a1 = shift_right(a0, a1, count - 1)
    odd = a0 & 1
    a0, a1 = shift_right(a0, a1, 1)
    a0, a1 = add128(a0, a1, odd, 0)
    low, high = signed(a0, a1, sign)
    return low, high
