"""Certified blocks from several peers: in order, from whoever has them, and nothing that a quorum has not signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import pytest
import trio
from trio.testing import MockClock

from genesis.chain import VoteKind, certify, check_certificate, sign_block, sign_vote
from genesis.crypto import address_of, keccak256
from genesis.errors import Invalid
from node.consensus import wire
from node.consensus.doors import Certified
from node.consensus.ranges import (
    ANSWER_TIMEOUT_S,
    ASKED_OF_PEER_MAX,
    WINDOW_BLOCKS,
    WINDOWS_AHEAD_MAX,
    Fetched,
    Ranges,
)
from node.consensus.words import Link
from node.simulation import toy
from p2p.memory import Hub, open_memory_network
from p2p.network import Peer

KEYS = [keccak256(b"validator %d" % number) for number in range(4)]
STAKES = {address_of(key): 1 for key in KEYS}
Answer = Callable[[int, int], Awaitable[bytes]]


@lru_cache(maxsize=1)
def chain(length: int = 5 * WINDOW_BLOCKS + 10) -> list[Certified]:
    blocks: list[Certified] = []
    parent, state = toy.GENESIS, toy.GENESIS_STATE
    for view in range(1, length + 1):
        body = toy.body_of(b"%d" % view)
        draft = toy.Draft(view, address_of(KEYS[0]), view, 0, 0)
        block = sign_block(toy.header_of(draft, parent, body, state), body, KEYS[0])
        blocks.append(certified(Certified, block, KEYS[:3]))
        parent, state = Link.of(block.header), block.header.state_root
    return blocks


def certified(make: type[Certified], block: object, keys: Sequence[bytes]) -> Certified:
    header = block.header  # type: ignore[attr-defined]
    said = (VoteKind.FINALISE, toy.CHAIN, header.height, header.view, header.hash(), 0)
    return make(block, certify([sign_vote(*said, key) for key in keys]))  # type: ignore[arg-type]


class Town:
    """Peers by name, each with its way to answer; `taken` is what came out, `asked` who was asked how often."""

    def __init__(self, hub: Hub, **peers: Answer) -> None:
        self.taken: list[int] = []
        self.asked: Counter[Peer] = Counter()
        self.in_flight = self.in_flight_most = 0
        self.network = hub.join("me")
        self.ranges = Ranges(self.network, check, lambda _: None, inline)
        for name, answer in peers.items():
            hub.join(name).serve(wire.RANGE, self._handler(name, answer))
        self.peers = tuple(peers)

    def _handler(self, name: Peer, answer: Answer) -> Callable[[Peer, bytes], Awaitable[bytes]]:
        async def handle(_: Peer, payload: bytes) -> bytes:
            self.asked[name] += 1
            self.in_flight += 1
            self.in_flight_most = max(self.in_flight, self.in_flight_most)
            try:
                return await answer(*wire.decode_range(payload))
            finally:
                self.in_flight -= 1

        return handle

    async def fetch(self, last: int, enough: int = 1 << 30) -> None:
        async def take(one: Fetched) -> bool:
            self.taken.append(one.certified.block.header.height)
            await trio.sleep(0.001)
            return len(self.taken) < enough

        await self.ranges.fetch(self.peers, 1, last, take)


async def inline(work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
    return work()


def check(one: Certified) -> None:
    check_certificate(one.certificate, toy.CHAIN, STAKES)


def honest(length: int = 1 << 30, most: int = 1 << 30, after_s: float = 0.01) -> Answer:
    """Has so many blocks, gives at most so many at once, after so long."""

    async def answer(first: int, last: int) -> bytes:
        await trio.sleep(after_s)
        return wire.encode_certified(chain()[first - 1 : min(last, first + most - 1, length)])

    return answer


def lying(distort: Callable[[list[Certified]], Sequence[Certified]]) -> Answer:
    async def answer(first: int, last: int) -> bytes:
        return wire.encode_certified(distort(chain()[first - 1 : last]))

    return answer


def play(test: Callable[[Hub], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_memory_network() as hub:
            await test(hub)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_blocks_come_in_order_and_all_peers_help() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, a=honest(), b=honest(most=7), c=honest())
        await town.fetch(len(chain()))
        assert town.taken == list(range(1, len(chain()) + 1))
        assert all(town.asked.values()) and set(town.asked) == {"a", "b", "c"}
        assert town.in_flight_most <= 3 * ASKED_OF_PEER_MAX

    play(test)


def test_what_an_answer_left_is_asked_for_while_the_answer_is_checked() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, a=honest(most=4))
        firsts: list[int] = []

        async def slowly(work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
            found = work()
            firsts.append(found[0].block.header.height)
            await trio.sleep(1.0)
            return found

        town.ranges = Ranges(town.network, check, lambda _: None, slowly)
        await town.fetch(16)
        assert town.taken == list(range(1, 17))
        assert sorted(firsts) == sorted(2 * [1, 5, 9, 13]), "each is decoded and checked once"
        assert firsts.index(5) < 3, "before the first four blocks are checked the next four are there"

    play(test)


def test_fetching_runs_ahead_of_the_work_and_not_without_bound() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, a=honest())
        asked: list[int] = []

        async def endless(first: int, last: int) -> bytes:
            asked.append(first)
            return await honest()(first, last)

        hub.join("b").serve(wire.RANGE, town._handler("b", endless))
        town.peers = ("b",)
        await town.fetch(1 << 40, enough=2)
        assert town.taken == [1, 2]
        assert 1 < max(asked) <= 2 + WINDOWS_AHEAD_MAX * WINDOW_BLOCKS

    play(test)


LIES: dict[str, Callable[[list[Certified]], Sequence[Certified]]] = {
    "no quorum": lambda blocks: [certified(Certified, one.block, KEYS[:2]) for one in blocks],
    "strangers": lambda blocks: [certified(Certified, one.block, [*KEYS[:2], b"\7" * 32]) for one in blocks],
    "another certificate": lambda blocks: [replace(one, certificate=chain()[0].certificate) for one in blocks[1:]],
    "shifted": lambda blocks: blocks[1:],
    "reversed": lambda blocks: blocks[::-1],
    "more than asked": lambda blocks: [*blocks, *blocks],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_is_banned_and_the_range_comes_from_others(lie: str) -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, liar=lying(LIES[lie]), other=honest())
        await town.fetch(len(chain()))
        assert town.taken == list(range(1, len(chain()) + 1))
        assert town.ranges.lies > 0
        assert town.network.statistics().bans == 1

    play(test)


def test_a_slow_peer_is_passed_over_and_comes_last_from_then_on() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, slow=honest(after_s=10 * ANSWER_TIMEOUT_S), quick=honest())
        began_s = trio.current_time()
        await town.fetch(len(chain()))
        assert town.taken == list(range(1, len(chain()) + 1))
        assert trio.current_time() - began_s < 2 * ANSWER_TIMEOUT_S
        assert town.network.statistics().offences == 0, "slowness is no offence"
        assert sorted(town.peers, key=lambda peer: town.ranges._slow[peer])[0] == "quick"

    play(test)


def test_a_peer_that_ends_early_holds_nobody_up() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, short=honest(length=5), long=honest())
        await town.fetch(len(chain()))
        assert town.taken == list(range(1, len(chain()) + 1))

    play(test)


async def refuses(_: int, __: int) -> bytes:
    raise Invalid("Blocks up to 200 are pruned here.", "pruned")


def test_a_height_nobody_has_ends_the_fetch() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, a=honest(), pruned=refuses)
        await town.fetch(1 << 50)
        assert town.taken == list(range(1, len(chain()) + 1))
        assert not town.ranges.pruned, "what one has pruned the other had"
        assert town.network.statistics().offences == 0

    play(test)


def test_blocks_that_are_pruned_wherever_it_asks_are_told_from_such_as_nobody_has() -> None:
    async def test(hub: Hub) -> None:
        town = Town(hub, a=refuses, b=refuses)
        await town.fetch(1 << 50)
        assert town.taken == [] and town.ranges.pruned

    play(test)
