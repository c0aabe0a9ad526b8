"""A validator whose folder is an older copy asks the others what it has signed, and contradicts none of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
import trio

from genesis import crypto
from genesis.chain import Block, Header, VoteKind
from genesis.errors import Invalid
from genesis.membership import ValidatorSet
from node.consensus.actions import Cast, Commit
from node.consensus.doors import Kept
from node.consensus.recall import WAIT_LONG_S, WAIT_S, Recall, decode_known, encode_known
from node.consensus.service import Consensus
from node.consensus.simplex import Memory, Simplex
from node.consensus.wire import KNOWN, Votes
from node.consensus.words import NO_BLOCK, Ballot, Link, Quorum, Rules, Said, ballot_of, check_quorum
from node.simulation import scheduler, toy
from node.simulation.council import Council, Reader
from node.simulation.ear import Ear
from node.simulation.ledger import Pace
from node.simulation.member import Member, Place
from node.simulation.scenario import Clock
from node.simulation.watch import DOUBLE_SIGNATURE, Watch
from p2p.memory import Hub, Weather, open_memory_network

KEYS = [crypto.sha256(b"recalled validator %d" % number) for number in range(4)]
STAKES = {crypto.address_of(key): 1 for key in KEYS}
RULES = Rules(toy.CHAIN, STAKES, 0, 1_000, 500, 4_000)
COUNCIL = Council([ValidatorSet(0, 0, STAKES)], RULES)
NAMES = {crypto.address_of(key): f"v{number}" for number, key in enumerate(KEYS)}
GLANCE_S = 0.05
RESTARTS = 8
ASKING_S_MAX = 0.1
"""In the middle of many restarts: one round of questions, and a glance."""
LED_AGAIN_S = 3.0
"""It starts, and could lead the view again, in which no quorum has said anything."""


class Village:
    """Four validators; one leads all the time, for its lease is long."""

    def __init__(self, hub: Hub, nursery: trio.Nursery, make: Callable[..., Consensus]) -> None:
        self.hub, self.nursery, self.watch = hub, nursery, Watch(COUNCIL, frozenset(STAKES))
        join = partial(Ear, watch=self.watch)
        self.members = []
        for number, key in enumerate(KEYS):
            place = Place(f"v{number}", key, Clock(), NAMES, join)
            dice = random.Random(number)
            self.members.append(Member(place, Reader(COUNCIL, 0.0), hub, self.watch, dice, make, Pace()))

    def start(self) -> None:
        for member in self.members:
            self.nursery.start_soon(member.run)

    @property
    def leader(self) -> Member:
        return next(one for one in self.members if one.place.key == self._key(self.watch.chain[-1].proposer))

    def _key(self, address: bytes) -> bytes:
        return next(key for key in KEYS if crypto.address_of(key) == address)

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await trio.sleep(GLANCE_S)

    async def grown(self, blocks: int) -> None:
        height = len(self.watch.chain) + blocks
        await self.until(lambda: len(self.watch.chain) >= height)


def story(make: Callable[..., Consensus]) -> Village:
    """
    A leader's disk is copied; cut off from all but one, it proposes and votes; then its disk is the copy again, and it
    starts among those that have not heard of this.
    """

    async def live() -> Village:
        async with open_memory_network(1, Weather(0.005, 0.005)) as hub, trio.open_nursery() as nursery:
            village = Village(hub, nursery, make)
            with village.watch.stop:
                village.start()
                await village.grown(5)
                leader = village.leader
                one, other, third = (member.place.name for member in village.members if member is not leader)
                copy = bytes(leader.disk._synced)
                hub.partition([[leader.place.name, one], [other, third]])
                assert leader.service is not None
                voted = leader.service.counters.voted
                await village.until(lambda: leader.service.counters.voted > voted)
                await trio.sleep(GLANCE_S)  # it reaches the one
                leader.down_s = 0.01
                leader.crash()
                leader.disk._synced[:] = copy
                village.watch.heights.pop(leader.place.name)  # what the copy lacks was not lost by it
                hub.partition([[leader.place.name, other], [one, third]])
                await trio.sleep(LED_AGAIN_S)
                hub.heal()
                await village.grown(5)
                await village.until(lambda: leader.service.machine.me is not None)
                voted = leader.service.counters.voted
                await village.until(lambda: leader.service.counters.voted > voted + 2)
            nursery.cancel_scope.cancel()
        return village

    return scheduler.run(live, 1)


def test_a_restored_copy_signs_nothing_twice_and_votes_again() -> None:
    village = story(Consensus)
    assert village.watch.findings == []
    for member in village.members:
        assert member.service is not None
        assert member.service.evidence == [] and member.service.exposed == []


def test_without_asking_it_would_contradict_itself() -> None:
    """The story is one that matters."""
    village = story(partial(Consensus, recalls=False))
    assert {one.kind for one in village.watch.findings} == {DOUBLE_SIGNATURE}


def restarts(make: Callable[..., Consensus]) -> list[float]:
    """All are crashed at once, again and again: the seconds until there is a block that was not there."""

    async def live() -> list[float]:
        took: list[float] = []
        async with open_memory_network(1, Weather(0.005, 0.005)) as hub, trio.open_nursery() as nursery:
            village = Village(hub, nursery, make)
            with village.watch.stop:
                village.start()
                for number in range(RESTARTS):
                    await village.grown(2)
                    await trio.sleep(number * 0.04)  # somewhere in a view
                    crashed_s = trio.current_time()
                    for member in village.members:
                        member.down_s = 0.1
                        member.crash()
                    await village.grown(1)
                    took.append(trio.current_time() - crashed_s)
            assert village.watch.findings == []
            nursery.cancel_scope.cancel()
        return took

    return scheduler.run(live, 1)


def test_all_that_start_together_lose_next_to_nothing_by_asking() -> None:
    asking, not_asking = restarts(Consensus), restarts(partial(Consensus, recalls=False))
    assert sum(asking) < sum(not_asking) + RESTARTS * ASKING_S_MAX


# What is asked and answered


def ballot(number: int, view: int, kind: VoteKind = VoteKind.NULLIFY, block: bytes = NO_BLOCK) -> Ballot:
    said = Said(kind, view, 0 if block == NO_BLOCK else view, block)
    return ballot_of(said, crypto.sign(said.digest(RULES), KEYS[number]), RULES)


def certificate(view: int) -> Quorum:
    said = Said(VoteKind.FINALISE, view, view, b"\7" * 32)
    signed = {crypto.address_of(key): crypto.sign(said.digest(RULES), key) for key in KEYS[:3]}
    return Quorum(said, tuple(signed[who] for who in sorted(signed)))


def header(number: int, view: int) -> tuple[Header, bytes]:
    draft = toy.Draft(view, crypto.address_of(KEYS[number]), 1, 0, 0)
    made = toy.header_of(draft, toy.GENESIS, toy.body_of(), toy.GENESIS_STATE)
    return made, crypto.sign(made.proposal_digest(), KEYS[number])


FORGOT = Kept()
Answers = dict[int, tuple[float, Votes, tuple[tuple[Header, bytes], ...]]]
"""By validator: after how many seconds, and what."""


def asked(answers: Answers, kept: Kept = FORGOT) -> tuple[Recall, float]:
    """What validator 0 knows after it asked these, and how long that took."""

    async def live() -> tuple[Recall, float]:
        async with open_memory_network(1) as hub:
            for number, (delay_s, votes, proposals) in answers.items():
                answer = encode_known(votes, proposals)

                async def told(_: str, who: bytes, delay_s: float = delay_s, answer: bytes = answer) -> bytes:
                    assert who == crypto.address_of(KEYS[0])
                    await trio.sleep(delay_s)
                    return answer

                hub.join(f"v{number}").serve(KNOWN, told)
            peers = {who: name for who, name in NAMES.items() if name != "v0"}
            recall = Recall(RULES, crypto.address_of(KEYS[0]), hub.join("v0"), peers, 10, kept)
            await recall.ask(lambda peer, votes: [check_quorum(one, RULES) for one in votes.quorums])
            return recall, trio.current_time()

    return scheduler.run(live, 1)


NOTHING: tuple[float, Votes, tuple[tuple[Header, bytes], ...]] = (0.01, Votes(0, 0, False, ()), ())


def test_it_waits_for_all_then_for_a_quorum_then_for_anybody() -> None:
    recall, took_s = asked({1: NOTHING, 2: NOTHING, 3: NOTHING})
    assert took_s < 0.2 and recall.may_vote(1, 0)
    assert WAIT_S <= asked({1: NOTHING, 2: NOTHING})[1] < WAIT_S + 0.2
    assert WAIT_LONG_S <= asked({2: NOTHING})[1] < WAIT_LONG_S + 0.2


def test_it_votes_above_the_newest_certificate_and_what_it_forgot() -> None:
    recall, _ = asked({1: NOTHING, 2: (0, Votes(0, 20, False, (), (certificate(20),)), ()), 3: NOTHING})
    assert [recall.may_vote(view, 0) for view in (20, 21)] == [False, True] and "view 20" in recall.why()
    recall, _ = asked({1: (0, Votes(0, 20, False, (ballot(0, 21),), (certificate(20),)), ()), 2: NOTHING, 3: NOTHING})
    assert [recall.may_vote(30, view) for view in (20, 21, 22)] == [False, False, True] and "view 21" in recall.why()
    recall, _ = asked({1: NOTHING, 2: (0, Votes(0, 9, False, ()), (header(0, 30),)), 3: NOTHING})
    assert [recall.may_vote(40, view) for view in (30, 31)] == [False, True]


def test_what_it_remembers_what_is_decided_and_what_others_said_hold_nothing_up() -> None:
    votes = Votes(0, 9, False, (ballot(0, 12), ballot(0, 10), ballot(1, 15)))
    remembered, signature = header(0, 12)
    proposals = ((remembered, signature), header(1, 17), (header(0, 18)[0], header(1, 18)[1]))
    kept = Kept((Said(VoteKind.NULLIFY, 12),), (Block(remembered, toy.body_of(), signature),))
    recall, _ = asked({1: (0, votes, proposals), 2: NOTHING, 3: NOTHING}, kept)
    assert recall.may_vote(11, 10)


@pytest.mark.parametrize("floor", [0, 2])
def test_below_the_newest_certificate_it_finalises_nothing_but_what_leads_there(floor: int) -> None:
    """It may have nullified view 1, and forgotten that; a validator that remembers everything finalises its block."""
    machine = Simplex(RULES, None, toy.GENESIS, Memory(), 0)
    skipped, final = (Link(view, 1, bytes([view]) * 32, toy.GENESIS.hash, bytes(20), 1) for view in (1, 2))
    quorums = (
        Quorum(Said(VoteKind.NOTARISE, 1, 1, skipped.hash), ()),
        Quorum(Said(VoteKind.NULLIFY, 1), ()),
        Quorum(Said(VoteKind.FINALISE, 2, 1, final.hash), (bytes(65),)),
    )
    machine.learn(quorums, 0)
    for link in (skipped, final):
        machine.propose(link, (), 0)
    machine.executed(skipped, True, 0)
    actions = machine.speak(next(iter(STAKES)), floor, 0)
    assert [one.said.hash for one in actions if isinstance(one, Cast)] == ([] if floor else [skipped.hash])
    actions = machine.executed(final, True, 0)
    assert [one.link for one in actions if isinstance(one, Commit)] == [final]


def test_a_liar_is_not_believed_and_not_counted() -> None:
    forged = Quorum(certificate(900).said, certificate(901).signatures)
    recall, took_s = asked({1: (0, Votes(0, 900, False, (), (forged,)), ()), 2: NOTHING, 3: NOTHING})
    assert took_s >= WAIT_S and recall.may_vote(1, 0)
    with pytest.raises(Invalid):
        decode_known(b"\x92\xc4\x00\x90", RULES)
