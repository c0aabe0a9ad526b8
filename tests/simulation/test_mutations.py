"""Each rule of protocol and service is needed: without it some seed of the simulation finds what must not be."""

from __future__ import annotations

import pytest

from node.simulation.world import simulate
from tests.simulation.mutants import MUTANTS, SOUGHT_FROM

SEEDS_MAX = 40


@pytest.mark.parametrize("name", MUTANTS)
def test_a_service_without_one_of_its_rules_is_found_out(name: str) -> None:
    begin = SOUGHT_FROM.get(name, 0)
    assert any(simulate(seed, make=MUTANTS[name]).findings for seed in range(begin, begin + SEEDS_MAX))
