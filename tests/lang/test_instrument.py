"""Instrumented arithmetic: checked words, Python's order of evaluation, the lines of the source."""

from __future__ import annotations

import sys
import traceback
from fractions import Fraction
from math import floor
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import Decimal, Rejected
from execution.lang.instrument import Bundle, install
from execution.lang.kinds import INT_MAX, INT_MIN

SOURCE = '''
"""Functions of every operator."""

from execution.lang import Decimal, List, Optional, Program, Record, Struct
from limits import CAP, clamp

RATE: Decimal = 3
TENTH = Decimal("0.1")


class Terms(Struct):
    """A docstring first."""

    rate: Decimal
    count: int


def add(a: int, b: int) -> int:
    return a + b


def subtract(a: int, b: int) -> int:
    return a - b


def multiply(a: int, b: int) -> int:
    a *= b
    return a


def divide(a: int, b: int) -> Decimal:
    return a / b


def floor_divide(a: int, b: int) -> int:
    return a // b


def modulo(a: int, b: int) -> int:
    return a % b


def negate(a: int) -> int:
    return -a


def absolute(a: int) -> int:
    return abs(a)


def scaled(a: Decimal, b: Optional[Decimal]) -> tuple[Decimal, int]:
    local: Decimal = 1
    rest = b
    if rest is not None:
        local = rest
    return min(a, 2) / 3 * local, 2


def whole(a: int) -> Decimal:
    return a


def muldiv(a: int, b: int, c: int) -> int:
    return a * b // c


def product(
    a: int,
    b: int,
) -> int:
    return (
        a
        + a * b
    )


def capped(a: int) -> int:
    return clamp(a + CAP)
'''
LIMITS = """
CAP: int = 10


def clamp(a: int) -> int:
    return min(a, CAP)
"""

WORDS = st.one_of(st.integers(INT_MIN, INT_MAX), st.integers(-9, 9), st.sampled_from([INT_MIN, INT_MAX, -1, 0]))
FEW = settings(max_examples=200, derandomize=True, deadline=None)
PROGRAM: ModuleType = Bundle({"program": SOURCE, "limits": LIMITS}).load("program")


def outcome(name: str, *arguments: object) -> object:
    try:
        return getattr(PROGRAM, name)(*arguments)
    except Rejected as refusal:
        return refusal.reason.text


def word(value: int) -> object:
    return value if INT_MIN <= value <= INT_MAX else "overflow"


@FEW
@given(WORDS, WORDS)
def test_int_arithmetic_is_checked_to_64_bits(a: int, b: int) -> None:
    assert outcome("add", a, b) == word(a + b)
    assert outcome("subtract", a, b) == word(a - b)
    assert outcome("multiply", a, b) == word(a * b)
    assert outcome("negate", a) == word(-a)
    assert outcome("absolute", a) == word(abs(a))
    zero = "division by zero"
    assert outcome("floor_divide", a, b) == (word(floor(Fraction(a, b))) if b else zero)
    assert outcome("modulo", a, b) == (a % b if b else zero)
    assert outcome("divide", a, b) == (Decimal.from_raw(round(Fraction(a * 10**18, b))) if b else zero)


def test_an_intermediate_overflow_is_not_forgiven() -> None:
    assert outcome("muldiv", INT_MAX, 2, 4) == "overflow"


def test_ints_become_decimals_where_one_is_declared() -> None:
    assert Decimal(3) == PROGRAM.RATE and type(PROGRAM.RATE) is Decimal
    first, second = PROGRAM.scaled(9, None)
    assert (repr(first), type(second)) == ('Decimal("0.666666666666666667")', int)
    assert repr(PROGRAM.scaled(1, 6)[0]) == 'Decimal("1.999999999999999998")'
    assert type(PROGRAM.whole(4)) is Decimal
    assert type(PROGRAM.Terms(3, count=1).replace(rate=4).rate) is Decimal


def test_modules_of_a_bundle_see_each_other_and_nothing_else() -> None:
    assert PROGRAM.capped(3) == 10
    with pytest.raises(ImportError, match="not part of the bundle"):
        Bundle({"bad": "from os import path"}).load("bad")
    with pytest.raises(ImportError, match="full name"):
        Bundle({"bad": "import limits", "limits": LIMITS}).load("bad")


def test_tracebacks_show_the_line_as_written() -> None:
    with pytest.raises(Rejected) as caught:
        PROGRAM.product(INT_MAX, 2)
    frame = next(frame for frame in traceback.extract_tb(caught.tb) if "bundle program" in frame.filename)
    assert frame.line == "+ a * b"


def test_augmented_assignment_evaluates_its_target_once() -> None:
    source = """
calls: list[int] = []


def index() -> int:
    calls.append(1)
    return 0


def bump(values: list[int]) -> int:
    values[index()] += 2
    return values[0]
"""
    module = Bundle({"program": source}).load("program")
    assert module.bump([5]) == 7
    assert module.calls == [1]
    with pytest.raises(Rejected, match="overflow"):
        module.bump([INT_MAX])


def test_install_instruments_what_is_imported_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenor_sample_programs").mkdir()
    (tmp_path / "tenor_sample_programs" / "__init__.py").write_text("")
    (tmp_path / "tenor_sample_programs" / "one.py").write_text("def twice(a: int) -> int:\n    return a + a\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    install("tenor_sample_programs")
    from tenor_sample_programs.one import twice  # type: ignore[import-not-found]

    with pytest.raises(Rejected, match="overflow"):
        twice(INT_MAX)


def test_install_refuses_what_was_imported_before() -> None:
    import execution.programs.orders  # noqa: F401

    if vars(sys.modules["execution.programs.orders"]).get("__tenor_instrumented__"):
        pytest.skip("the plug-in was faster")
    with pytest.raises(RuntimeError, match="call install first"):
        install("execution.programs")
