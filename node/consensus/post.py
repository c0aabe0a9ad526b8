"""
The way out: one bounded queue per peer and stream, so that nobody waits for a slow peer.

A queue that is full loses its oldest message, a broken stream what was on its way; reminders make up for both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import trio

from genesis.errors import Unavailable
from p2p.network import Network, Peer, Stream

VOTES_WAITING_MAX = 256
BLOCKS_WAITING_MAX = 4
REOPEN_S = 0.1


class Post:
    """lost: messages that found their queue full of newer ones."""

    def __init__(
        self,
        network: Network,
        peers: tuple[Peer, ...],
        rooms: Mapping[str, int],
        opened: Callable[[Peer], None],
        lost: Callable[[Peer], None],
    ) -> None:
        """
        Args:
            rooms: protocol → messages that may wait for one peer on it.
            opened, lost: told when a stream on the first of them comes about, and at once when it breaks.
        """
        self._network, self._opened, self._lost_peer = network, opened, lost
        self._greeted, self._rooms = next(iter(rooms)), rooms
        self._boxes: dict[tuple[Peer, str], _Box] = {}
        self._met = trio.Event()
        self.meet(peers)
        self.lost = 0

    async def run(self) -> None:
        carried: set[tuple[Peer, str]] = set()
        async with trio.open_nursery() as nursery:
            while True:
                for (peer, protocol), box in self._boxes.items():
                    if (peer, protocol) not in carried:
                        carried.add((peer, protocol))
                        nursery.start_soon(self._carry, peer, protocol, box)
                self._met = trio.Event()
                await self._met.wait()

    def meet(self, peers: Iterable[Peer]) -> None:
        """Write to these, too; whoever has gone costs a box that stays full."""
        for peer in peers:
            for protocol, room in self._rooms.items():
                self._boxes.setdefault((peer, protocol), _Box(room))
        self._met.set()

    def send(self, protocol: str, payload: bytes, to: Peer | None = None) -> None:
        """To all, or to one."""
        for (peer, of), box in self._boxes.items():
            if of == protocol and to in (None, peer):
                self.lost += box.put(payload)

    async def _carry(self, peer: Peer, protocol: str, box: _Box) -> None:
        told = protocol == self._greeted
        while True:
            try:
                stream = await self._network.open(peer, protocol)
            except Unavailable:
                await trio.sleep(REOPEN_S)
                continue
            if told:
                self._opened(peer)
            await self._send_until_broken(stream, box)
            if told:
                self._lost_peer(peer)

    async def _send_until_broken(self, stream: Stream, box: _Box) -> None:
        """What is being sent when the stream breaks is lost; what waits is sent on the next one."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_when_broken, stream, nursery.cancel_scope)
                with suppress(Unavailable):
                    while True:
                        await stream.send(await box.take())
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()


async def _end_when_broken(stream: Stream, scope: trio.CancelScope) -> None:
    await stream.wait_broken()
    scope.cancel()


class _Box:
    def __init__(self, room: int) -> None:
        self._waiting: deque[bytes] = deque(maxlen=room)
        self._arrived = trio.Event()

    def put(self, payload: bytes) -> bool:
        """Whether an older one was lost."""
        full = len(self._waiting) == self._waiting.maxlen
        self._waiting.append(payload)
        self._arrived.set()
        return full

    async def take(self) -> bytes:
        while not self._waiting:
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self._waiting.popleft()
