"""The protocol alone: it goes on, it never forks, and each of its rules is needed for that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from genesis import crypto
from genesis.chain import VoteKind
from node.consensus.schedule import leader
from node.consensus.simplex import BARREN_MAX, Memory, Simplex
from node.consensus.words import VIEWS_A_SET, Ballot, Link, Said, taken_over
from tests.consensus.town import GENESIS, KEYS, Liar, Silent, Town, Twins, Weather, rules_of, storm

SEEDS = range(6)
LAST = 12
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


@pytest.mark.parametrize("delay_ms", [200, 300, 600])
def test_a_network_that_is_slower_than_its_time_out_certifies_all_the_same(delay_ms: int) -> None:
    """Blocks come, each after its view was given up: notarised, and never final, did the time-out not grow."""
    town = Town(3)
    town.weather = Weather(delay_ms=delay_ms, jitter_ms=delay_ms // 2)
    town.run(60_000)
    assert not town.broken
    assert town.height() > 10
    town.weather = Weather()
    height = town.height()
    town.run(town.now + 10_000)
    assert town.height() > height + 50, "and is quick again when the network is"


class Tardy:
    """Leads, and lets each block come to a quorum just when all have given its view up: notarised, and never final."""

    def __init__(self, town: Town, number: int) -> None:
        self.town, self.key, self.led = town, KEYS[number], 0
        town.at(1, self.lead)

    def receive(self, sender: int, way: str, what: Any) -> None:
        return

    def lead(self) -> None:
        town, rules = self.town, self.town.rules
        first, *others = (one.machine for one in town.members.values())
        parent = first._best_parent()
        me = crypto.address_of(self.key)
        abreast = first.view > self.led and all(one.view == first.view for one in others)
        if abreast and parent is not None and leader(rules, parent, first.view) == me:
            self.led = first.view
            link = town.block(first.view, parent, self.key, b"")
            said = Said(VoteKind.NOTARISE, link.view, link.height, link.hash)
            ballot = Ballot(said, me, crypto.sign(said.digest(rules), self.key))
            given_up = max(one._deadline_ms for one in (first, *others)) + town.weather.delay_ms // 2
            self.tell(town.now + 1, list(town.members)[:2], "propose", (link, ()))
            self.tell(given_up, town.members, "propose", (link, ()))
            self.tell(given_up, town.members, "hear", ballot)
        town.at(town.now + 1, self.lead)

    def tell(self, when: int, whom: Iterable[int], way: str, what: Any) -> None:
        for number in whom:
            self.town.at(when, partial(self.town._deliver, -1, number, way, what))


def test_a_leader_whose_blocks_come_to_nothing_loses_the_lead() -> None:
    rules = rules_of(4, lease_views=10_000)
    first = leader(rules, GENESIS, 1)
    number = next(n for n, key in enumerate(KEYS) if crypto.address_of(key) == first)
    town = Town(17, rules=rules, liars={number: Tardy})
    town.weather = Weather(delay_ms=60, jitter_ms=0)
    town.run(30_000)
    assert town.liars[number].led == BARREN_MAX + 1, "once more in vain"
    town.run(60_000)
    assert not town.broken
    assert town.height() > 50
    assert all(one.machine._timeout_ms() == rules.timeout_ms for one in town.members.values())


def test_a_leader_that_resigns_is_not_waited_for() -> None:
    town = Town(5, rules=replace(rules_of(4, lease_views=4), timeout_ms=5_000))
    town.members[1].tired = True
    town.run(10_000)
    assert not town.broken
    assert town.height() > 50
    later = town.members[0].journal.chain[10:]
    assert {link.proposer for link in later} == {crypto.address_of(KEYS[number]) for number in (0, 2, 3)}


def test_what_was_refused_for_more_than_its_result_is_taken_when_a_quorum_stands_behind_it() -> None:
    town = Town(6)
    town.members[2].picky = True
    town.run(10_000)
    assert not town.broken
    assert town.height() > 20
    assert town.members[2].machine.me is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leader_that_is_seen_to_go_costs_no_time_out_now_or_when_its_turn_comes(seed: int) -> None:
    town = Town(seed, rules=replace(rules_of(4, lease_views=4), timeout_ms=5_000))
    town.run(600 + 37 * seed)
    leading = town.members[0].machine.standing().leader
    gone = next(number for number in town.members if crypto.address_of(KEYS[number]) == leading)
    height = town.height()
    town.vanish(gone)
    town.run(town.now + 5_000)
    assert not town.broken
    assert town.height() > height + 25
    survivors = [one for one in town.members.values() if one.alive]
    assert [one.machine.standing().failed_views for one in survivors] == [0, 0, 0]
    town.appear(gone)
    height = town.height()
    town.run(town.now + 5_000)
    assert leading in {link.proposer for link in survivors[0].journal.chain[height:]}


@pytest.mark.parametrize("faulty", FAULTY)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_fork_in_any_weather_and_progress_after_it(seed: int, faulty: str) -> None:
    town = Town(seed, liars=FAULTY[faulty])
    storm(town, 25)
    height = town.height()
    town.run(town.now + 15_000)
    assert not town.broken
    assert not town.accused & {crypto.address_of(KEYS[number]) for number in town.members}
    assert town.height() > height + 20


def test_the_last_block_of_a_set_is_certified_in_any_weather_and_has_no_children() -> None:
    """Anchors are heights here. If its first view fails, a later one certifies it, whoever leads that."""
    later = 0
    for seed in SEEDS:
        for liars in FAULTY.values():
            town = Town(seed, liars=liars, rules=replace(rules_of(4), until=LAST))
            storm(town, 25)
            town.run(town.now + 15_000)
            assert not town.broken
            for member in town.members.values():
                last, certificate = member.journal.chain[-1], member.journal.certificates[-1]
                assert last.height == LAST
                later += certificate.view > last.view
    assert later, "some seed has to need it"


def test_no_two_sets_have_a_view_in_common_though_one_was_lost_before_its_first_block() -> None:
    """Whoever voted in both would look like somebody who contradicts himself."""
    tip, rules = replace(GENESIS, view=40), rules_of(4)
    first, *later = (taken_over(tip, replace(rules, version=version)).view for version in (0, 1, 2, 5))
    assert first == 40
    assert all(one + VIEWS_A_SET <= following for one, following in pairwise((-1, *later)))
    late = replace(tip, view=7 * VIEWS_A_SET + 3, validators=1)
    assert taken_over(late, replace(rules, version=2)).view > late.view, "the chain went back on settlement"


def test_a_view_that_was_voted_final_and_passes_its_time_wakes_nobody_again_and_again() -> None:
    """It cannot be given up, so after its deadline there is nothing to do but to remind."""
    rules, me = rules_of(4), crypto.address_of(KEYS[0])
    link = Link(1, 1, crypto.sha256(b"block"), GENESIS.hash, me, 1)
    said = tuple(Said(kind, 1, 1, link.hash) for kind in (VoteKind.NOTARISE, VoteKind.FINALISE))
    machine = Simplex(rules, me, GENESIS, Memory(said, (link,)), 0)
    machine.start(0)
    late_ms = 10 * rules.timeout_ms
    machine.tick(late_ms)
    assert machine.wake_ms() > late_ms


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
