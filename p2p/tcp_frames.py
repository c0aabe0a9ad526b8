"""Messages on a stream: each after its length in four bytes, big-endian, which is checked before anything is kept."""

from __future__ import annotations

import struct
from typing import Protocol

import trio

from genesis.errors import Unavailable
from p2p.network import Offence
from p2p.tcp_bounds import FRAME_S
from p2p.tcp_guard import Hostile

LENGTH = struct.Struct(">I")


class Channel(Protocol):
    """A stream of bytes both ways; see `libp2p`."""

    protocol: str

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def finish(self) -> None: ...

    async def reset(self) -> None: ...


def frame(*parts: bytes) -> bytes:
    """Put the parts into one message."""
    return b"".join((LENGTH.pack(sum(map(len, parts))), *parts))


class Frames:
    """
    What arrives on a channel, as messages.

    Args:
        bytes_max: of one message; a larger one is an offence.
    """

    def __init__(self, channel: Channel, bytes_max: int) -> None:
        self._channel = channel
        self._bytes_max = bytes_max
        self._buffer = bytearray()

    async def some(self) -> list[bytes]:
        """
        Return the messages that have arrived, waiting for the first; none at the end.

        Raises:
            Hostile: a message is too large. Unavailable: the stream broke, or took FRAME_S for one message.
        """
        while not (messages := self._cut()):
            with trio.move_on_after(FRAME_S if self._buffer else float("inf")) as late:
                more = await self._channel.read()
                if not more:
                    return []
                self._buffer += more
            if late.cancelled_caught:
                raise Unavailable(f"A message was not complete within {FRAME_S} s.")
        return messages

    async def one(self) -> bytes | None:
        """Return the message that arrives, None at the end. Raises Hostile also when there are two."""
        messages = await self.some()
        if len(messages) > 1:
            raise Hostile(Offence.FLOOD, "messages out of turn")
        return messages[0] if messages else None

    def _cut(self) -> list[bytes]:
        messages, begin = [], 0
        with memoryview(self._buffer) as view:
            while begin + LENGTH.size <= len(view):
                (length,) = LENGTH.unpack_from(view, begin)
                if length > self._bytes_max:
                    raise Hostile(Offence.OVERSIZE, f"a message of {length} bytes")
                end = begin + LENGTH.size + length
                if end > len(view):
                    break
                messages.append(bytes(view[begin + LENGTH.size : end]))
                begin = end
        del self._buffer[:begin]
        return messages
