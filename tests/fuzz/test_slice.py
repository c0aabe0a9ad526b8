"""A slice of the fuzzer with fixed seeds: CPython, interpreter and WASM agree on random programs."""

from __future__ import annotations

import pytest

from node.fuzz.calls import made
from node.fuzz.coverage import Coverage
from node.fuzz.legs import Legs

CASES = 10


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_three_agree(seed: int) -> None:
    """Result, reason, events, failed hooks, state; gas, bytes and roots between interpreter and WASM."""
    coverage = Coverage()
    legs = Legs(coverage)
    alive = sum(legs.run(made(f"slice {seed}:{number}")) for number in range(CASES))
    coverage.gather()
    assert alive > CASES
    assert len(coverage.hits) > 60
