"""
Option prices of the library against published tables, each other, and themselves in another world.

Rows: E. G. Haug, "Option pricing formulas" (1998), N. Ju, R. Zhong (1999) and others as collected in QuantLib's
test-suite (BSD-3: europeanoption, americanoption, bacheliercalculator), which gives the tolerances. Everything asked
of a `desk` runs in WASM.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from execution.lang import Decimal, Rejected, exp
from execution.lang.instrument import Bundle
from node.bench.desk import Desk
from node.bench.math_points import ONE

TERMS = "call: bool, s: Decimal, k: Decimal, r: Decimal, q: Decimal, v: Decimal, t: Decimal"
GIVEN = "Right.CALL if call else Right.PUT, s, k, r, q, v, t"
SOURCE = f'''
"""Every price of the library."""

from execution.lang import Decimal, Program, view
from execution.library.american import american, qd_plus
from execution.library.american_quadratic import barone_adesi_whaley, ju_zhong
from execution.library.american_trigger import bjerksund_stensland
from execution.library.bachelier import bachelier
from execution.library.binomial_american import binomial_american
from execution.library.black76 import black76
from execution.library.black_scholes import black_scholes
from execution.library.implied_volatility import Implied, implied_volatility
from execution.library.options import Right, Valuation


class Desk(Program):
    @view
    def scholes(self, {TERMS}) -> Valuation:
        return black_scholes({GIVEN})

    @view
    def black(self, {TERMS}) -> Valuation:
        return black76(Right.CALL if call else Right.PUT, s, k, r, v, t)

    @view
    def normal(self, {TERMS}) -> Valuation:
        return bachelier(Right.CALL if call else Right.PUT, s, k, r, v, t)

    @view
    def implied(self, {TERMS.replace("v:", "price:")}) -> Implied:
        return implied_volatility(Right.CALL if call else Right.PUT, price, s, k, r, q, t)

    @view
    def quadratic(self, {TERMS}) -> Decimal:
        return barone_adesi_whaley({GIVEN})

    @view
    def refined(self, {TERMS}) -> Decimal:
        return ju_zhong({GIVEN})

    @view
    def trigger(self, {TERMS}) -> Decimal:
        return bjerksund_stensland({GIVEN})

    @view
    def exact(self, {TERMS}) -> Decimal:
        return american({GIVEN})

    @view
    def boundary(self, {TERMS}) -> Decimal:
        return qd_plus({GIVEN})

    @view
    def binomial(self, {TERMS}) -> Decimal:
        return binomial_american({GIVEN})
'''
FINE = f'''
"""A price beside them that takes 43 million gas: by itself, since a program has bounds."""

from execution.lang import Decimal, Program, view
from execution.library.andersen_lake import Equation, andersen_lake
from execution.library.options import Right


class Fine(Program):
    @view
    def fine(self, a: bool, {TERMS}) -> Decimal:
        return andersen_lake(Right.CALL if call else Right.PUT, Equation.A if a else Equation.B, s, k, r, q, v, t)
'''
CALL, PUT = 1, 0
FOUND, BELOW_INTRINSIC, ABOVE_MAXIMUM, INVALID_TERMS = range(4)
VIEWS = ("scholes", "black", "normal", "implied", "quadratic", "refined", "trigger", "boundary", "exact", "binomial")

# right, spot, strike, rate, dividend, volatility, years → price; tolerance 10⁻⁴
EUROPEAN = (
    (CALL, "60", "65", "0.08", "0", "0.30", "0.25", "2.1334"),
    (PUT, "19", "19", "0.10", "0.10", "0.28", "0.75", "1.7011"),
    (CALL, "1.56", "1.60", "0.06", "0.08", "0.12", "0.5", "0.0291"),
    (CALL, "90", "100", "0.10", "0.10", "0.15", "0.10", "0.0205"),
)
# European greeks: right, spot, strike, rate, dividend, volatility, years → place in Valuation, value; Haug
GREEKS = (
    (CALL, "105", "100", "0.10", "0.10", "0.36", "0.5", 1, "0.5946"),
    (PUT, "105", "100", "0.10", "0.10", "0.36", "0.5", 1, "-0.3566"),
    (PUT, "55", "60", "0.10", "0", "0.30", "0.75", 2, "0.0278"),
    (PUT, "55", "60", "0.10", "0", "0.30", "0.75", 3, "18.9358"),
    (PUT, "430", "405", "0.07", "0.05", "0.20", "0.083333333333333333", 4, "-31.1924"),
    (CALL, "72", "75", "0.09", "0", "0.19", "1", 5, "38.7325"),
)
# American: view, terms → price, tolerance
AMERICAN = (
    ("quadratic", CALL, "90", "100", "0.1", "0.1", "0.15", "0.1", "0.0206", "0.003"),
    ("quadratic", CALL, "100", "100", "0.1", "0.1", "0.35", "0.5", "9.5106", "0.003"),
    ("quadratic", PUT, "110", "100", "0.1", "0.1", "0.25", "0.5", "3.3226", "0.003"),
    ("quadratic", PUT, "90", "100", "0.1", "0.1", "0.15", "0.1", "10.0000", "0.003"),
    ("trigger", CALL, "42", "40", "0.04", "0.08", "0.35", "0.75", "5.2704", "0.00005"),
    ("refined", PUT, "40", "35", "0.0488", "0", "0.2", "0.5833", "0.433", "0.001"),
    ("refined", PUT, "40", "45", "0.0488", "0", "0.2", "0.0833", "5.000", "0.001"),
    ("binomial", PUT, "40", "40", "0.0488", "0", "0.2", "0.3333", "1.576", "0.08"),
    ("boundary", PUT, "100", "120", "0.10", "0.03", "0.25", "10", "22.973832560035850", "0.00000001"),
    ("boundary", CALL, "100", "100", "0.1", "10", "0.25", "1", "0.115962720210798900", "0.00000001"),
    ("boundary", CALL, "100", "100", "0.05", "0", "0.25", "1", "12.335998930368724", "0.00000001"),
    ("boundary", CALL, "100", "50", "0.05", "0.01", "0", "1", "51.44351214988111", "0.0000000001"),
    ("boundary", PUT, "100", "120", "0", "0.05", "0.0000001", "1", "24.877057549928608", "0.00000001"),
    ("boundary", CALL, "100", "0", "0.05", "0.01", "0.25", "1", "100", "0.00000000001"),
    ("boundary", PUT, "0.000001", "120", "-0.075", "0.05", "0.25", "1", "129.34609715492635", "0.000000001"),
)
TRUE_PUTS = (
    ("40", "40", "0.0488", "0", "0.2", "0.3333", "1.57982", "0.00001"),
    ("100", "100", "0.05", "0.05", "0.25", "1", "9.569445298", "0.000001"),
    ("100", "120", "0.10", "0.03", "0.25", "10", "23.0003", "0.001"),
)
"""
Terms → price, tolerance. M. Broadie, J. Detemple (RFS 9, 1996), table 1; L. Andersen, M. Lake, D. Offengenden (2016),
table 2: premium 0.106952702747; a tree of 1,601 steps, extrapolated.
"""


def raw(value: str) -> int:
    return Decimal(value).raw


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(SOURCE)


@pytest.fixture(scope="module")
def fine() -> Desk:
    return Desk(FINE)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle({"desk": SOURCE})


def near(found: int, wanted: str, tolerance: str) -> bool:
    return abs(found - raw(wanted)) <= raw(tolerance)


@pytest.mark.parametrize("row", EUROPEAN)
def test_european_rows(desk: Desk, row: Any) -> None:
    right, *terms, wanted = row
    value: Any = desk.ask("scholes", right, *map(raw, terms))
    assert near(value[0], wanted, "0.0001")


@pytest.mark.parametrize("row", GREEKS)
def test_greek_rows(desk: Desk, row: Any) -> None:
    right, *terms, place, wanted = row
    value: Any = desk.ask("scholes", right, *map(raw, terms))
    assert near(value[place], wanted, "0.0001")


@pytest.mark.parametrize("row", AMERICAN)
def test_american_rows(desk: Desk, row: Any) -> None:
    view, right, *terms, wanted, tolerance = row
    value: Any = desk.ask(view, right, *map(raw, terms))
    assert near(value, wanted, tolerance)


@pytest.mark.parametrize("row", TRUE_PUTS)
def test_american_is_near_the_true_price(desk: Desk, row: Any) -> None:
    *terms, wanted, tolerance = row
    value: Any = desk.ask("exact", PUT, *map(raw, terms))
    assert near(value, wanted, tolerance)
    tree: Any = desk.ask("binomial", PUT, *map(raw, terms))
    assert abs(tree - value) <= raw(terms[1]) * 3 // 1_000


def test_black_and_bachelier_rows(desk: Desk) -> None:
    """Haug's option on a future; QuantLib's Bachelier at and in the money with a deviation of 20."""
    black: Any = desk.ask("black", PUT, *map(raw, ("19", "19", "0.10", "0", "0.28", "0.75")))
    assert near(black[0], "1.7011", "0.0001")
    for forward, strike, wanted in (("100", "100", "7.978845608028654"), ("100", "90", "13.95593114802612")):
        normal: Any = desk.ask("normal", CALL, *map(raw, (forward, strike, "0", "0", "20", "1")))
        assert near(normal[0], wanted, "0.00000001")
    negative: Any = desk.ask("normal", PUT, *map(raw, ("-5", "0", "0", "0", "3", "1")))
    assert negative[0] > raw("5")


def some_terms(chance: random.Random) -> tuple[int, ...]:
    """right, spot, strike, rate, dividend, volatility, years."""

    def between(low: float, high: float) -> int:
        return int(chance.uniform(low, high) * ONE)

    spot, strike = between(50, 200), between(50, 200)
    return (chance.randrange(2), spot, strike, between(0, 0.2), between(0, 0.2), between(0.02, 1.5), between(0.01, 3))


def test_puts_and_calls_differ_by_the_forward(desk: Desk) -> None:
    chance = random.Random(1)
    for view in ("scholes", "black", "normal"):
        for _ in range(40):
            _, *terms = some_terms(chance)
            call: Any = desk.ask(view, CALL, *terms)
            put: Any = desk.ask(view, PUT, *terms)
            spot, strike, rate, dividend, _, years = (Decimal.from_raw(term) for term in terms)
            paid = strike * exp(-rate * years)
            held = spot * exp(-(dividend if view == "scholes" else rate) * years)
            assert abs(call[0] - put[0] - (held - paid).raw) < 3_000
            assert (call[2], call[3]) == (put[2], put[3])


@pytest.mark.parametrize("view", ["scholes", "black", "normal"])
def test_greeks_are_derivatives(desk: Desk, view: str) -> None:
    """Central differences of the price, which are good to eight places."""
    chance = random.Random(view)
    for _ in range(15):
        terms = list(some_terms(chance))
        terms[6] = max(terms[6], ONE // 2)
        if view == "normal":
            terms[5] *= 40
        value: Any = desk.ask(view, *terms)
        delta, vega, theta, rho = (slope(desk, view, terms, place) for place in (1, 5, 6, 3))
        found = (value[1], value[3], -value[4], value[5])
        for exact, measured in zip(found, (delta, vega, theta, rho), strict=True):
            assert abs(exact - measured) < abs(exact) // 10**6 + 10**12
        bumped = [desk.ask(view, *moved(terms, 1, step)) for step in (-(10**14), 10**14)]
        gamma = (bumped[1][1] - bumped[0][1]) * ONE // (2 * 10**14)  # type: ignore[index]
        assert abs(value[2] - gamma) < abs(value[2]) // 10**5 + 10**11


def moved(terms: list[int], place: int, step: int) -> list[int]:
    return [term + step * (number == place) for number, term in enumerate(terms)]


def slope(desk: Desk, view: str, terms: list[int], place: int) -> int:
    step = 10**12
    low, high = (desk.ask(view, *moved(terms, place, sign * step)) for sign in (-1, 1))
    return (high[0] - low[0]) * ONE // (2 * step)  # type: ignore[index]


def test_every_world_gives_the_same_price(desk: Desk, bundle: Bundle) -> None:
    """CPython and WASM, result or reason, in and far outside of ordinary terms."""
    chance = random.Random(2)
    module: ModuleType = bundle.load("desk")
    program = module.Desk
    for view in VIEWS:
        for number in range({"binomial": 12, "exact": 5}.get(view, 30)):
            terms = list(some_terms(chance))
            if number % 3 == 0:
                terms[chance.randrange(1, 7)] = chance.choice((0, -ONE, 1, 10**9, 10**30, -(10**25), ONE))
            (compiled,) = desk.ask_all(view, [terms])
            assert spoken(getattr(program, view), terms) == compiled, (view, terms)


def test_the_finest_price_is_the_same_in_every_world(fine: Desk) -> None:
    """A few seconds each under CPython."""
    program = Bundle({"fine": FINE}).load("fine").Fine
    for a, call, *terms in (
        (True, CALL, 95, 100, "0.03", "0.05", "0.4", 2),
        (False, PUT, 100, 90, "0.06", 0, "0.2", 1),
    ):
        given = [raw(str(term)) for term in terms]
        price = program.fine(None, a, call == CALL, *map(Decimal.from_raw, given))
        assert fine.ask("fine", a, call, *given) == price.raw


def test_the_finest_price_is_near_the_quick_one(desk: Desk, fine: Desk) -> None:
    """The two equations, and eight points beside 33, in shares of the strike; without a boundary all are equal."""
    chance = random.Random(6)
    for number in range(32):
        terms = list(some_terms(chance))
        certain = number % 4 == 0
        if certain:
            terms[chance.choice((1, 2, 5, 6))] = 0
        first, second = (fine.ask("fine", a, *terms) for a in (1, 0))
        quick: Any = desk.ask("exact", *terms)
        if certain:
            assert first == second == quick
        else:
            assert abs(first - second) <= terms[2] // 5_000_000
            assert abs(first - quick) <= terms[2] // 100_000


def spoken(method: Callable[..., Any], terms: list[int]) -> object:
    """A view never looks at its program here."""
    function = getattr(method, "__wrapped__", method)
    try:
        value = function(None, terms[0] == 1, *map(Decimal.from_raw, terms[1:]))
    except Rejected as refused:
        return refused.reason.text
    return plain(value)


def plain(value: Any) -> object:
    if isinstance(value, Decimal):
        return value.raw
    if hasattr(value, "value"):
        return value.value
    return tuple(plain(getattr(value, name)) for name in type(value).__annotations__)


def test_prices_without_doubt_are_what_they_pay(desk: Desk) -> None:
    for view in ("scholes", "black", "normal"):
        for volatility, years in (("0", "1"), ("0.2", "0")):
            value: Any = desk.ask(view, CALL, *map(raw, ("110", "100", "0", "0", volatility, years)))
            assert value[:4] == (raw("10"), raw("1"), 0, 0)
            value = desk.ask(view, PUT, *map(raw, ("110", "100", "0", "0", volatility, years)))
            assert value == (0, 0, 0, 0, 0, 0)


def test_implied_volatility_reprices_what_it_is_given(desk: Desk) -> None:
    chance = random.Random(3)
    found = 0
    for _ in range(400):
        right, spot, strike, rate, dividend, volatility, years = some_terms(chance)
        terms = (spot, strike, rate, dividend)
        value: Any = desk.ask("scholes", right, *terms, volatility, years)
        status, implied = desk.ask("implied", right, *terms, value[0], years)  # type: ignore[misc]
        assert status in (FOUND, ABOVE_MAXIMUM)
        if status == FOUND and value[3] > 10**12:
            again: Any = desk.ask("scholes", right, *terms, implied, years)
            assert abs(again[0] - value[0]) <= 1_000 + 4 * value[3] // ONE
            found += 1
    assert found > 350


def test_implied_volatility_has_a_word_for_everything(desk: Desk) -> None:
    def status(price: str, spot: str = "100", strike: str = "90", years: str = "1", rate: str = "0") -> Any:
        (answer,) = desk.ask_all("implied", [(CALL, *map(raw, (spot, strike, rate, "0", price, years)))])
        return answer

    assert status("9.99") == (BELOW_INTRINSIC, 0)
    assert status("-1") == (BELOW_INTRINSIC, 0)
    assert status("10") == (FOUND, 0)
    assert status("100") == (ABOVE_MAXIMUM, 0)
    assert status("1000") == (ABOVE_MAXIMUM, 0)
    assert status("20", years="0") == (INVALID_TERMS, 0)
    assert status("20", spot="0") == (INVALID_TERMS, 0)
    assert status("20", strike="-1") == (INVALID_TERMS, 0)
    assert status("20", rate="101") == (INVALID_TERMS, 0)
    assert status("20")[0] == FOUND


def test_implied_volatility_never_fails(desk: Desk) -> None:
    """Any Decimals at all."""
    chance = random.Random(4)

    def wild() -> int:
        value = chance.getrandbits(chance.randrange(1, 127))
        return value if chance.random() < 0.8 else -value

    rows = [(chance.randrange(2), *(wild() for _ in range(6))) for _ in range(3_000)]
    for _ in range(3_000):
        terms = list(some_terms(chance))
        terms[5] = chance.choice((chance.randrange(200 * ONE), chance.getrandbits(60), wild()))
        terms[chance.randrange(1, 7)] = chance.choice((wild(), terms[1], chance.getrandbits(61)))
        rows.append(tuple(terms))
    statuses = [answer if isinstance(answer, str) else answer[0] for answer in desk.ask_all("implied", rows)]  # type: ignore[index]
    assert set(statuses) == {FOUND, BELOW_INTRINSIC, ABOVE_MAXIMUM, INVALID_TERMS}


def test_american_prices_are_in_order(desk: Desk) -> None:
    """At least the European one, at least what exercise pays."""
    chance = random.Random(5)
    for _ in range(25):
        terms = some_terms(chance)
        right, spot, strike, *_ = terms
        european: Any = desk.ask("scholes", *terms)
        american: Any = desk.ask("binomial", *terms)
        assert american >= max(european[0], spot - strike if right else strike - spot)
        trigger: Any = desk.ask("trigger", *terms)
        assert trigger <= american + raw("0.02")
        exact: Any = desk.ask("exact", *terms)
        boundary: Any = desk.ask("boundary", *terms)
        assert max(abs(exact - american), abs(exact - boundary)) <= exact // 100 + raw("0.02")


def test_constants_of_a_module_may_be_computed() -> None:
    source = """
from execution.lang import Decimal, Program, exp, ln, norm_inv, pow, sqrt, view

DEVIATIONS = norm_inv(Decimal("0.99")) * sqrt(Decimal(10) / 365)
GROWTH = exp(ln(Decimal(2)) / 12) + pow(Decimal(2), Decimal("0.5"))


class Desk(Program):
    @view
    def both(self) -> Decimal:
        return DEVIATIONS + GROWTH
"""
    made = Bundle({"desk": source}).load("desk")
    assert Desk(source).ask("both") == (made.DEVIATIONS + made.GROWTH).raw
