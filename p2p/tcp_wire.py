"""
A TCP connection as the layers above want it: reads that are whole, writes that gather and are never cut in half.

A write only fills a buffer, which one task empties, so that a cancelled writer leaves no half frame behind, and
neighbouring frames share a system call. A peer that does not read holds up its writers and then loses the connection.
"""

from __future__ import annotations

import trio

from genesis.errors import Unavailable
from p2p.tcp_bounds import HANDSHAKE_BYTES_MAX, READ_BYTES, WIRE_BYTES_MAX, WRITE_STALL_S
from p2p.tcp_counters import Counters


class Wire:
    """
    One connection; `run` must be running.

    Attributes:
        address: of the peer, without port.
        authenticated: set once the peer is known; until then it may send HANDSHAKE_BYTES_MAX.
        bytes_received: on the socket, encryption included.
    """

    def __init__(self, stream: trio.SocketStream, address: str, counters: Counters) -> None:
        self.address = address
        self.authenticated = False
        self.bytes_received = 0
        self._counters = counters
        self._stream = stream
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._closed = False
        self._filled = trio.Event()
        self._emptied = trio.Event()

    async def read(self, count: int) -> bytes:
        """
        Return exactly count bytes; fewer only when the connection has ended.

        Raises:
            Unavailable: the connection broke, or count is above READ_BYTES, which no layer above asks honestly.
        """
        if count > READ_BYTES:
            raise Unavailable(f"The peer announced {count} bytes at once; {READ_BYTES} is the most.")
        while len(self._incoming) < count:
            if not self.authenticated and self.bytes_received > HANDSHAKE_BYTES_MAX:
                raise Unavailable("The peer sends much and does not say who it is.")
            try:
                more = await self._stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Unavailable("The connection broke; it is dialled again.") from error
            if not more:
                break
            self._incoming += more
            self.bytes_received += len(more)
            self._counters.bytes_received += len(more)
        data = bytes(self._incoming[:count])
        del self._incoming[:count]
        return data

    async def write(self, data: bytes) -> None:
        """Queue bytes; waits while WIRE_BYTES_MAX wait. Raises Unavailable when the connection has ended."""
        if not self._closed:
            self._outgoing += data
            self._filled.set()
        while len(self._outgoing) > WIRE_BYTES_MAX and not self._closed:
            await self._emptied.wait()
        if self._closed:
            raise Unavailable("The connection has ended; it is dialled again.")

    def close(self) -> None:
        """End the connection at once, both ways."""
        self._closed = True
        self._stream.socket.close()
        self._outgoing.clear()
        self._filled.set()
        self._emptied.set()

    async def run(self) -> None:
        """Empty the buffer until the connection ends."""
        try:
            while not self._closed:
                await self._filled.wait()
                data, self._outgoing = self._outgoing, bytearray()
                self._filled, emptied = trio.Event(), self._emptied
                with trio.fail_after(WRITE_STALL_S):
                    await self._stream.send_all(data)
                self._counters.bytes_sent += len(data)
                self._emptied = trio.Event()
                emptied.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        finally:
            self.close()
