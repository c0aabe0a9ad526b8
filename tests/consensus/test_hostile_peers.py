"""
What a validator without honour may send: the others go on certifying, and who says what nobody says is shut out.

Three honest services and one peer in a validator's place, on a virtual clock. The peer has that validator's key.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count

import pytest
import trio

from genesis import codec, crypto
from genesis.chain import Block, VoteKind, sign_block
from genesis.errors import Invalid, Unavailable
from genesis.membership import ValidatorSet
from node.consensus import wire
from node.consensus.service import Consensus
from node.consensus.words import Ballot, Quorum, Rules, Said
from node.simulation import scheduler, toy
from node.simulation.council import Council, Reader
from node.simulation.ledger import Pace, ToyLedger
from node.simulation.member import Member, Place
from node.simulation.scenario import Clock
from node.simulation.world import HEALTHY, SYNC_S, TIMEOUT_MS, TIMEOUT_MS_MAX, name
from p2p.memory import Hub, MemoryNetwork, open_memory_network
from p2p.network import Message, Peer

KEYS = [crypto.sha256(b"hostile peers %d" % number) for number in range(4)]
RULES = Rules(toy.CHAIN, {crypto.address_of(key): 1 for key in KEYS}, 0, 1_000, TIMEOUT_MS, TIMEOUT_MS_MAX)
ELSEWHERE = Rules(toy.CHAIN + 1, RULES.stakes, 0, 1_000, TIMEOUT_MS, TIMEOUT_MS_MAX)
LIAR, OUTSIDER = KEYS[3], crypto.sha256(b"nobody's key")
FLOOD_S, PAUSE_S, BLOCKS = 4.0, 0.02, 10
FORGED = bytes(31) + b"\1" + bytes(31) + b"\1\0"


@dataclass(slots=True)
class Scene:
    honest: list[Member]
    liar: MemoryNetwork

    def chain(self) -> list[Block]:
        """Certified blocks of the first honest one."""
        return [one.block for kept in ToyLedger.read(self.honest[0].disk) for one in kept.committed]

    def view(self) -> int:
        service = self.honest[0].service
        assert service is not None
        return service.machine.view


Attack = Callable[[Scene, int], Iterable[tuple[str, bytes]]]
"""What the peer sends next, the how many-th time: protocol and payload."""


def ballots(signed: Iterable[Ballot], quorums: tuple[Quorum, ...] = (), height: int = 0) -> tuple[str, bytes]:
    return wire.VOTES, wire.Votes(0, height, False, tuple(signed), quorums).encode()


def said(view: int, salt: int) -> Said:
    return Said(VoteKind.NOTARISE, view, 1, crypto.sha256(b"%d" % salt))


def ballot(key: bytes, what: Said, rules: Rules = RULES) -> Ballot:
    return Ballot(what, crypto.address_of(key), crypto.sign(what.digest(rules), key))


def garbage(_: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    yield (wire.VOTES, wire.BLOCKS)[turn % 2], crypto.sha256(b"%d" % turn) * 100


def other_shapes(_: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    yield wire.VOTES, codec.encode((0, 0, False, ((9, 1, 1, bytes(32), bytes(65)),), ()))
    yield wire.BLOCKS, codec.encode((turn, ()))


def forged_votes(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    view = scene.view()
    yield ballots(Ballot(said(view, turn + at), bytes(20), FORGED) for at in range(wire.BALLOTS_MAX))


def votes_of_an_outsider(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    yield ballots([ballot(OUTSIDER, said(scene.view(), turn))])


def votes_of_another_chain(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    yield ballots([ballot(LIAR, said(scene.view(), turn), ELSEWHERE)])


def quorums_of_one(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    what = said(scene.view() + 1, turn)
    yield ballots([], (Quorum(what, (ballot(LIAR, what).signature,) * 100),))


def certificates_without_stake(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    what = Said(VoteKind.FINALISE, scene.view() + 1, 1, crypto.sha256(b"%d" % turn))
    yield ballots([], (Quorum(what, (ballot(LIAR, what).signature,)),))


def proposals_of_an_outsider(scene: Scene, _: int) -> Iterable[tuple[str, bytes]]:
    block = scene.chain()[-1]
    header = replace(block.header, proposer=crypto.address_of(OUTSIDER))
    yield wire.BLOCKS, wire.Proposal(sign_block(header, block.body, OUTSIDER), ()).encode()


def bodies_exchanged(scene: Scene, _: int) -> Iterable[tuple[str, bytes]]:
    data = scene.chain()[-1].encode()
    yield wire.BLOCKS, codec.encode((data[:-1] + bytes([data[-1] ^ 1]), ()))


def the_same_again(scene: Scene, _: int) -> Iterable[tuple[str, bytes]]:
    what = Said(VoteKind.NULLIFY, scene.view())
    yield ballots([ballot(LIAR, what)] * wire.BALLOTS_MAX)


SHUT_OUT: tuple[Attack, ...] = (
    garbage,
    other_shapes,
    forged_votes,
    votes_of_an_outsider,
    votes_of_another_chain,
    quorums_of_one,
    certificates_without_stake,
    proposals_of_an_outsider,
    bodies_exchanged,
    the_same_again,
)


def votes_that_contradict(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    view = scene.view()
    yield ballots(ballot(LIAR, said(view + at % 4, turn + at)) for at in range(40))


def votes_of_the_future(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    yield ballots([ballot(LIAR, said(scene.view() + 1_000_000, turn))])


def proposals_replayed(scene: Scene, turn: int) -> Iterable[tuple[str, bytes]]:
    chain = scene.chain()
    yield wire.BLOCKS, wire.Proposal(chain[turn % len(chain)], ()).encode()


def heights_that_are_not(_: Scene, __: int) -> Iterable[tuple[str, bytes]]:
    yield ballots([], height=1 << 40)


BORNE: tuple[Attack, ...] = (votes_that_contradict, votes_of_the_future, proposals_replayed)
"""What an honest peer might send, or may only be punished for elsewhere: the others go on, that is all."""


@pytest.mark.parametrize("attack", SHUT_OUT, ids=lambda one: one.__name__)
def test_who_sends_what_no_validator_sends_is_shut_out(attack: Attack) -> None:
    assert under(attack) == ()


@pytest.mark.parametrize("attack", BORNE, ids=lambda one: one.__name__)
def test_a_flood_of_well_formed_words_holds_nobody_up(attack: Attack) -> None:
    assert under(attack) == tuple(map(name, range(3)))


def test_who_boasts_of_blocks_that_are_not_certified_is_shut_out() -> None:
    assert under(heights_that_are_not, forged_range) == ()


async def forged_range(scene: Scene, asked: bytes) -> bytes:
    first, _ = wire.decode_range(asked)
    block = scene.chain()[min(first, len(scene.chain())) - 1]
    return codec.encode(((block.encode(), (first, 1, block.hash(), 0, (FORGED,) * 3)),))


async def no_range(_: Scene, __: bytes) -> bytes:
    raise Invalid("No such blocks are here.", "not_found")


def under(attack: Attack, answers: Callable[[Scene, bytes], Awaitable[bytes]] = no_range) -> tuple[Peer, ...]:
    """Let the peer do its worst for FLOOD_S; the honest certify BLOCKS meanwhile. Returns whom it can still reach."""

    async def main() -> tuple[Peer, ...]:
        async with open_memory_network(1, HEALTHY) as hub, trio.open_nursery() as nursery:
            scene = Scene([member(hub, number) for number in range(3)], hub.join(name(3)))
            for protocol in (wire.VOTES, wire.BLOCKS):
                nursery.start_soon(drain, scene.liar.listen(protocol))
            scene.liar.serve(wire.RANGE, lambda _, asked: answers(scene, asked))
            for one in scene.honest:
                nursery.start_soon(one.run)
            while min(one.height for one in scene.honest) < 2:
                await trio.sleep(0.01)
            heights = [one.height for one in scene.honest]
            for number in range(3):
                nursery.start_soon(flood, scene, name(number), attack)
            await trio.sleep(FLOOD_S)
            grown = [one.height - before for one, before in zip(scene.honest, heights, strict=True)]
            assert min(grown) >= BLOCKS
            assert all(one.service is not None and one.service.diverged is None for one in scene.honest)
            reached = scene.liar.peers()
            for one in scene.honest:
                one.crash()
            nursery.cancel_scope.cancel()
        return reached

    return scheduler.run(main, 1)


async def flood(scene: Scene, peer: Peer, attack: Attack) -> None:
    streams = {protocol: await scene.liar.open(peer, protocol) for protocol in (wire.VOTES, wire.BLOCKS)}
    for turn in count():
        for protocol, payload in attack(scene, turn):
            try:
                await streams[protocol].send(payload)
            except Unavailable:
                return
        await trio.sleep(PAUSE_S)


async def drain(messages: trio.MemoryReceiveChannel[Message]) -> None:
    async for _ in messages:
        pass


def member(hub: Hub, number: int) -> Member:
    names = {crypto.address_of(key): name(other) for other, key in enumerate(KEYS)}
    place = Place(name(number), KEYS[number], Clock(), names, MemoryNetwork)
    sets = Reader(Council([ValidatorSet(0, 0, RULES.stakes)], RULES), 0.0)
    found = Member(place, sets, hub, None, random.Random(number), Consensus, Pace())
    found.disk.sync_s = SYNC_S
    return found
