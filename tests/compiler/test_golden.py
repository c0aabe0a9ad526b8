"""What is refused and what is lowered: an empty difference to the committed files."""

from __future__ import annotations

import pytest

from execution.compiler.ir_check import check
from execution.compiler.ir_text import parse
from tests.compiler.golden import FOLDER, REFUSALS, REFUSALS_OF_TYPES, ir_text, refusal, refusals, refusals_of_types
from tests.compiler.refused import BODIES, FILES
from tests.compiler.samples import SAMPLES


@pytest.mark.parametrize("name", (*BODIES, *FILES))
def test_every_refusal_says_what_where_and_what_instead(name: str) -> None:
    lines = refusal(name).split("\n")
    assert lines[0].startswith("market.py:")
    assert lines[-1].startswith("  instead: ")


def test_refusals_are_those_of_the_golden_file() -> None:
    assert refusals() == REFUSALS.read_text()
    assert refusals_of_types() == REFUSALS_OF_TYPES.read_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_ir_is_that_of_the_golden_file(name: str) -> None:
    text = ir_text(name)
    check(parse(text))
    assert text == (FOLDER / f"{name}.ir").read_text()
