"""The protocol alone: it goes on, it never forks, and each of its rules is needed for that."""

from __future__ import annotations

import pytest

from genesis.crypto import address_of
from tests.consensus.town import KEYS, Liar, Silent, Town, Twins, Weather, storm

SEEDS = range(6)
FAULTY = {"none": {}, "silent": {3: Silent}, "liar": {3: Liar}, "twins": {3: Twins}}


def test_a_healthy_network_certifies_a_block_a_block_time() -> None:
    town = Town(1)
    town.run(10_000)
    assert not town.broken
    assert town.height() >= 60


def test_one_validator_is_a_quorum_of_one() -> None:
    town = Town(1, count=1)
    town.run(5_000)
    assert not town.broken
    assert town.height() >= 40


def test_a_dead_leader_costs_one_timeout() -> None:
    town = Town(2)
    town.run(600)
    height = town.height()
    town.crash(0)
    town.run(town.now + 400 + 400)
    assert town.height() > height
    town.run(town.now + 10_000)
    assert not town.broken
    assert town.height() > height + 50


@pytest.mark.parametrize("faulty", FAULTY)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_fork_in_any_weather_and_progress_after_it(seed: int, faulty: str) -> None:
    town = Town(seed, liars=FAULTY[faulty])
    storm(town, 25)
    height = town.height()
    town.run(town.now + 15_000)
    assert not town.broken
    assert not town.accused & {address_of(KEYS[number]) for number in town.members}
    assert town.height() > height + 20


def test_all_crash_at_once_and_the_chain_goes_on() -> None:
    town = Town(5)
    for _ in range(10):
        town.run(town.now + town.dice.randint(100, 900))
        for number in town.members:
            town.crash(number)
        for number in town.members:
            town.restart(number)
    height = town.height()
    town.weather = Weather()
    town.run(town.now + 10_000)
    assert not town.broken
    assert town.height() > height + 30
