"""
Frames between gateway and core: u32 length, big-endian, then a msgpack array whose first member is its kind.

    [REQUEST, id, method, payload]      gateway → core
    [RESULT, id, value]                 core → gateway
    [ERROR, id, fault, code, message]   core → gateway; fault is who is to blame: invalid, unavailable or corrupt
    [PUSH, topic, sequence, payload]    core → gateway; sequence counts the topic's pushes since the core started
    [ENDED, topic, reason]              core → gateway: the subscription is over

Both ends write what has gathered in one go. Neither end is hostile, but both bound what they take.
"""

from __future__ import annotations

import struct
from typing import Any

import msgpack

from genesis.errors import Corrupt

REQUEST, RESULT, ERROR, PUSH, ENDED = range(5)
FRAME_BYTES_MAX = 64 << 20
READ_BYTES = 256 << 10
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
SEND = "sendTransactions"
CALLS = "calls"
"""View calls together: [program, selector, arguments, gas] each; answered by [reason, result, gas used] each."""
WATCH = "watch"
"""The gateway's own question for the core's numbers; no client can ask it."""

_HEAD = struct.Struct(">I")


def pack(*members: Any) -> bytes:
    """Return one frame. Raises TypeError, ValueError or OverflowError for what msgpack cannot carry."""
    body: bytes = msgpack.packb(members, use_bin_type=True)
    return _HEAD.pack(len(body)) + body


class Splitter:
    """Bytes in as they come, whole frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[list[Any]]:
        """Return the frames completed by data. Raises Corrupt when the other end does not speak this protocol."""
        buffer = self._buffer
        buffer += data
        frames: list[list[Any]] = []
        at = 0
        while len(buffer) - at >= 4:
            length = _HEAD.unpack_from(buffer, at)[0]
            if length > FRAME_BYTES_MAX:
                raise Corrupt(f"A frame of {length} bytes between gateway and core; {FRAME_BYTES_MAX} is the most.")
            if len(buffer) - at - 4 < length:
                break
            try:
                frame = msgpack.unpackb(memoryview(buffer)[at + 4 : at + 4 + length], raw=False)
            except ValueError as error:
                raise Corrupt(f"A frame between gateway and core is not msgpack: {error}.") from error
            frames.append(frame)
            at += 4 + length
        del buffer[:at]
        return frames
