"""Decimal against exact fractions, with every rounding, at the edges of 128 bits."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import (
    Decimal,
    Rejected,
    div_down,
    div_up,
    mul_div,
    mul_div_down,
    mul_div_up,
    mul_down,
    mul_up,
    sqrt,
)
from execution.lang.decimal import RAW_MAX, RAW_MIN, SCALE

EDGES = st.sampled_from([RAW_MIN, RAW_MAX, 0, 1, -1, SCALE, -SCALE, SCALE // 2, RAW_MIN + 1, 3 * SCALE // 2])
RAWS = st.one_of(st.integers(RAW_MIN, RAW_MAX), st.integers(-(10**21), 10**21), st.integers(-(10**10), 10**10), EDGES)
INTS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-10, 10))
FEW = settings(max_examples=200, derandomize=True, deadline=None)

Round = Callable[[Fraction], int]


def exact(compute: Callable[[], Fraction], rounding: Round) -> int | str:
    """The raw result of an exact computation on raw values, or the reason it is refused for."""
    try:
        raw = rounding(compute())
    except ZeroDivisionError:
        return "division by zero"
    return raw if RAW_MIN <= raw <= RAW_MAX else "overflow"


def outcome(compute: Callable[[], Decimal | int]) -> int | str:
    try:
        result = compute()
    except Rejected as refusal:
        return refusal.reason.text
    return result.raw if isinstance(result, Decimal) else result


def decimal(raw: int) -> Decimal:
    return Decimal.from_raw(raw)


@FEW
@given(RAWS, RAWS)
def test_operators_are_exact_or_round_half_to_even(a: int, b: int) -> None:
    x, y = decimal(a), decimal(b)
    assert outcome(lambda: x + y) == exact(lambda: Fraction(a + b), round)
    assert outcome(lambda: x - y) == exact(lambda: Fraction(a - b), round)
    assert outcome(lambda: x * y) == exact(lambda: Fraction(a * b, SCALE), round)
    assert outcome(lambda: x / y) == exact(lambda: Fraction(a * SCALE, b), round)
    assert outcome(lambda: x // y) == exact(lambda: Fraction(floor(Fraction(a, b)) * SCALE), round)
    assert outcome(lambda: x % y) == exact(lambda: a - b * Fraction(floor(Fraction(a, b))), round)


@FEW
@given(RAWS, RAWS)
def test_named_roundings_go_towards_the_infinity_they_name(a: int, b: int) -> None:
    x, y = decimal(a), decimal(b)
    assert outcome(lambda: mul_up(x, y)) == exact(lambda: Fraction(a * b, SCALE), ceil)
    assert outcome(lambda: mul_down(x, y)) == exact(lambda: Fraction(a * b, SCALE), floor)
    assert outcome(lambda: div_up(x, y)) == exact(lambda: Fraction(a * SCALE, b), ceil)
    assert outcome(lambda: div_down(x, y)) == exact(lambda: Fraction(a * SCALE, b), floor)


@FEW
@given(RAWS, RAWS, RAWS)
def test_mul_div_rounds_once(a: int, b: int, c: int) -> None:
    x, y, z = decimal(a), decimal(b), decimal(c)
    assert outcome(lambda: mul_div(x, y, z)) == exact(lambda: Fraction(a * b, c), round)
    assert outcome(lambda: mul_div_up(x, y, z)) == exact(lambda: Fraction(a * b, c), ceil)
    assert outcome(lambda: mul_div_down(x, y, z)) == exact(lambda: Fraction(a * b, c), floor)


@FEW
@given(RAWS)
def test_conversions_to_int_fit_64_bits_or_overflow(a: int) -> None:
    for convert, rounding in ((Decimal.floor, floor), (Decimal.ceil, ceil), (Decimal.round, round)):
        whole = rounding(Fraction(a, SCALE))
        fits = -(1 << 63) <= whole < 1 << 63
        assert outcome(lambda: convert(decimal(a))) == (whole if fits else "overflow")  # noqa: B023


@FEW
@given(RAWS)
def test_sqrt_is_the_floor_at_the_last_place(a: int) -> None:
    assert outcome(lambda: sqrt(decimal(a))) == (isqrt(a * SCALE) if a >= 0 else "invalid number")


@FEW
@given(RAWS, INTS)
def test_an_int_converts_exactly_on_either_side(a: int, n: int) -> None:
    x, y = decimal(a), Decimal(n)
    for mixed, pure in (
        (lambda: x + n, lambda: x + y),
        (lambda: n - x, lambda: y - x),
        (lambda: n * x, lambda: y * x),
        (lambda: n / x, lambda: y / x),
        (lambda: n // x, lambda: y // x),
        (lambda: n % x, lambda: y % x),
        (lambda: x % n, lambda: x % y),
    ):
        assert outcome(mixed) == outcome(pure)
    assert (x < n, x <= n, x == n, x > n, x >= n) == (x < y, x <= y, x == y, x > y, x >= y)


@FEW
@given(RAWS, RAWS)
def test_order_equality_and_hash_follow_the_raw_value(a: int, b: int) -> None:
    x, y = decimal(a), decimal(b)
    assert (x < y, x == y, x > y) == (a < b, a == b, a > b)
    assert hash(x) == hash(decimal(a))
    assert decimal(a * 0 + SCALE * 7) == 7 and hash(decimal(SCALE * 7)) == hash(7)


@FEW
@given(RAWS)
def test_text_reads_back(a: int) -> None:
    assert Decimal(str(decimal(a))).raw == a


def test_negating_the_smallest_value_overflows() -> None:
    assert outcome(lambda: -decimal(RAW_MIN)) == "overflow"
    assert outcome(lambda: abs(decimal(RAW_MIN))) == "overflow"


@pytest.mark.parametrize("text", ["", ".5", "1.", "1e3", "0.0000000000000000001", "١", " 1", "1_0", "nan", "9" * 22])
def test_a_constant_that_is_not_exact_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Decimal"):
        Decimal(text)


def test_floats_never_mix() -> None:
    with pytest.raises(TypeError):
        Decimal(0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Decimal(1) + 0.5  # type: ignore[operator]
    with pytest.raises(TypeError, match="condition"):
        bool(Decimal(1))
