"""
Requests over channels: one question and one answer at a time on each, idle channels used again.

    question = length of the protocol's name (1 byte) ‖ name ‖ payload
    answer   = 0 ‖ payload | 1 ‖ length of the code (1 byte) ‖ code ‖ message | 2 ‖ message

1 is Invalid, 2 Unavailable. A large answer holds up no small one, since each has its own channel; a question nobody
waits for any longer costs its channel, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from genesis.errors import Invalid, TenorError, Unavailable
from p2p.network import MESSAGE_BYTES_MAX, NAME_CHARACTERS_MAX, Offence
from p2p.tcp_bounds import REQUESTS_PER_PEER_MAX
from p2p.tcp_frames import Channel, Frames, frame
from p2p.tcp_guard import Hostile

ANSWER, INVALID, UNAVAILABLE = b"\0", b"\1", b"\2"
OVERHEAD_BYTES = 1 + NAME_CHARACTERS_MAX
REASON_CHARACTERS_MAX = 1_000
"""Of a refusal's message; the rest is cut."""


class Asker:
    """
    The asking end of a connection.

    Args:
        open_channel: opens another channel to the peer, or raises Unavailable.
        abandon: resets a channel in the background.
    """

    def __init__(self, open_channel: Callable[[], Awaitable[Channel]], abandon: Callable[[Channel], None]) -> None:
        self._open_channel = open_channel
        self._abandon = abandon
        self._idle: list[tuple[Channel, Frames]] = []
        self._in_flight = trio.Semaphore(REQUESTS_PER_PEER_MAX)

    async def ask(self, protocol: str, payload: bytes) -> bytes:
        """
        Return the answer. Takes as long as it takes; cancel it.

        Raises:
            Invalid, Unavailable: the handler's, or the connection broke. Hostile: no answer of this protocol.
        """
        async with self._in_flight:
            channel, frames = self._idle.pop() if self._idle else await self._begin()
            answer = None
            try:
                name = protocol.encode()
                await channel.write(frame(bytes([len(name)]), name, payload))
                answer = await frames.one()
            finally:
                if answer is None:
                    self._abandon(channel)
                else:
                    self._idle.append((channel, frames))
        if answer is None:
            raise Unavailable("The connection ended before the answer; ask again or another peer.")
        return _read_answer(answer)

    async def _begin(self) -> tuple[Channel, Frames]:
        channel = await self._open_channel()
        return channel, Frames(channel, MESSAGE_BYTES_MAX + OVERHEAD_BYTES)


async def answer_requests(
    channel: Channel,
    bytes_max: int,
    answer: Callable[[str, bytes], Awaitable[bytes | TenorError]],
    pace: Callable[[], Awaitable[None]],
) -> None:
    """
    Answer what is asked on a channel until it ends.

    Raises:
        Hostile: no question of this protocol. Unavailable: the channel broke.
    """
    frames = Frames(channel, bytes_max + OVERHEAD_BYTES)
    while (question := await frames.one()) is not None:
        protocol, payload = _read_question(question)
        await pace()
        await channel.write(_write_answer(await answer(protocol, payload)))


def _read_question(question: bytes) -> tuple[str, bytes]:
    length = question[0] if question else 0
    name, payload = question[1 : 1 + length], question[1 + length :]
    if not 0 < length <= NAME_CHARACTERS_MAX or len(name) < length or not name.isascii():
        raise Hostile(Offence.MALFORMED, "a question without a protocol")
    return name.decode("ascii"), payload


def _write_answer(result: bytes | TenorError) -> bytes:
    if isinstance(result, bytes):
        return frame(ANSWER, result)
    reason = str(result)[:REASON_CHARACTERS_MAX].encode()
    if isinstance(result, Invalid):
        code = result.code.encode()[:NAME_CHARACTERS_MAX]
        return frame(INVALID, bytes([len(code)]), code, reason)
    return frame(UNAVAILABLE, reason)


def _read_answer(answer: bytes) -> bytes:
    kind, rest = answer[:1], answer[1:]
    if kind == ANSWER:
        return rest
    if kind == INVALID and rest and len(rest) > rest[0] <= NAME_CHARACTERS_MAX:
        raise Invalid(_text(rest[1 + rest[0] :]), _text(rest[1 : 1 + rest[0]]))
    if kind == UNAVAILABLE:
        raise Unavailable(_text(rest))
    raise Hostile(Offence.MALFORMED, "an answer of no kind")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")[:REASON_CHARACTERS_MAX]
