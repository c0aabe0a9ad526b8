"""
What passes over a signer's socket: u32 length, big-endian, then canonical msgpack.

    [ADDRESS, chain]                                  whose key it is
    [VOTE, chain, set, kind, view, height, hash]      a vote; the signer builds what is signed from these
    [PROPOSAL, chain, header]                         a header, as its fields
    [PROBE, chain, nonce]                             signs no word of consensus, but syncs the guard: does it work?
    [READY, chain, height, hash]                      the key's readiness; no word of consensus either, and synced alike

Answered in order with [OK, bytes] or [REFUSED, code, message].
"""

from __future__ import annotations

import struct
from typing import Any, Protocol

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.header import Header
from genesis.membership import Readiness
from node.consensus.words import Said, said_of

ADDRESS, VOTE, PROPOSAL, PROBE, READY = range(5)
OK, REFUSED = range(2)
MEMBERS_MIN = 2
FRAME_BYTES_MAX = 2_048
"""A header has 420 bytes."""
PROBE_TAG = b"\x19Tenor probe v1\n"
_HEAD = struct.Struct(">I")


class Receiving(Protocol):
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray: ...


def frame(*members: Any) -> bytes:
    body = codec.encode(members)
    assert len(body) <= FRAME_BYTES_MAX, "a frame has its bound"
    return _HEAD.pack(len(body)) + body


async def receive(stream: Receiving) -> tuple[Any, ...] | None:
    """
    The next frame's members; None at the end of the stream.

    Raises:
        Invalid: it is larger than a frame may be, ends in the middle, or is no array.
    """
    head = await _exactly(stream, _HEAD.size)
    if not head:
        return None
    length = _HEAD.unpack(head)[0]
    if length > FRAME_BYTES_MAX:
        raise Invalid(f"A frame of {length} bytes; {FRAME_BYTES_MAX} is the most.", "too_large")
    body = await _exactly(stream, length)
    return codec.expect_array(codec.decode(body, FRAME_BYTES_MAX), None, "A frame")


async def _exactly(stream: Receiving, length: int) -> bytes:
    """So many bytes; none at the end of the stream. Raises Invalid when it ends in between."""
    data = b""
    while len(data) < length:
        more = await stream.receive_some(length - len(data))
        if not more:
            if data:
                raise Invalid("The stream ended within a frame.", "malformed")
            return b""
        data += more
    return data


def vote_of(members: tuple[Any, ...]) -> tuple[Said, int]:
    """A vote, and the validator set it counts in. Raises Invalid."""
    version, kind, view, height, block_hash = codec.expect_array(members, 5, "A vote to be signed")
    codec.check_uint(version, 63, "A validator set")
    return said_of(kind, view, height, block_hash), version


def header_of(members: tuple[Any, ...]) -> Header:
    """Raises Invalid."""
    (header,) = codec.expect_array(members, 1, "A proposal to be signed")
    return Header.of(header)


def readiness_of(chain: int, key: bytes, members: tuple[Any, ...]) -> Readiness:
    """Of the signer's own chain and key, whatever its caller says. Raises Invalid."""
    height, block_hash = codec.expect_array(members, 2, "A readiness to be signed")
    codec.check_uint(height, 63, "A commitment's height")
    codec.check_bytes(block_hash, crypto.HASH_BYTES, "A commitment's block hash")
    return Readiness(chain, key, height, block_hash)


def probe_digest(members: tuple[Any, ...]) -> bytes:
    """keccak256(PROBE_TAG ‖ nonce of 32 bytes): what nothing but a probe is. Raises Invalid."""
    (nonce,) = codec.expect_array(members, 1, "A probe")
    codec.check_bytes(nonce, crypto.HASH_BYTES, "A probe's nonce")
    assert isinstance(nonce, bytes)
    return crypto.keccak256(PROBE_TAG + nonce)
