"""The committed constants are what their script derives."""

from __future__ import annotations

import pytest

from tests.mathematics.derive import PATH, text


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:mpmath.*")
def test_the_tables_are_those_of_the_script() -> None:
    assert PATH.read_text(encoding="ascii") == text(), "run python -m tests.mathematics.derive"
