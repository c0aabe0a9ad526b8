"""What a node offers to its peers: listeners, handlers, subscriptions; and what it does with what they send."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from functools import partial

import trio

from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from p2p.handlers import Handlers
from p2p.identity import NodeKey
from p2p.network import (
    MESSAGE_BYTES_MAX,
    PUBLICATION_BYTES_MAX,
    QUEUE_MESSAGES_MAX,
    Handler,
    Message,
    Offence,
    Peer,
)
from p2p.tcp_bounds import STRANGER_MESSAGE_BYTES_MAX
from p2p.tcp_connection import (
    PING_PROTOCOL,
    PUBLISH_PROTOCOL,
    REQUEST_PROTOCOL,
    STREAM_PROTOCOL,
    Connection,
    send_pings_back,
)
from p2p.tcp_counters import Counters
from p2p.tcp_frames import Channel, Frames
from p2p.tcp_guard import Hostile
from p2p.tcp_publications import OVERHEAD_BYTES, Publication, Publisher, Seen, read_publication
from p2p.tcp_requests import answer_requests
from p2p.tcp_streams import Receiver

COMMON_PROTOCOLS = (PING_PROTOCOL, REQUEST_PROTOCOL, PUBLISH_PROTOCOL)
LOG = logging.getLogger(__name__)


class Services:
    """
    All that peers may open on a connection.

    Attributes:
        neighbours: gives the connections there are; set by who holds them.
        is_listed: tells whether a peer is on the list; set likewise.
    """

    def __init__(self, key: NodeKey) -> None:
        self.counters = Counters()
        self.neighbours: Callable[[], Iterable[Connection]] = tuple
        self.is_listed: Callable[[Peer], bool] = lambda peer: False
        self._own = key.peer
        self._publisher = Publisher(key)
        self._listeners: dict[str, trio.MemorySendChannel[Message]] = {}
        self._handlers = Handlers(key.peer)
        self._subscriptions: dict[str, list[trio.MemorySendChannel[Message]]] = {}
        self._protocols: dict[str, None] = dict.fromkeys(COMMON_PROTOCOLS)
        self._seen = Seen()

    def protocols(self, stranger: bool) -> Collection[str]:
        """What a peer may open: strangers may ask and hear; for others it grows with each listener."""
        return COMMON_PROTOCOLS if stranger else self._protocols.keys()

    def listen(self, protocol: str) -> trio.MemoryReceiveChannel[Message]:
        assert protocol not in self._listeners, f"{protocol} has a listener"
        self._listeners[protocol], receive = trio.open_memory_channel[Message](QUEUE_MESSAGES_MAX)
        self._protocols[STREAM_PROTOCOL + protocol] = None
        return receive

    def serve(self, protocol: str, handler: Handler) -> None:
        self._handlers.serve(protocol, handler)

    async def retire(self) -> None:
        await self._handlers.retire()

    def subscribe(self, topic: str) -> trio.MemoryReceiveChannel[Message]:
        send, receive = trio.open_memory_channel[Message](QUEUE_MESSAGES_MAX)
        self._subscriptions.setdefault(topic, []).append(send)
        return receive

    def publish(self, topic: str, payload: bytes) -> None:
        publication = self._publisher.sign(topic, payload)
        self.counters.publications_sent += 1
        self._seen.add(publication.digest)
        self._pass_on(publication, None)

    async def accept(self, connection: Connection, channel: Channel) -> None:
        """
        Serve what a peer has opened, until it ends.

        Raises:
            Hostile: the peer was. Unavailable: the channel broke. Corrupt: a handler found this node to be.
        """
        try:
            with connection.counted(channel):
                await self._accept(connection, channel)
        except Hostile as hostile:
            if connection.stranger and hostile.offence is Offence.OVERSIZE:
                # It cannot know that it is a stranger here, and others may send as much.
                raise Unavailable(f"{connection.peer} may not send that much.") from hostile
            raise
        except Unavailable:
            raise
        except Exception as error:
            if _is_corrupt(error):
                raise
            # Likewise for bugs in this room.
            LOG.exception("A stream of %s from %s failed", channel.protocol, connection.peer)
            self.counters.handler_failures += 1
            raise Unavailable(f"{self._own} failed at {channel.protocol}.") from error

    async def _accept(self, connection: Connection, channel: Channel) -> None:
        if channel.protocol == PING_PROTOCOL:
            await send_pings_back(channel)
        elif channel.protocol == REQUEST_PROTOCOL:
            bytes_max = STRANGER_MESSAGE_BYTES_MAX if connection.stranger else MESSAGE_BYTES_MAX
            pace = partial(connection.pace, REQUEST_PROTOCOL)
            await answer_requests(channel, bytes_max, partial(self._answer, connection), pace)
        elif channel.protocol == PUBLISH_PROTOCOL:
            await self._hear(connection, channel)
        else:
            listener = self._listeners[channel.protocol.removeprefix(STREAM_PROTOCOL)]
            deliver = partial(self._deliver, listener, connection.peer)
            await Receiver(channel, deliver, partial(connection.pace, STREAM_PROTOCOL)).run()

    async def _deliver(self, listener: trio.MemorySendChannel[Message], peer: Peer, payload: bytes) -> None:
        """Hand a message to its listener; waits while that is behind, drops it once that has gone."""
        message = Message(peer, payload)
        try:
            try:
                listener.send_nowait(message)
            except trio.WouldBlock:
                await listener.send(message)
        except trio.BrokenResourceError:
            return
        self.counters.messages_received += 1

    async def _answer(self, connection: Connection, protocol: str, payload: bytes) -> bytes | TenorError:
        async with connection.answering:
            try:
                answer = await self._handlers.answer(connection.peer, protocol, payload)
            except (Invalid, Unavailable) as refusal:
                return refusal
            except Exception as error:
                if _is_corrupt(error):
                    raise
                # Whoever can provoke a bug must not be able to stop the node with it.
                LOG.exception("The handler of %s failed on %d bytes from %s", protocol, len(payload), connection.peer)
                self.counters.handler_failures += 1
                return Unavailable(f"{self._own} failed at {protocol}; ask another peer.")
        self.counters.requests_answered += 1
        return answer

    async def _hear(self, connection: Connection, channel: Channel) -> None:
        frames = Frames(channel, PUBLICATION_BYTES_MAX + OVERHEAD_BYTES)
        while written := await frames.some():
            for data in written:
                await connection.pace(PUBLISH_PROTOCOL)
                publication = read_publication(data)
                digest = publication.digest
                # The list may differ from node to node, the truth of a signature does not.
                if not self.is_listed(publication.publisher) or digest in self._seen:
                    continue
                if not publication.is_authentic():
                    raise Hostile(Offence.MALFORMED, "a forged publication")
                self._seen.add(digest)
                self._receive(publication)
                self._pass_on(publication, connection.peer)

    def _receive(self, publication: Publication) -> None:
        for send in tuple(self._subscriptions.get(publication.topic, ())):
            try:
                send.send_nowait(Message(publication.publisher, publication.payload))
                self.counters.publications_received += 1
            except trio.WouldBlock:
                self.counters.publications_dropped += 1
            except trio.BrokenResourceError:
                self._subscriptions[publication.topic].remove(send)

    def _pass_on(self, publication: Publication, source: Peer | None) -> None:
        if publication.hops == 0:
            return
        written = publication.passed_on()
        for neighbour in self.neighbours():
            if neighbour.peer not in (source, publication.publisher) and not neighbour.publications.put(written):
                self.counters.publications_dropped += 1


def _is_corrupt(error: Exception) -> bool:
    """Whether this node must stop; a handler with a nursery wraps it in a group."""
    return isinstance(error, Corrupt) or (isinstance(error, ExceptionGroup) and error.subgroup(Corrupt) is not None)
