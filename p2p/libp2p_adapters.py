"""Between py-libp2p and this room: what it reads and writes through, and what becomes of its exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import trio
from libp2p.abc import IRawConnection
from libp2p.connection_types import ConnectionType
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.secure_session import SecureSession
from libp2p.stream_muxer.yamux.yamux import YamuxStream
from multiaddr import Multiaddr

from genesis.errors import Unavailable
from p2p.tcp_bounds import NEGOTIATION_BYTES_MAX
from p2p.tcp_guard import Guard, Hostile
from p2p.tcp_wire import Wire


class Raw(IRawConnection):
    """A wire, as py-libp2p wants it."""

    def __init__(self, wire: Wire, is_initiator: bool) -> None:
        self.is_initiator = is_initiator
        self._wire = wire

    async def read(self, n: int | None = None) -> bytes:
        try:
            data = await self._wire.read(n or 0)
        except Unavailable as error:
            raise ConnectionClosedError(str(error)) from error
        if n and not data:
            raise ConnectionClosedError("The connection has ended.")
        return data

    async def write(self, data: bytes) -> None:
        try:
            await self._wire.write(data)
        except Unavailable as error:
            raise ConnectionClosedError(str(error)) from error

    async def close(self) -> None:
        self._wire.close()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._wire.address, 0

    def get_transport_addresses(self) -> list[Multiaddr]:
        return []

    def get_connection_type(self) -> ConnectionType:
        return ConnectionType.DIRECT


class Guarded:
    """A session whose frames pass the guard; what Yamux needs of one."""

    def __init__(self, session: SecureSession, guard: Guard) -> None:
        self.session = session
        self.hostile: Hostile | None = None
        self._guard = guard

    async def read(self, n: int) -> bytes:
        data = await self.session.read(n)
        try:
            wait_s = self._guard.receive(data, trio.current_time())
        except Hostile as hostile:
            self.hostile = hostile
            await self.session.close()
            raise ConnectionClosedError(str(hostile)) from hostile
        if wait_s:
            await trio.sleep(wait_s)
        return data

    async def write(self, data: bytes) -> None:
        if frame := self._guard.send(data):
            await self.session.write(frame)

    async def close(self) -> None:
        await self.session.close()


class Bounded:
    """A stream during negotiation: py-libp2p itself would read any length the peer announces."""

    def __init__(self, stream: YamuxStream) -> None:
        self._stream = stream
        self._left = NEGOTIATION_BYTES_MAX

    async def read(self, n: int) -> bytes:
        if n > self._left:
            raise ConnectionClosedError("The peer sends much and agrees on nothing.")
        self._left -= n
        return await self._stream.read(n)

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)


def communicator(stream: YamuxStream) -> MultiselectCommunicator:
    return MultiselectCommunicator(cast(ReadWriteCloser, Bounded(stream)))


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """py-libp2p raises anything; nothing of it is more than a broken connection to us, which is Unavailable."""
    try:
        yield
    except Exception as error:
        raise Unavailable(what) from error
