"""
The door of the room: how nodes exchange bytes nobody here looks into.

Three ways, each with what it promises. Streams: to one peer, in order, without gaps or repetition, sends coalesced into
few frames; a stream that breaks loses its tail, and says so at the next send. Requests: one question, one answer, or
Unavailable, and then the peer may or may not have worked on it, perhaps twice: handlers are idempotent. Publications:
to all who subscribed; any may be lost, repeated, reordered, so nobody's progress may hang on one. Trio-async: every
method may wait; all queues are bounded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import trio

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
"""One stream message, request or answer; larger things are fetched in ranges."""
PUBLICATION_BYTES_MAX = 64 * 1024
"""One publication: an announcement, never a block."""
QUEUE_MESSAGES_MAX = 1_024
"""Messages waiting per stream, per protocol and per subscription."""
REQUESTS_MAX = 64
"""Requests one node answers at the same time."""
NAME_CHARACTERS_MAX = 64
"""Of a protocol or a topic."""

Peer = str
"""A node's name in the network; proves nothing about keys."""

Handler = Callable[[Peer, bytes], Awaitable[bytes]]
"""Answers a request; may raise Invalid or Unavailable, which the asker then sees."""


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes from a peer."""

    peer: Peer
    payload: bytes


@dataclass(frozen=True, slots=True)
class Statistics:
    """
    Counters since the node joined.

    frames_sent: writes that carried messages_sent; coalescing is the ratio. publications_dropped: at this node,
    its queue being full.
    """

    messages_sent: int
    frames_sent: int
    messages_received: int
    publications_sent: int
    publications_received: int
    publications_dropped: int
    requests_answered: int


class Stream(Protocol):
    """The sending end of a stream."""

    async def send(self, payload: bytes) -> None:
        """
        Queue a message; waits while the queue is full. Returning says nothing about arrival.

        Raises:
            Invalid: "too_large" above MESSAGE_BYTES_MAX. Unavailable: the stream is broken; open a new one.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the stream; what is queued may still arrive."""
        ...


class Network(Protocol):
    """One node's place in the network."""

    @property
    def identity(self) -> Peer: ...

    def peers(self) -> tuple[Peer, ...]:
        """Return who can be reached now, sorted, without this node."""
        ...

    async def open(self, peer: Peer, protocol: str) -> Stream:
        """Open a stream. Raises Unavailable when the peer cannot be reached or does not listen to the protocol."""
        ...

    def listen(self, protocol: str) -> trio.MemoryReceiveChannel[Message]:
        """
        Receive what arrives on all streams of a protocol, in order per stream. Once per protocol.

        A listener that does not drain holds up its senders, nobody else.
        """
        ...

    async def request(self, peer: Peer, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        """
        Ask a peer; return its answer.

        Raises:
            Unavailable: no answer in time, unreachable, not served, or the handler said so.
            Invalid: the handler refused, or "too_large".
        """
        ...

    def serve(self, protocol: str, handler: Handler) -> None:
        """Answer requests of a protocol from now on. Once per protocol."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """
        Send to all subscribers but oneself, never waiting for any.

        Raises:
            Invalid: "too_large" above PUBLICATION_BYTES_MAX.
        """
        ...

    def subscribe(self, topic: str) -> trio.MemoryReceiveChannel[Message]:
        """Receive publications from now on; beyond QUEUE_MESSAGES_MAX unread the newest are dropped and counted."""
        ...

    def statistics(self) -> Statistics: ...
