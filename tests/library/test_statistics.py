"""Running statistics against all values at once, computed exactly."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import pytest

from execution.lang import Decimal, Timestamp

ONE = 10**18


@pytest.fixture
def vaults(chain: Any, accounts: Any) -> Any:
    return chain.deploy("vaults.py", sender=accounts.alice)


def test_mean_and_variance_are_those_of_all_values(chain: Any, vaults: Any, accounts: Any) -> None:
    """Also far from zero, where the sum of squares minus the square of the sum has lost every digit."""
    chance = random.Random(1)
    with chain.rejects("too few values"):
        vaults.sample()
    values: list[Fraction] = []
    for number in range(60):
        value = chance.randrange(10**9 * ONE, (10**9 + 3) * ONE)
        values.append(Fraction(value, ONE))
        mean, variance = vaults.tell(Decimal.from_raw(value), sender=accounts.alice)
        exact = sum(values, Fraction(0)) / len(values)
        squares = sum(((one - exact) ** 2 for one in values), Fraction(0))
        assert abs(mean.raw - exact * ONE) <= number + 1
        assert abs(variance.raw - squares / len(values) * ONE) <= 4 * (number + 1)
    assert abs(vaults.sample().raw - squares / 59 * ONE) <= 300


def test_one_value_has_no_variance(chain: Any, vaults: Any, accounts: Any) -> None:
    assert vaults.tell(Decimal("-7.5"), sender=accounts.alice) == (Decimal("-7.5"), Decimal(0))
    with chain.rejects("too few values"):
        vaults.sample()


def test_volatility_is_that_of_riskmetrics(chain: Any, vaults: Any, accounts: Any) -> None:
    chance = random.Random(2)
    decay, price, variance, last = Decimal("0.94"), 100.0, None, None
    with chain.rejects("too few values"):
        vaults.volatility(Decimal(252))
    for _ in range(40):
        price *= math.exp(chance.gauss(0, 0.02))
        quoted = Decimal.from_raw(round(price * ONE))
        vaults.quote(quoted, decay, sender=accounts.alice)
        if last is not None:
            square = math.log(price / last) ** 2
            variance = square if variance is None else 0.94 * variance + 0.06 * square
            found = vaults.volatility(Decimal(252)).raw / ONE
            assert math.isclose(found, math.sqrt(variance * 252), rel_tol=1e-11)
        last = price


def test_prices_and_decays_have_ranges(chain: Any, vaults: Any, accounts: Any) -> None:
    for price, decay in (("0", "0.9"), ("-1", "0.9"), ("1", "1.1"), ("1", "-0.1")):
        with chain.rejects("invalid number"):
            vaults.quote(Decimal(price), Decimal(decay), sender=accounts.alice)


def test_extremes_are_those_of_the_window(chain: Any, vaults: Any, accounts: Any) -> None:
    """The span is 10 ms; several values may come at once."""
    chance, told, now = random.Random(3), list[tuple[int, int]](), 100
    with chain.rejects("too few values"):
        vaults.extremes(0, Timestamp(now))
    for _ in range(120):
        now += chance.choice((0, 1, 1, 2, 3, 12))
        value = chance.randrange(-20, 20)
        vaults.see(0, Timestamp(now), Decimal(value), sender=accounts.alice)
        told.append((now, value))
        asked = now + chance.choice((0, 0, 4, 9))
        seen = [one for time, one in told if time > asked - 10]
        assert vaults.extremes(0, Timestamp(asked)) == (Decimal(min(seen)), Decimal(max(seen)))
        window = vaults.state["windows"][0]
        assert len(window["lows"]) <= 10
        assert len(window["highs"]) <= 10
    with chain.rejects("too few values"):
        vaults.extremes(0, Timestamp(now + 10))
    with chain.rejects("dates out of order"):
        vaults.see(0, Timestamp(now - 1), Decimal(0), sender=accounts.alice)


def test_a_full_window_errs_to_the_outside(vaults: Any, accounts: Any) -> None:
    """More ascending values than are kept: the lows at hand are too low, never too high; one low value ends it."""
    for number in range(300):
        vaults.see(1, Timestamp(number), Decimal(number), sender=accounts.alice)
    assert len(vaults.state["windows"][1]["lows"]) == 256
    assert len(vaults.state["windows"][1]["highs"]) == 1
    assert vaults.extremes(1, Timestamp(100_100)) == (Decimal(101), Decimal(299))
    assert vaults.extremes(1, Timestamp(100_298)) == (Decimal(255), Decimal(299))
    vaults.see(1, Timestamp(300), Decimal(-1), sender=accounts.alice)
    assert len(vaults.state["windows"][1]["lows"]) == 1
    assert vaults.extremes(1, Timestamp(300)) == (Decimal(-1), Decimal(299))
