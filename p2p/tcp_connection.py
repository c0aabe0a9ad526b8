"""One connection to one peer: what it carries both ways, how fast, and whether it lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol

import trio

from genesis.errors import Unavailable
from p2p.conduct import Bucket
from p2p.network import Offence, Peer
from p2p.tcp_bounds import (
    CHANNELS_PER_PROTOCOL_MAX,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    PING_S,
    PONG_S,
    PUBLICATIONS_BURST,
    PUBLICATIONS_PER_S,
    REOPEN_S,
    REQUEST_CHANNELS_MAX,
    REQUESTS_BURST,
    REQUESTS_PER_PEER_MAX,
    REQUESTS_PER_S,
)
from p2p.tcp_counters import Counters
from p2p.tcp_frames import Channel
from p2p.tcp_guard import Hostile
from p2p.tcp_publications import Outlet
from p2p.tcp_requests import Asker
from p2p.tcp_streams import TcpStream
from p2p.tcp_wire import Wire

PING_PROTOCOL = "/ipfs/ping/1.0.0"
"""Of libp2p: 32 bytes, sent back."""
PING_BYTES = 32
STREAM_PROTOCOL = "/tenor/stream/1/"
"""The listener's protocol follows."""
REQUEST_PROTOCOL = "/tenor/request/1"
PUBLISH_PROTOCOL = "/tenor/publish/1"


class Link(Protocol):
    """A multiplexed, authenticated connection; see `libp2p`."""

    peer: Peer

    async def run(self, protocols: Collection[str], serve: Callable[[Channel], Awaitable[None]]) -> None: ...

    async def open(self, protocol: str) -> Channel: ...


class Connection:
    """
    A link with what belongs to it; its tasks run in the given nursery and end with it.

    Attributes:
        dialled: whether this node began it.
        stranger: whether the peer is on no list.
        ended: set once the connection is no more.

    Args:
        blame: holds an offence against the peer.
    """

    def __init__(
        self,
        link: Link,
        wire: Wire,
        *,
        dialled: bool,
        stranger: bool,
        nursery: trio.Nursery,
        counters: Counters,
        blame: Callable[[Peer, Offence], None],
    ) -> None:
        now_s = trio.current_time()
        self.ended = trio.Event()
        self._blame = blame
        self.peer = link.peer
        self.dialled = dialled
        self.stranger = stranger
        self.answering = trio.CapacityLimiter(REQUESTS_PER_PEER_MAX)
        self._asker = Asker(lambda: link.open(REQUEST_PROTOCOL), self._abandon)
        self.publications = Outlet()
        self._channels: Counter[str] = Counter()
        self._link = link
        self._wire = wire
        self._nursery = nursery
        self._counters = counters
        self._rates = {
            STREAM_PROTOCOL: Bucket(MESSAGES_PER_S, MESSAGES_BURST, now_s),
            REQUEST_PROTOCOL: Bucket(REQUESTS_PER_S, REQUESTS_BURST, now_s),
            PUBLISH_PROTOCOL: Bucket(PUBLICATIONS_PER_S, PUBLICATIONS_BURST, now_s),
        }

    def close(self) -> None:
        """End the connection and all on it."""
        self._wire.close()
        self._nursery.cancel_scope.cancel()

    async def run(self, protocols: Collection[str], serve: Callable[[Channel], Awaitable[None]]) -> None:
        """Carry everything until the connection ends."""
        self._nursery.start_soon(self._publish)
        self._nursery.start_soon(self._stay_alive)
        await self._hold_to_account(partial(self._link.run, protocols, serve))

    async def open(self, protocol: str) -> TcpStream:
        """Open a direct stream. Raises Unavailable when the peer does not listen."""
        stream = TcpStream(await self._link.open(STREAM_PROTOCOL + protocol), self.peer, self._counters)
        if self.ended.is_set():
            raise Unavailable(f"The connection to {self.peer} has just ended; try again later.")
        self._nursery.start_soon(self._hold_to_account, stream.run)
        return stream

    async def ask(self, protocol: str, payload: bytes) -> bytes:
        """See `Asker.ask`; a peer that answers nonsense is blamed for it."""
        answer: list[bytes] = []

        async def ask() -> None:
            answer.append(await self._asker.ask(protocol, payload))

        await self._hold_to_account(ask)
        if not answer:
            raise Unavailable(f"{self.peer} does not speak this protocol; ask another peer.")
        return answer[0]

    @contextmanager
    def counted(self, channel: Channel) -> Iterator[None]:
        """Hold a channel that the peer has opened. Raises Unavailable when it has as many of the protocol already."""
        protocol = channel.protocol
        if self._channels[protocol] >= (
            REQUEST_CHANNELS_MAX if protocol == REQUEST_PROTOCOL else CHANNELS_PER_PROTOCOL_MAX
        ):
            raise Unavailable(f"{self.peer} has {self._channels[protocol]} streams of {protocol} already.")
        self._channels[protocol] += 1
        try:
            yield
        finally:
            self._channels[protocol] -= 1

    async def pace(self, protocol: str) -> None:
        """Count one message of the peer, and wait as long as its rate demands."""
        if wait_s := self._rates[protocol].take(1, trio.current_time()):
            await trio.sleep(wait_s)

    async def prove_alive(self, within_s: float) -> None:
        """Close the connection unless the peer says something, to a ping if to nothing else."""
        heard = self._wire.bytes_received
        if not self.ended.is_set():
            self._nursery.start_soon(self._ping)
        # In two halves: when this process was held up itself, what has arrived meanwhile is read in the second.
        await trio.sleep(within_s / 2)
        await trio.sleep(within_s / 2)
        if self._wire.bytes_received == heard:
            self.close()

    async def _hold_to_account(self, work: Callable[[], Awaitable[None]]) -> None:
        """Blame the peer and close the connection when it turns out hostile at this work."""
        try:
            await work()
        except Hostile as hostile:
            self._blame(self.peer, hostile.offence)
            self.close()

    def _abandon(self, channel: Channel) -> None:
        if not self.ended.is_set():
            self._nursery.start_soon(channel.reset)

    async def _publish(self) -> None:
        while True:
            with suppress(Unavailable):
                await self.publications.run(await self._link.open(PUBLISH_PROTOCOL))
            await trio.sleep(REOPEN_S)

    async def _stay_alive(self) -> None:
        """Ask a silent peer for a sign of life: a host that lost its power says nothing else."""
        while True:
            heard = self._wire.bytes_received
            await trio.sleep(PING_S)
            if self._wire.bytes_received == heard:
                await self.prove_alive(PONG_S)

    async def _ping(self) -> None:
        with suppress(Unavailable), trio.move_on_after(PONG_S):
            channel = await self._link.open(PING_PROTOCOL)
            try:
                await channel.write(bytes(PING_BYTES))
                await channel.read()
            finally:
                await channel.reset()


async def send_pings_back(channel: Channel) -> None:
    """Serve libp2p's ping until the peer has enough, or sends more than one at a time. Raises Unavailable."""
    while 0 < len(data := await channel.read()) <= PING_BYTES:
        await channel.write(data)
