"""
Publications: signed by their publisher, passed on from neighbour to neighbour, each once.

    publication = hops left (1 byte) ‖ rest
    rest        = number (8 bytes) ‖ publisher ‖ topic ‖ signature, each after its length (1 byte) ‖ payload

The signature is of the publisher's node key over everything but the hops and itself. Only publications of listed
peers are believed and passed on, so nobody is blamed for what he carries and a stranger cannot flood through others.
Who carries a forged one has not looked at it, and honest nodes do.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b

import trio

from p2p.identity import NodeKey, is_signed
from p2p.network import NAME_CHARACTERS_MAX, PUBLICATION_BYTES_MAX, QUEUE_MESSAGES_MAX, Offence, Peer
from p2p.tcp_bounds import HOPS_MAX, PUBLICATIONS_BYTES_MAX, SEEN_MAX, WRITE_BYTES
from p2p.tcp_frames import Channel, frame
from p2p.tcp_guard import Hostile

HEAD = struct.Struct(">BQ")
"""Hops left, number."""
NUMBER_BYTES = 8
DOMAIN = b"tenor publication\0"
OVERHEAD_BYTES = HEAD.size + 3 * 256


@dataclass(frozen=True, slots=True)
class Publication:
    """number: drawn by the publisher, so that equal payloads are different publications."""

    hops: int
    number: int
    publisher: Peer
    topic: str
    signature: bytes
    payload: bytes

    @property
    def digest(self) -> bytes:
        """Identifies the publication; the same whoever passes it on."""
        return blake2b(self._signed(), digest_size=16).digest()

    def is_authentic(self) -> bool:
        return is_signed(self.publisher, self._signed(), self.signature)

    def passed_on(self) -> bytes:
        """Write it as it goes to the next neighbour."""
        texts = _written(self.publisher.encode(), self.topic.encode(), self.signature)
        return HEAD.pack(self.hops - 1, self.number) + texts + self.payload

    def _signed(self) -> bytes:
        return _signed(self.number, self.publisher, self.topic, self.payload)


class Publisher:
    """Signs in the name of one key."""

    def __init__(self, key: NodeKey) -> None:
        self._key = key
        self._name = key.peer

    def sign(self, topic: str, payload: bytes) -> Publication:
        number = int.from_bytes(os.urandom(NUMBER_BYTES), "big")
        signature = self._key.sign(_signed(number, self._name, topic, payload))
        return Publication(HOPS_MAX, number, self._name, topic, signature, payload)


def read_publication(data: bytes) -> Publication:
    """Raises Hostile when it is none."""
    try:
        hops, number = HEAD.unpack_from(data)
        at, texts = HEAD.size, []
        for _ in range(3):
            end = at + 1 + data[at]
            texts.append(data[at + 1 : end])
            at = end
        publisher, topic, signature = texts
        publication = Publication(hops, number, publisher.decode("ascii"), topic.decode("ascii"), signature, data[at:])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Hostile(Offence.MALFORMED, "no publication") from error
    if hops > HOPS_MAX or not 0 < len(topic) <= NAME_CHARACTERS_MAX or at > len(data):
        raise Hostile(Offence.MALFORMED, "no publication of these bounds")
    if len(publication.payload) > PUBLICATION_BYTES_MAX:
        raise Hostile(Offence.OVERSIZE, f"a publication of {len(publication.payload)} bytes")
    return publication


class Seen:
    """The publications that passed lately."""

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes) -> None:
        self._digests[digest] = None
        if len(self._digests) > SEEN_MAX:
            self._digests.popitem(last=False)


class Outlet:
    """What waits to be passed to one neighbour; never makes anybody wait."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._filled = trio.Event()

    def put(self, written: bytes) -> bool:
        """Queue a publication; return whether there was room."""
        if len(self._waiting) >= QUEUE_MESSAGES_MAX or self._waiting_bytes + len(written) > PUBLICATIONS_BYTES_MAX:
            return False
        self._waiting.append(written)
        self._waiting_bytes += len(written)
        self._filled.set()
        return True

    async def run(self, channel: Channel) -> None:
        """Write what is put, until the channel breaks. Raises Unavailable then."""
        while True:
            while self._waiting:
                frames, size = [], 0
                while self._waiting and size < WRITE_BYTES:
                    written = self._waiting.popleft()
                    frames.append(frame(written))
                    size += len(written)
                self._waiting_bytes -= size
                await channel.write(b"".join(frames))
            self._filled = trio.Event()
            await self._filled.wait()


def _signed(number: int, publisher: Peer, topic: str, payload: bytes) -> bytes:
    return DOMAIN + number.to_bytes(NUMBER_BYTES, "big") + _written(publisher.encode(), topic.encode()) + payload


def _written(*texts: bytes) -> bytes:
    return b"".join(bytes([len(text)]) + text for text in texts)
