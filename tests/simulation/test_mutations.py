"""Each rule of protocol and service is needed: without it some seed of the simulation finds what must not be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.simulation.scenario import draw, with_changes
from node.simulation.world import play
from tests.simulation.mutants import MUTANTS, Mutant

SEEDS_MAX = 40


def found_out(mutant: Mutant, seed: int) -> bool:
    scenario = draw(seed)
    if mutant.among is not None:
        scenario = replace(scenario, liars=dict.fromkeys(scenario.liars, mutant.among))
    if mutant.changes:
        scenario = with_changes(scenario)
    return bool(play(scenario, make=mutant.make).findings)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_service_without_one_of_its_rules_is_found_out(name: str) -> None:
    mutant = MUTANTS[name]
    assert any(found_out(mutant, seed) for seed in range(mutant.since, mutant.since + SEEDS_MAX))
