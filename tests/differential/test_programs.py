"""
Every standard program: 20,000 generated calls have the same result, failure, events and state as source under
CPython, as IR in the interpreter and as WASM; gas and every byte of state too between the latter two.
"""

from __future__ import annotations

import pytest

from tests.differential.session import Session
from tests.differential.storm import ALL

CALLS = 5_000  # a run
SEEDS = 4  # runs of each program: 20,000 calls
STORMS = 2
RUNS = [
    (program, seed) for program in sorted(ALL, reverse=True) for seed in range(STORMS if program == "storm" else SEEDS)
]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "seed"), RUNS)
def test_three_engines_agree(program: str, seed: int) -> None:
    """ "storm" is all programs at once, and two more that fail on request."""
    session = Session(program, seed, CALLS)
    session.run()
    print(session.where(), dict(sorted(session.reasons.items())))
    assert session.calls >= CALLS
    assert session.reasons[""] >= CALLS // 4, "most of what a generator tries must be worth trying"
