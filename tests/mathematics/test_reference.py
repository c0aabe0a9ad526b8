"""
Every European and American row of the reference tables beside the repository, in WASM, within the published tolerance.

The tables are QuantLib's test-suite's (BSD-3) and py_vollib's (MIT); where they are absent, these tests skip. Of the
American ones two kinds are left out, for they are no prices: evaluations until a boundary converges, and shout options.
Premiums of Andersen, Lake and Offengenden's example belong to a scheme of so many nodes each: the library has the
finest of them, whose rows are given to 10⁻¹¹.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from execution.lang import Decimal
from node.bench.desk import Desk
from tests.mathematics.test_library import FINE, SOURCE

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
BARONE_ADESI_WHALEY, BJERKSUND_STENSLAND, JU_ZHONG, EUROPEAN_GREEK = 3e-3, 5e-5, 1e-3, 1e-4
"""Tolerances that the tables' tests state apart from the rows."""
EIGHT_POINTS = 2e-6
"""What `american` keeps to, whose boundary has eight points."""
DAYS_PER_YEAR = 365
PLACES = {"price": 0, "delta": 1, "gamma": 2, "vega": 3, "theta": 4, "rho": 5}

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not VECTORS.is_dir(), reason="the reference tables do not lie beside the repository"),
]


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(SOURCE)


@pytest.fixture(scope="module")
def fine() -> Desk:
    return Desk(FINE)


def raw(value: object) -> int:
    """Of a number as JSON has it, to 18 places."""
    return Decimal(f"{float(value):.18f}").raw  # type: ignore[arg-type]


def tables(file: str) -> Iterator[tuple[str, list[Any]]]:
    for table in json.loads((VECTORS / "quantlib" / f"{file}.json").read_text())["tables"]:
        yield table["test"], table["rows"]


def rows_of(file: str, test: str) -> list[Any]:
    found = [row for name, rows in tables(file) if name == test for row in rows]
    assert found, f"{file} has no table {test}"
    return found


def call(row: dict[str, Any]) -> int:
    return int(row["type"] == "Option::Call")


def years(value: object) -> float:
    if isinstance(value, str):
        over, under = value.split("/")
        return float(over) / float(under)
    return float(value)  # type: ignore[arg-type]


def asked(desk: Desk, view: str, row: dict[str, Any]) -> Any:
    terms = (row["s"], row["strike"], row["r"], row["q"], row["v"], years(row["t"]))
    return desk.ask(view, call(row), *map(raw, terms))


def wrong(found: int, wanted: object, tolerance: float, row: object) -> list[str]:
    """Nothing, or what is wrong with it."""
    off = abs(found - raw(wanted))
    return [] if off <= raw(tolerance) else [f"{row}: {found / 1e18} is off by {off / 1e18}"]


def test_european_prices(desk: Desk) -> None:
    rows = rows_of("europeanoption", "testValues")
    assert not [w for row in rows for w in wrong(asked(desk, "scholes", row)[0], row["result"], row["tol"], row)]


def test_european_greeks(desk: Desk) -> None:
    """A row does not name its greek: it is one of ours, or follows from them."""
    rows = rows_of("europeanoption", "testGreekValues")
    for row in rows:
        value = asked(desk, "scholes", row)
        elasticity = value[1] * raw(row["s"]) // value[0]
        rho_of_dividend = -value[1] * raw(row["s"]) // raw(1) * raw(years(row["t"])) // raw(1)
        offered = [*value, elasticity, rho_of_dividend, value[4] // DAYS_PER_YEAR]
        assert any(not wrong(one, row["result"], EUROPEAN_GREEK, row) for one in offered), (row, value)


def test_barone_adesi_and_whaley(desk: Desk) -> None:
    rows = rows_of("americanoption", "testBaroneAdesiWhaleyValues")
    assert not [
        w for row in rows for w in wrong(asked(desk, "quadratic", row), row["result"], BARONE_ADESI_WHALEY, row)
    ]


def test_bjerksund_stensland_and_ju_zhong(desk: Desk) -> None:
    """Two tables under one name: the second is of Ju and Zhong."""
    (_, first), (_, second) = [t for t in tables("americanoption") if t[0] == "testBjerksundStenslandValues"]
    misses = [w for row in first for w in wrong(asked(desk, "trigger", row), row["result"], BJERKSUND_STENSLAND, row)]
    misses += [w for row in second for w in wrong(asked(desk, "refined", row), row["result"], JU_ZHONG, row)]
    assert not misses


def test_american_boundary_prices(desk: Desk) -> None:
    misses = []
    for right, spot, strike, days, volatility, rate, dividend, wanted, tolerance in rows_of(
        "americanoption", "testQdAmericanEngines"
    ):
        terms = (spot, strike, rate, dividend, volatility, days / DAYS_PER_YEAR)
        found: Any = desk.ask("boundary", int(right == "Option::Call"), *map(raw, terms))
        misses += wrong(found, wanted, tolerance, (right, terms))
    assert not misses


def test_american_calls_and_puts_are_each_other_mirrored(desk: Desk) -> None:
    """A call on spot at strike is a put on strike at spot, rate and yield exchanged."""
    for spot, strike, days, volatility, rate, dividend in rows_of("americanoption", "testCallPutParity"):
        lasting = (volatility, days / DAYS_PER_YEAR)
        for view in ("exact", "boundary"):
            one: Any = desk.ask(view, 1, *map(raw, (spot, strike, rate, dividend, *lasting)))
            other: Any = desk.ask(view, 0, *map(raw, (strike, spot, dividend, rate, *lasting)))
            assert one == other


def test_american_premiums_of_the_example(desk: Desk, fine: Desk) -> None:
    """
    Spot and strike 100, a year, yield 5 %, volatility 25 %: what the right to exercise early is worth, by equation A
    and by B.
    """
    for _, _, _, rate, wanted, tolerance in rows_of("americanoption", "testAndersenLakeHighPrecisionExample"):
        terms = tuple(map(raw, (100, 100, rate, 0.05, 0.25, 1)))
        european: Any = desk.ask("scholes", 0, *terms)
        quick: Any = desk.ask("exact", 0, *terms)
        for a, premium in zip((1, 0), wanted.strip("{}").split(","), strict=True):
            held: Any = fine.ask("fine", a, 0, *terms)
            assert not wrong(held - european[0], premium, tolerance, (rate, premium))
            assert not wrong(quick - european[0], premium, max(tolerance, EIGHT_POINTS), (rate, premium))


def test_bachelier_rows(desk: Desk) -> None:
    for row in rows_of("bacheliercalculator", "testBachelierCalculatorBasicValues"):
        terms = (row["forward"], row["strike"], 0, 0, row["stdDev"], 1)
        found: Any = desk.ask("normal", call(row), *map(raw, terms))
        assert not wrong(found[0], row["refValue"], row["tolerance"], row)


def test_black_scholes_from_deep_out_to_deep_in_the_money(desk: Desk) -> None:
    """Prices and greeks to the digits that are printed: nine or more."""
    told = json.loads((VECTORS / "vollib" / "test_data.json").read_text())
    misses = []
    for line in told["data"]:
        row = dict(zip(told["columns"], line, strict=True))
        terms = tuple(map(raw, (row["S"], row["K"], row["R"], 0, row["v"], row["t"])))
        for right, name, letter in ((1, "bs_call", "C"), (0, "bs_put", "P")):
            value: Any = desk.ask("scholes", right, *terms)
            wanted = {"price": row[name]} | {
                greek: row[letter + short]
                for greek, short in (("delta", "D"), ("gamma", "G"), ("vega", "V"), ("theta", "T"), ("rho", "R"))
            }
            for greek, number in wanted.items():
                tolerance = 1e-9 + abs(number) * 6e-10 + 6e-7 * (abs(number) >= 100)
                misses += wrong(value[PLACES[greek]], number, tolerance, (row["S"], row["K"], name, greek))
    assert not misses
