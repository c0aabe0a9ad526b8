"""
The door of the room: how nodes exchange bytes nobody here looks into.

Three ways, each with what it promises. Streams: to one peer, in order, without gaps or repetition, sends coalesced into
few frames; a stream that breaks loses its tail, and says so at the next send
and to whoever waits for it. Requests: one question, one answer, or
Unavailable, and then the peer may or may not have worked on it, perhaps twice: handlers are idempotent. Publications:
to all who subscribed; any may be lost, repeated, reordered, so nobody's progress may hang on one. Trio-async: every
method may wait; all queues are bounded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import trio

from genesis.errors import Invalid

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
"""A node's name in the network; says nothing about the keys of validators or accounts."""

Handler = Callable[[Peer, bytes], Awaitable[bytes]]
"""
Answers a request; may raise Invalid or Unavailable, which the asker then sees.

It may be cancelled when the asker has gone, or this node retires. Corrupt ends the network. Any other exception is a
bug: in memory it comes through, so that tests see it; on a real network the asker gets Unavailable and it is logged and
counted, since whoever can provoke it must not stop the node.
"""


class Offence(StrEnum):
    """What a peer may do wrong, as far as no accident explains it."""

    INVALID = "invalid"
    """It sent what the rooms above refuse."""
    FLOOD = "flood"
    """It sent more than it was given room for."""
    MALFORMED = "malformed"
    """It does not speak the protocol."""
    OVERSIZE = "oversize"
    """It sent a message above its bound."""
    FORGED = "forged"
    """It answered with what a proof disproves."""


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
    a queue being full. Below the line what has another value at another time, or has no meaning in memory:

    peers: connected now. banned: now. bans: ever. offences: reported or seen. refused: connections not let in.
    dial_failures, bytes_sent, bytes_received: on the wire. handler_failures: exceptions that are bugs.
    """

    messages_sent: int
    frames_sent: int
    messages_received: int
    publications_sent: int
    publications_received: int
    publications_dropped: int
    requests_answered: int
    # ———
    peers: int = 0
    banned: int = 0
    bans: int = 0
    offences: int = 0
    refused: int = 0
    dial_failures: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    handler_failures: int = 0


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

    async def wait_broken(self) -> None:
        """Return once the stream is broken, as when the peer has ended, though nothing is sent."""
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
        """Answer requests of a protocol from now on, until `retire`. Once per protocol."""
        ...

    async def retire(self) -> None:
        """
        Answer nothing any more: handlers at work are cancelled, and have ended when this returns; who asks gets
        Unavailable.
        """
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """
        Send to all subscribers but oneself, never waiting for any.

        Raises:
            Invalid: "too_large" above PUBLICATION_BYTES_MAX.
        """
        ...

    def subscribe(self, topic: str) -> trio.MemoryReceiveChannel[Message]:
        """
        Receive publications from now on, each with its publisher's name, whoever passed it on.

        Beyond QUEUE_MESSAGES_MAX unread the newest are dropped and counted.
        """
        ...

    def report(self, peer: Peer, offence: Offence) -> None:
        """
        Hold an offence against a peer; enough of them in a short time ban it, each time for longer.

        A banned peer is disconnected and neither let in nor dialled until its time is over. Others are not told.
        """
        ...

    def statistics(self) -> Statistics: ...


def check_size(payload: bytes, bytes_max: int) -> None:
    """Raise Invalid "too_large" when a payload has more than bytes_max."""
    if len(payload) > bytes_max:
        raise Invalid(
            f"{len(payload)} bytes are more than the {bytes_max} one message may have; split them.", "too_large"
        )


def check_name(name: str) -> None:
    """A protocol or topic is our own constant, so a bad name is a bug."""
    assert name.isascii() and 0 < len(name) <= NAME_CHARACTERS_MAX, f"{name!r} is no name of a protocol or topic"
