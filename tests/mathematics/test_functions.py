"""exp, ln, log2, pow and the normal distribution as mathematics: errors, exact points, order, symmetry, inverses."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice

import pytest

from execution.lang import Decimal, Rejected, erf, exp, ln, log2, norm_cdf, norm_inv, norm_pdf, pow, sqrt  # noqa: A004
from execution.mathematics import functions
from node.bench.math_points import FUNCTIONS, NORMAL_MAX, ONE, RAW_MAX, points
from node.bench.math_reference import compare

MODEL: dict[str, Callable[..., int]] = {
    **{name: getattr(functions, name) for name in FUNCTIONS if name not in ("sqrt", "pow")},
    "pow": functions.power,
    "sqrt": lambda x: sqrt(Decimal.from_raw(x)).raw,
}
BOUNDS = {"sqrt": 1.0, "norm_cdf": 0.54, "norm_inv": 0.54, "erf": 0.54}
"""Units of the 18th place; 0.501 where nothing is said."""
RISING = ("exp", "ln", "log2", "sqrt", "norm_cdf", "erf", "norm_inv")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_those_of_mpmath_within_the_stated_bound(name: str) -> None:
    rows = list(islice(points(name, 90_000, 2), 0, None, 60))
    found = compare(name, rows, [MODEL[name](*row) for row in rows])
    assert found.ulp <= BOUNDS.get(name, 0.501)
    assert found.relative <= 2.0**-100


@pytest.mark.parametrize("name", RISING)
def test_what_rises_never_falls(name: str) -> None:
    """Neighbours, at the borders of the tables first, then anywhere."""
    for (x,) in islice(points(name, 60_000, 3), 0, None, 40):
        y = x + 1
        if y > RAW_MAX or (name == "norm_inv" and y >= ONE):
            continue
        assert MODEL[name](x) <= MODEL[name](y), x


def test_large_arguments_that_lie_closer_than_the_error_keep_their_order() -> None:
    chance = random.Random(4)
    for _ in range(300):
        start = chance.randrange(1 << 120, RAW_MAX - 40)
        values = [functions.ln(x) for x in range(start, start + 40)]
        assert values == sorted(values)


def test_the_density_falls_away_from_0_even_where_it_is_flat() -> None:
    chance = random.Random(5)
    for bits in range(63):
        x = chance.getrandbits(bits)
        assert functions.norm_pdf(x) >= functions.norm_pdf(x + 1)
        assert functions.norm_pdf(x) == functions.norm_pdf(-x)


def test_powers_rise_with_either_argument() -> None:
    chance = random.Random(6)
    for x, y in islice(points("pow", 40_000, 6), 0, None, 80):
        step = chance.choice((1, 2, 1 << chance.randrange(40)))
        if min(x, y) <= 0 or max(x, y) + step > RAW_MAX:
            continue
        try:
            assert functions.power(x, y) <= functions.power(x + step, y)
            assert (functions.power(x, y) <= functions.power(x, y + step)) or x < ONE
        except functions.Refused as refused:
            assert refused.text == "overflow"


def test_exact_points() -> None:
    one = Decimal(1)
    assert (exp(0), ln(1), log2(1), norm_cdf(0), norm_inv(Decimal("0.5")), erf(0)) == (1, 0, 0, Decimal("0.5"), 0, 0)
    for power in range(-18, 67):
        exact = Decimal(2**power) if power >= 0 else one / 2**-power
        if power >= 0 or 10**18 % 2**-power == 0:
            assert log2(exact) == power
        if 0 <= power <= 42:
            assert pow(2, power) == exact
    for root in (1, 3, 10**9, Decimal("0.000000001"), Decimal("12345.678901234")):
        assert sqrt(root * root) == root
    assert pow(Decimal("1.5"), 3) == Decimal("3.375")
    assert (pow(7, 0), pow(0, 0), pow(0, 5), pow(-3, 3), pow(-3, 2), pow(9, Decimal("0.5"))) == (1, 1, 0, -27, 9, 3)


def test_symmetries_hold_to_the_bit() -> None:
    for (x,) in islice(points("norm_cdf", 30_000, 7), 0, None, 30):
        assert functions.norm_cdf(x) + functions.norm_cdf(-x) == ONE
        assert functions.erf(-x) == -functions.erf(x)
    for (p,) in islice(points("norm_inv", 30_000, 7), 0, None, 60):
        assert functions.norm_inv(ONE - p) == -functions.norm_inv(p)


def test_inverses_come_back() -> None:
    chance = random.Random(8)
    for _ in range(300):
        x = chance.randrange(-20 * ONE, 40 * ONE)
        back = functions.ln(functions.exp(x))
        assert abs(back - x) <= 2 + 10**18 // functions.exp(x)
        q = chance.randrange(1, ONE)
        density = functions.norm_pdf(functions.norm_inv(q))
        assert abs(functions.norm_cdf(functions.norm_inv(q)) - q) <= 1 + density // ONE


def test_limits_are_reached() -> None:
    assert (norm_cdf(9), norm_cdf(-9), erf(7), erf(-7), norm_pdf(10)) == (1, 0, 1, -1, 0)
    assert norm_cdf(Decimal.from_raw(RAW_MAX)) == 1
    assert functions.norm_cdf(-(1 << 127)) == functions.norm_pdf(-(1 << 127)) == 0
    assert exp(-43) == exp(Decimal.from_raw(-(1 << 127))) == 0
    assert exp(Decimal("46.583")) > 10**20
    assert NORMAL_MAX > 9 * ONE


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("overflow", lambda: exp(Decimal("46.5832"))),
        ("overflow", lambda: exp(Decimal.from_raw(RAW_MAX))),
        ("overflow", lambda: pow(10, 21)),
        ("overflow", lambda: pow(-10, 21)),
        ("overflow", lambda: pow(Decimal("0.1"), -21)),
        ("overflow", lambda: pow(Decimal.from_raw(RAW_MAX), Decimal.from_raw(RAW_MAX))),
        ("invalid number", lambda: ln(0)),
        ("invalid number", lambda: ln(-1)),
        ("invalid number", lambda: log2(0)),
        ("invalid number", lambda: sqrt(-1)),
        ("invalid number", lambda: norm_inv(0)),
        ("invalid number", lambda: norm_inv(1)),
        ("invalid number", lambda: norm_inv(-1)),
        ("invalid number", lambda: pow(-2, Decimal("0.5"))),
        ("division by zero", lambda: pow(0, -1)),
    ],
)
def test_there_is_no_value(reason: str, call: Callable[[], Decimal]) -> None:
    with pytest.raises(Rejected) as caught:
        call()
    assert caught.value.reason.text == reason


def test_only_numbers_are_taken() -> None:
    with pytest.raises(TypeError, match="expected a Decimal or an int"):
        exp(0.5)  # type: ignore[arg-type]
