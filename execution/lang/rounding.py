"""
Arithmetic that says how it rounds: up is towards +∞, down towards −∞, at the 18th place; `mul_div` rounds half to even.

Intermediates are exact, so only the result can overflow. Failures: "overflow", "division by zero", "invalid number".
"""

from __future__ import annotations

from math import isqrt

from execution.lang.decimal import SCALE, Decimal, ceil_ratio, even_ratio, floor_ratio, raw_of
from execution.lang.rejection import INVALID_NUMBER, Rejected

Number = Decimal | int


def mul_up(a: Number, b: Number) -> Decimal:
    """a·b, towards +∞."""
    return Decimal.from_raw(ceil_ratio(_raw(a) * _raw(b), SCALE))


def mul_down(a: Number, b: Number) -> Decimal:
    """a·b, towards −∞."""
    return Decimal.from_raw(floor_ratio(_raw(a) * _raw(b), SCALE))


def div_up(a: Number, b: Number) -> Decimal:
    """a/b, towards +∞."""
    return Decimal.from_raw(ceil_ratio(_raw(a) * SCALE, _raw(b)))


def div_down(a: Number, b: Number) -> Decimal:
    """a/b, towards −∞."""
    return Decimal.from_raw(floor_ratio(_raw(a) * SCALE, _raw(b)))


def mul_div(a: Number, b: Number, c: Number) -> Decimal:
    """a·b/c in one step, half to even."""
    return Decimal.from_raw(even_ratio(_raw(a) * _raw(b), _raw(c)))


def mul_div_up(a: Number, b: Number, c: Number) -> Decimal:
    """a·b/c in one step, towards +∞."""
    return Decimal.from_raw(ceil_ratio(_raw(a) * _raw(b), _raw(c)))


def mul_div_down(a: Number, b: Number, c: Number) -> Decimal:
    """a·b/c in one step, towards −∞."""
    return Decimal.from_raw(floor_ratio(_raw(a) * _raw(b), _raw(c)))


def sqrt(x: Number) -> Decimal:
    """√x, down to the 18th place; of a negative number Rejected "invalid number"."""
    raw = _raw(x)
    if raw < 0:
        raise Rejected(INVALID_NUMBER)
    return Decimal.from_raw(isqrt(raw * SCALE))


def _raw(value: Number) -> int:
    raw = raw_of(value)
    if raw is None:
        raise TypeError(f"expected a Decimal or an int, got {value!r}")
    return raw
