"""
Before a node begins: whether the others are so far ahead that a snapshot is better than running all their blocks. Of a
node that runs `leap` asks the same.

Peers are asked what they have while this node comes back to where it was, so a node that is level loses no time. What
they claim decides whom to ask, never what to believe.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import trio

from execution.executor import Executor
from genesis.errors import Invalid, Unavailable
from genesis.membership import ValidatorSet
from genesis.spec import ChainSpec
from node.engine import EngineThread
from node.life import Place, progress
from node.log import logger
from node.membership import Membership
from node.recovery import Recovered, recover
from node.store import Store
from node.sync import wire
from node.sync.download import Download
from node.sync_meter import SyncMeter
from p2p.network import Network, Peer
from settlement.adapter import SettlementAdapter

OFFER_TIMEOUT_S = 2.0
OFFERS_WAIT_S = 3.0
LOOK_S = 0.02

log = logger("sync")


class Joining:
    """peers: validators' addresses → names in the network. offers: what they have said so far, by address."""

    def __init__(
        self, spec: ChainSpec, store: Store, network: Network, peers: Mapping[bytes, Peer], meter: SyncMeter
    ) -> None:
        self._meter = meter
        self._spec, self._store, self._network, self._peers = spec, store, network, peers
        self.offers: dict[bytes, wire.Offer] = {}

    async def ask(self, wait_s: float, stakes: Mapping[bytes, int]) -> None:
        """Gather offers until more than 2/3 of the stake, or all listed, have answered; wait_s at most."""
        with trio.move_on_after(wait_s):
            async with trio.open_nursery() as nursery:
                for address, peer in self._peers.items():
                    nursery.start_soon(self._ask, address, peer)
                while not self._enough(stakes):
                    await trio.sleep(LOOK_S)
                nursery.cancel_scope.cancel()
        self._meter.target = self._head(stakes)

    def _head(self, stakes: Mapping[bytes, int]) -> int:
        """A height that validators with more than a third of the stake claim, one honest one among them; else 0."""
        stake = 0
        for address, offer in sorted(self.offers.items(), key=lambda item: -item[1].head):
            stake += stakes.get(address, 0)
            if 3 * stake > sum(stakes.values()):
                return offer.head
        return 0

    def _enough(self, stakes: Mapping[bytes, int]) -> bool:
        answered = sum(stakes.get(address, 0) for address in self.offers)
        return len(self.offers) == len(self._peers) or 3 * answered > 2 * sum(stakes.values())

    async def _ask(self, address: bytes, peer: Peer) -> None:
        """Once it is connected, until it answers."""
        while True:
            with suppress(Invalid, Unavailable):
                if peer in self._network.peers():
                    answer = await self._network.request(peer, wire.OFFER, b"", OFFER_TIMEOUT_S)
                    self.offers[address] = wire.Offer.decode(answer)
                    return
            await trio.sleep(LOOK_S)

    def worth(self, behind_blocks: int) -> list[int]:
        """
        Heights of snapshots worth taking, the newest first: so far ahead, or any where whoever has answered has pruned
        the next block.
        """
        next_height = (self._store.head() or 0) + 1
        offers = self.offers.values()
        pruned = all(offer.first > next_height for offer in offers)
        lowest = next_height if pruned else next_height - 1 + behind_blocks
        return sorted({height for offer in offers for height in offer.heights if height >= lowest}, reverse=True)

    async def take_snapshot(self, sets: Sequence[ValidatorSet], behind_blocks: int) -> bool:
        """
        Of those worth it, take the newest whose code enough validators vouch for, or the next; whether one was taken.
        Whoever fails is not asked for another, and who is asked first is drawn: nobody can place himself before others.
        """
        return await self._first(sets, behind_blocks, Download.run)

    async def is_proven(self, sets: Sequence[ValidatorSet], behind_blocks: int) -> bool:
        """Whether one of those could be taken, its height being certified."""
        return await self._first(sets, behind_blocks, Download.prove)

    async def _first(
        self, sets: Sequence[ValidatorSet], behind_blocks: int, work: Callable[[Download], Awaitable[None]]
    ) -> bool:
        """Whether it works out with one, the newest if possible."""
        code = self._vouched(sets[-1].stakes)
        if code is None:
            log.info("validators do not agree on the programs' code now; blocks are run instead")
            return False
        failed: set[Peer] = set()
        for height in self.worth(behind_blocks):
            offering = [self._peers[who] for who, offer in self.offers.items() if height in offer.heights]
            sources = [peer for peer in offering if peer not in failed]
            download = Download(
                self._spec, self._store, self._network, sets, height, code, random.sample(sources, len(sources)),
                self._meter,
            )  # fmt: skip
            try:
                await work(download)
                return True
            except Unavailable as error:
                log.warning("no snapshot of this height", height=height, reason=str(error))
                failed |= download.left_out
        return False

    def _vouched(self, stakes: Mapping[bytes, int]) -> bytes | None:
        """The code that validators with more than a third of the stake name, one honest one among them."""
        votes: Counter[bytes] = Counter()
        for address, offer in self.offers.items():
            if offer.fingerprint:
                votes[offer.fingerprint] += stakes.get(address, 0)
        code, stake = max(votes.items(), key=lambda item: (item[1], item[0]), default=(b"", 0))
        return code if 3 * stake > sum(stakes.values()) else None


async def come_level(
    spec: ChainSpec,
    store: Store,
    engine: EngineThread,
    executor: Executor,
    genesis_root: bytes,
    place: Place | None,
    adapter: SettlementAdapter,
    behind_blocks: int,
    waits: bool,
    meter: SyncMeter,
    begins: Callable[[], object],
) -> Recovered:
    """
    Back to where the stored chain ends, or to a snapshot of the others where that is far ahead.

    A node that has blocks waits for nobody: what peers have said by the time it is back decides. One that has none, or
    has begun again for a snapshot (`waits`), waits for them, OFFERS_WAIT_S at most. begins: called before one is taken.

    Raises:
        Corrupt.
    """
    if place is None:
        return await engine.run(recover, spec, store, executor, genesis_root, progress)
    joining = Joining(spec, store, place.network, place.peers, meter)
    membership = Membership.stored(spec, adapter, store, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(joining.ask, OFFERS_WAIT_S, membership.sets[-1].stakes)
        recovered = await engine.run(recover, spec, store, executor, genesis_root, progress)
        if store.head() is not None and not waits:
            nursery.cancel_scope.cancel()
    if not joining.worth(behind_blocks):
        return recovered
    with suppress(Unavailable):
        head = await adapter.head(spec.confirmation_blocks)
        await membership.learn(head.settlement_height)
    meter.begun = "snapshot"
    begins()
    if await joining.take_snapshot(membership.sets, behind_blocks):
        recovered = await engine.run(recover, spec, store, executor, genesis_root, progress)
    return recovered
