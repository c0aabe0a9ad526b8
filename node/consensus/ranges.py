"""
Certified blocks from several peers at once: fetched ahead, checked by certificate, handed on in the chain's order.

Whoever asks gives a first height; heights are cut into windows, a few of which are on their way while earlier blocks
are worked on. A window that a peer does not bring goes to another. A peer whose answer its certificates disprove is
reported and asked no more; a slow one is passed over and comes last from then on. Nothing reaches `take` that a quorum
has not signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from genesis.chain import Block
from genesis.errors import Invalid, Unavailable
from node.consensus import wire
from node.consensus.doors import Certified
from node.log import logger
from node.sync_meter import SyncMeter
from p2p.network import Network, Offence, Peer

PEERS_MAX = 4
"""Peers asked at a time."""
ASKED_OF_PEER_MAX = 2
"""Windows on their way from one peer: while one is checked the next one travels."""
WINDOW_BLOCKS = 64
WINDOWS_AHEAD_MAX = 8
"""Windows fetched or asked for beyond the block at hand; with the bytes of an answer this bounds memory."""
ANSWER_TIMEOUT_S = 5.0

log = logger("ranges")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A certified block and who brought it."""

    certified: Certified
    peer: Peer


Take = Callable[[Fetched], Awaitable[bool]]
"""Works on one block, the next in order; whether to go on."""


class Ranges:
    """
    check: raises Invalid for a certificate that is none, Unavailable where that cannot be told here. prepare: does
    ahead what can be done of executing a block. Both are called by what `beside` is given to run, on a thread.
    """

    def __init__(
        self,
        network: Network,
        check: Callable[[Certified], None],
        prepare: Callable[[Block], None],
        beside: Callable[[Callable[[], Sequence[Certified]]], Awaitable[Sequence[Certified]]],
        meter: SyncMeter | None = None,
    ) -> None:
        self._network, self._check, self._prepare, self._beside = network, check, prepare, beside
        self._meter = meter or SyncMeter()
        self._slow: Counter[Peer] = Counter()
        self._told: dict[Peer, str] = {}
        self.lies = 0
        self.pruned = False
        """Whether the last fetch came to an end at blocks that are pruned where it asked."""

    async def fetch(self, peers: Sequence[Peer], first: int, last: int, take: Take) -> None:
        """
        Hand blocks on from `first` until `take` has enough, `last` is reached, or no peer brings the next.

        Args:
            peers: in order of preference. last: how far they claim to be; a lie costs a few empty answers.
        """
        self.pruned = False
        asked = sorted(peers, key=lambda peer: self._slow[peer])[:PEERS_MAX]
        self._meter.peers = len(asked)
        windows = _Windows(first, last, len(asked) * ASKED_OF_PEER_MAX)
        async with trio.open_nursery() as nursery:
            for peer in asked:
                for _ in range(ASKED_OF_PEER_MAX):
                    nursery.start_soon(self._bring, windows, peer)
            while (found := await windows.next()) is not None:
                if not await take(found):
                    break
            self.pruned = found is None and windows.next_height <= windows.pruned
            nursery.cancel_scope.cancel()

    async def _bring(self, windows: _Windows, peer: Peer) -> None:
        """Bring windows from one peer until it fails or has no more."""
        try:
            while (window := await windows.claim()) is not None:
                found = [] if peer in windows.gone else await self._window(windows, peer, *window)
                window = windows.shorten(window, len(found))
                blocks = await self._checked(windows, peer, found)
                windows.put(window, blocks)
                if not blocks:
                    windows.gone.add(peer)
                    return
        finally:
            windows.leave()

    async def _window(self, windows: _Windows, peer: Peer, first: int, last: int) -> Sequence[Certified]:
        """As many blocks of the window as the peer brings, in order; none when it fails."""
        try:
            data = await self._network.request(peer, wire.RANGE, wire.encode_range(first, last), ANSWER_TIMEOUT_S)
        except (Invalid, Unavailable) as error:
            self._slow[peer] += 1
            if isinstance(error, Invalid) and error.code == "pruned":
                windows.pruned = max(windows.pruned, first)
            self._tell("peer does not answer for blocks", peer, error)
            return []
        self._meter.came(len(data))
        return await self._found(windows, peer, partial(_decoded, data, first, last))

    async def _checked(self, windows: _Windows, peer: Peer, found: Sequence[Certified]) -> list[Fetched]:
        """All of them, or none."""

        def check() -> Sequence[Certified]:
            for one in found:
                self._check(one)
                self._prepare(one.block)
            return found

        return [Fetched(one, peer) for one in await self._found(windows, peer, check)] if found else []

    async def _found(
        self, windows: _Windows, peer: Peer, work: Callable[[], Sequence[Certified]]
    ) -> Sequence[Certified]:
        """What work on a peer's answer returns; none if that was a lie, or cannot be told here."""
        try:
            return await self._beside(work)
        except Invalid as error:
            if peer not in windows.gone:
                windows.gone.add(peer)
                self.lies += 1
                self._meter.lies += 1
                self._network.report(peer, Offence.FORGED)
            log.warning("peer brings blocks that nobody certified", peer=peer, reason=str(error))
        except Unavailable as error:
            self._tell("blocks cannot be checked here yet", peer, error)
        return []

    def _tell(self, what: str, peer: Peer, error: Exception) -> None:
        """Once, however often it comes to the same."""
        if self._told.get(peer) != str(error):
            self._told[peer] = str(error)
            log.info(what, peer=peer, reason=str(error))


def _decoded(data: bytes, first: int, last: int) -> Sequence[Certified]:
    """Raises Invalid."""
    found = wire.decode_certified(data)
    if len(found) > last - first + 1:
        raise Invalid(f"{len(found)} blocks answer a question for {last - first + 1}.", "wrong_range")
    parent: bytes | None = None
    for height, one in enumerate(found, first):
        header, certificate = one.block.header, one.certificate
        stated = (header.height, certificate.height, certificate.block_hash)
        if stated != (height, height, header.hash()) or parent not in (None, header.parent):
            raise Invalid(f"A range of blocks has not height {height} where it belongs.", "wrong_range")
        parent = certificate.block_hash
    return found


@dataclass(slots=True)
class _Windows:
    """
    What is asked for and what has come. next_height: to be handed on next. fresh: lowest height never asked for.
    on_way: windows claimed and not put. askers: tasks that still bring something. gone: peers that have failed or have
    no more. pruned: up to this height, one of them has pruned all.
    """

    next_height: int
    last: int
    askers: int
    fresh: int = 0
    on_way: int = 0
    pruned: int = 0
    again: list[tuple[int, int]] = field(default_factory=list)
    ready: dict[int, Fetched] = field(default_factory=dict)
    gone: set[Peer] = field(default_factory=set)
    changed: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.fresh = self.next_height

    async def claim(self) -> tuple[int, int] | None:
        """First and last height to ask for, the lowest first; None when no more will be."""
        while True:
            if self.again:
                self.on_way += 1
                return self.again.pop(self.again.index(min(self.again)))
            if self.fresh <= min(self.last, self.next_height + WINDOWS_AHEAD_MAX * WINDOW_BLOCKS):
                self.on_way += 1
                first, self.fresh = self.fresh, self.fresh + WINDOW_BLOCKS
                return first, min(self.last, self.fresh - 1)
            if self.fresh > self.last and not self.on_way:
                return None
            await self.changed.wait()

    def shorten(self, window: tuple[int, int], count: int) -> tuple[int, int]:
        """A claimed window's first blocks, as many as have come, if any; the rest is asked for again."""
        first, last = window[0], window[0] + count - 1
        if not first <= last < window[1]:
            return window
        self.again.append((last + 1, window[1]))
        self._wake()
        return first, last

    def put(self, window: tuple[int, int], blocks: Sequence[Fetched]) -> None:
        """What has come of a claimed window is right; if nothing is, it is asked for again."""
        self.on_way -= 1
        for one in blocks:
            self.ready[one.certified.block.header.height] = one
        if not blocks:
            self.again.append(window)
        self._wake()

    def leave(self) -> None:
        self.askers -= 1
        self._wake()

    async def next(self) -> Fetched | None:
        """The next block in order; None when nobody brings it."""
        while self.next_height not in self.ready:
            if self.askers == 0:
                return None
            await self.changed.wait()
        found = self.ready.pop(self.next_height)
        self.next_height += 1
        self._wake()
        return found

    def _wake(self) -> None:
        self.changed.set()
        self.changed = trio.Event()
