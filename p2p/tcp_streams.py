"""
Direct streams over channels: messages one way, confirmations the other.

The opener sends messages; the listener confirms how many it has taken, four bytes at a time. What is sent and not
confirmed is bounded in messages and bytes, so a listener that does not drain holds up its sender here, and the layers
below always drain. Confirming slower is also how a peer is held to its rate. More than the bound is a flood.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from genesis.errors import Unavailable
from p2p.network import MESSAGE_BYTES_MAX, QUEUE_MESSAGES_MAX, Offence, Peer, check_size
from p2p.tcp_bounds import ACKNOWLEDGED_BYTES, ACKNOWLEDGED_MESSAGES, STREAM_BYTES_MAX, WRITE_BYTES
from p2p.tcp_counters import Counters
from p2p.tcp_frames import LENGTH, Channel, Frames, frame
from p2p.tcp_guard import Hostile


class TcpStream:
    """
    Sending end of a stream; `run` must be running.

    `send` yields to other tasks only when it waits, so that what is sent in one go is written in one go.
    """

    def __init__(self, channel: Channel, peer: Peer, counters: Counters) -> None:
        self._channel = channel
        self._peer = peer
        self._counters = counters
        self._waiting: deque[bytes] = deque()
        self._unconfirmed: deque[int] = deque()
        """Sizes of what is sent or waiting."""
        self._unconfirmed_bytes = 0
        self._broken = trio.Event()
        self._closing = False
        self._filled = trio.Event()
        self._room = trio.lowlevel.ParkingLot()

    async def send(self, payload: bytes) -> None:
        check_size(payload, MESSAGE_BYTES_MAX)
        while not self._broken.is_set() and not self._has_room(len(payload)):
            await self._room.park()
        if self._broken.is_set() or self._closing:
            raise Unavailable(f"The stream to {self._peer} is broken; open a new one.")
        self._waiting.append(payload)
        self._unconfirmed.append(len(payload))
        self._unconfirmed_bytes += len(payload)
        self._filled.set()

    async def aclose(self) -> None:
        self._closing = True
        self._filled.set()
        await trio.lowlevel.checkpoint()

    async def wait_broken(self) -> None:
        await self._broken.wait()

    async def run(self) -> None:
        """
        Write what is queued until the stream is closed or breaks.

        Raises:
            Hostile: the listener confirmed what was never sent.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_confirmations, nursery.cancel_scope)
                while await self._write():
                    pass
        except* Unavailable:
            pass
        except* Hostile as hostile:
            raise hostile.exceptions[0] from None
        finally:
            self._broken.set()
            self._room.unpark_all()
            await self._channel.reset()

    def _has_room(self, size: int) -> bool:
        count, total = len(self._unconfirmed), self._unconfirmed_bytes
        return count < QUEUE_MESSAGES_MAX and (not count or total + size <= STREAM_BYTES_MAX)

    async def _write(self) -> bool:
        """Write one batch; return whether there may be more."""
        await self._filled.wait()
        if not self._waiting:
            if self._closing:
                await self._channel.finish()
                return False
            self._filled = trio.Event()
            return True
        frames, size = [], 0
        while self._waiting and size < WRITE_BYTES:
            frames.append(frame(self._waiting.popleft()))
            size += len(frames[-1])
        await self._channel.write(b"".join(frames))
        self._counters.messages_sent += len(frames)
        self._counters.frames_sent += 1
        return True

    async def _read_confirmations(self, scope: trio.CancelScope) -> None:
        rest = b""
        while data := await self._channel.read():
            data = rest + data
            whole = len(data) - len(data) % LENGTH.size
            for (count,) in LENGTH.iter_unpack(data[:whole]):
                if count > len(self._unconfirmed) - len(self._waiting):
                    raise Hostile(Offence.MALFORMED, "confirms what was never sent")
                for _ in range(count):
                    self._unconfirmed_bytes -= self._unconfirmed.popleft()
            rest = data[whole:]
            self._room.unpark_all()
        scope.cancel()


class Receiver:
    """
    Listening end of one stream.

    Args:
        deliver: hands a message on, and waits while that is behind.
        pace: counts a message, and waits as long as the peer's rate demands.
    """

    def __init__(
        self,
        channel: Channel,
        deliver: Callable[[bytes], Awaitable[None]],
        pace: Callable[[], Awaitable[None]],
    ) -> None:
        self._channel = channel
        self._frames = Frames(channel, MESSAGE_BYTES_MAX)
        self._deliver = deliver
        self._pace = pace
        self._waiting: deque[bytes] = deque()
        self._unconfirmed_count = 0
        self._unconfirmed_bytes = 0
        self._ended = False
        self._filled = trio.Event()

    async def run(self) -> None:
        """
        Take what arrives until the opener closes the stream or it breaks.

        Raises:
            Hostile: the opener sent more than it was given room for, or too large a message.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hand_on)
                while messages := await self._frames.some():
                    self._take(messages)
                self._ended = True
                self._filled.set()
        except* Unavailable:
            pass
        except* Hostile as hostile:
            raise hostile.exceptions[0] from None

    def _take(self, messages: list[bytes]) -> None:
        self._unconfirmed_count += len(messages)
        self._unconfirmed_bytes += sum(map(len, messages))
        if self._unconfirmed_count > QUEUE_MESSAGES_MAX or self._unconfirmed_bytes > STREAM_BYTES_MAX:
            raise Hostile(Offence.FLOOD, f"{self._unconfirmed_count} messages without confirmation")
        self._waiting.extend(messages)
        self._filled.set()

    async def _hand_on(self) -> None:
        taken_count = taken_bytes = 0
        while not self._ended:
            await self._filled.wait()
            self._filled = trio.Event()
            while self._waiting:
                message = self._waiting[0]
                await self._pace()
                await self._deliver(message)
                self._waiting.popleft()
                taken_count += 1
                taken_bytes += len(message)
                if taken_count >= ACKNOWLEDGED_MESSAGES or taken_bytes >= ACKNOWLEDGED_BYTES:
                    self._unconfirmed_count -= taken_count
                    self._unconfirmed_bytes -= taken_bytes
                    await self._channel.write(LENGTH.pack(taken_count))
                    taken_count = taken_bytes = 0
