"""
Who is connected: the list, the bans, one connection per pair.

Both sides of a pair may dial at once. Of two connections the one that the peer with the smaller name dialled is kept,
which both sides decide alike. Only a second one in the same direction replaces a first: its dialler knows that to be
gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Protocol

import trio

from genesis.errors import Unavailable
from p2p.address import Address, StaticPeer
from p2p.conduct import Conduct
from p2p.identity import is_peer
from p2p.network import Offence, Peer, Statistics
from p2p.tcp_bounds import (
    CONNECT_S,
    HANDSHAKE_S,
    PROBE_S,
    STRANGERS_MAX,
    STREAMS_PER_PEER_MAX,
    STREAMS_PER_STRANGER_MAX,
)
from p2p.tcp_connection import Connection, Link
from p2p.tcp_dial import keep_dialled
from p2p.tcp_doorway import Doorway, accept_connections
from p2p.tcp_guard import Guard
from p2p.tcp_services import Services
from p2p.tcp_wire import Wire


class Transport(Protocol):
    """What makes links of sockets; see `libp2p`."""

    async def connect(self, wire: Wire, expected: Peer | None, welcome: Callable[[Peer], Guard]) -> Link: ...


class Peers:
    """All connections of a node; its tasks run in the given nursery."""

    def __init__(self, own: Peer, transport: Transport, services: Services, nursery: trio.Nursery) -> None:
        self.addresses: tuple[Address, ...] = ()
        self._own = own
        self._transport = transport
        self._services = services
        self._nursery = nursery
        self._connections: dict[Peer, Connection] = {}
        self._listed: dict[Peer, StaticPeer] = {}
        self._dialling: dict[Peer, trio.CancelScope] = {}
        self._strangers = False
        self._conduct = Conduct()
        self._doorway = Doorway(trio.current_time())
        services.neighbours = self._connections.values
        services.is_listed = self._listed.__contains__

    def listen(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Let peers in from now on."""
        self.addresses = tuple(Address(*listener.socket.getsockname()[:2]) for listener in listeners)
        for listener in listeners:
            self._nursery.start_soon(accept_connections, listener, self._let_in)

    def allow(self, peers: Iterable[StaticPeer], strangers: bool) -> None:
        """See `TcpNetwork.allow`."""
        self._strangers = strangers
        before = dict(self._listed)
        self._listed.clear()
        self._listed.update((static.peer, static) for static in peers if static.peer != self._own)
        for peer, static in before.items():
            if self._listed.get(peer) != static and peer in self._dialling:
                self._dialling.pop(peer).cancel()
        for peer, connection in tuple(self._connections.items()):
            if connection.stranger == (peer in self._listed) or (connection.stranger and not strangers):
                self._connections.pop(peer).close()
        for peer, static in self._listed.items():
            if peer not in self._dialling and static.address is not None:
                self._dialling[peer] = scope = trio.CancelScope()
                self._nursery.start_soon(self._keep_dialled, peer, static.address, scope)

    def connected(self) -> tuple[Peer, ...]:
        return tuple(sorted(self._connections))

    def connection(self, peer: Peer) -> Connection:
        """Raises Unavailable when there is none."""
        if peer not in self._connections:
            raise Unavailable(f"{peer} is not connected now; try again later.")
        return self._connections[peer]

    def report(self, peer: Peer, offence: Offence) -> None:
        """See `Network.report`."""
        if self._conduct.offend(peer, offence, trio.current_time()) and peer in self._connections:
            self._connections.pop(peer).close()

    def statistics(self) -> Statistics:
        banned = self._conduct.banned(trio.current_time())
        return Statistics(
            **asdict(self._services.counters),
            peers=len(self._connections),
            banned=len(banned),
            bans=self._conduct.bans,
            offences=self._conduct.offences,
        )

    async def _keep_dialled(self, peer: Peer, address: Address, scope: trio.CancelScope) -> None:
        async def dial() -> None:
            try:
                with trio.fail_after(CONNECT_S):
                    stream = await trio.open_tcp_stream(address.host, address.port)
            except (OSError, trio.TooSlowError):
                self._services.counters.dial_failures += 1
                return
            if not await self._carry(stream, address.host, peer, trio.CancelScope()):
                self._services.counters.dial_failures += 1

        with scope:
            await keep_dialled(
                hesitant=self._own > peer,
                connection=lambda: self._connections.get(peer),
                banned_for_s=lambda: self._conduct.banned_for_s(peer, trio.current_time()),
                dial=dial,
            )

    async def _let_in(self, stream: trio.SocketStream, address: str) -> None:
        scope = self._doorway.enter(address, trio.current_time())
        if scope is None or not await self._carry(stream, address, None, scope):
            self._services.counters.refused += 1
        await trio.aclose_forcefully(stream)

    async def _carry(
        self, stream: trio.SocketStream, address: str, expected: Peer | None, scope: trio.CancelScope
    ) -> bool:
        """Run a connection from its first byte to its last; return whether it came to be one."""
        wire = Wire(stream, address, self._services.counters)
        connection: Connection | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.run)
            with scope, suppress(Unavailable):
                link = await self._shake_hands(wire, expected)
                connection = Connection(
                    link,
                    wire,
                    dialled=expected is not None,
                    stranger=link.peer not in self._listed,
                    nursery=nursery,
                    counters=self._services.counters,
                    blame=self.report,
                )
            self._doorway.leave(scope)
            if connection is not None and self._admit(connection):
                try:
                    await connection.run(
                        self._services.protocols(connection.stranger), partial(self._services.accept, connection)
                    )
                finally:
                    self._forget(connection)
            wire.close()
            nursery.cancel_scope.cancel()
        return connection is not None

    async def _shake_hands(self, wire: Wire, expected: Peer | None) -> Link:
        """Learn who it is, then go on only with whom we want. Raises Unavailable."""

        def welcome(peer: Peer) -> Guard:
            if not self._may_enter(peer):
                raise Unavailable(f"{peer} is not wanted here now.")
            streams_max = STREAMS_PER_PEER_MAX if peer in self._listed else STREAMS_PER_STRANGER_MAX
            return Guard(int(expected is None), streams_max, trio.current_time())

        try:
            with trio.fail_after(HANDSHAKE_S):
                return await self._transport.connect(wire, expected, welcome)
        except trio.TooSlowError as error:
            raise Unavailable(f"No handshake within {HANDSHAKE_S} s.") from error

    def _may_enter(self, peer: Peer) -> bool:
        if peer == self._own or self._conduct.is_banned(peer, trio.current_time()):
            return False
        if peer in self._listed:
            return True
        strangers = sum(connection.stranger for connection in self._connections.values())
        return self._strangers and is_peer(peer) and (strangers < STRANGERS_MAX or peer in self._connections)

    def _admit(self, new: Connection) -> bool:
        """Keep one connection per pair; return whether it is this."""
        old = self._connections.get(new.peer)
        if old is not None and old.dialled != new.dialled and old.dialled == (self._own < new.peer):
            # The peer would hardly dial if it knew of the old one; it may be dead, and this side not know it yet.
            self._nursery.start_soon(old.prove_alive, PROBE_S)
            return False
        self._connections[new.peer] = new
        if old is not None:
            old.close()
        return True

    def _forget(self, connection: Connection) -> None:
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
        connection.ended.set()
