"""
The door over TCP: libp2p's noise and yamux below (`libp2p`), own streams, requests and publications on top.

A node is dialled by, and dials, the peers on its list, again and again; one connection per pair is kept. It lets in
who is on the list, strangers only where that is allowed, and nobody who is banned. `tcp_peers` holds what is
connected; this file is the door in front of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import trio

from genesis.errors import Unavailable
from p2p.address import Address, StaticPeer
from p2p.identity import NodeKey
from p2p.network import (
    MESSAGE_BYTES_MAX,
    PUBLICATION_BYTES_MAX,
    Handler,
    Message,
    Offence,
    Peer,
    Statistics,
    check_name,
    check_size,
)
from p2p.tcp_doorway import open_listeners
from p2p.tcp_peers import Peers
from p2p.tcp_services import Services
from p2p.tcp_streams import TcpStream


class TcpNetwork:
    """See `Network`; made by `open_tcp_network`."""

    def __init__(self, key: NodeKey, peers: Peers, services: Services) -> None:
        self._identity = key.peer
        self._peers = peers
        self._services = services

    @property
    def identity(self) -> Peer:
        return self._identity

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this node listens."""
        return self._peers.addresses

    def allow(self, peers: Iterable[StaticPeer], strangers: bool = False) -> None:
        """
        Replace the list of peers that are let in and dialled; others are disconnected.

        Args:
            strangers: whether anybody else may come in too, up to STRANGERS_MAX; they may ask and hear publications,
                not open streams.
        """
        self._peers.allow(peers, strangers)

    def peers(self) -> tuple[Peer, ...]:
        return self._peers.connected()

    async def open(self, peer: Peer, protocol: str) -> TcpStream:
        check_name(protocol)
        return await self._peers.connection(peer).open(protocol)

    def listen(self, protocol: str) -> trio.MemoryReceiveChannel[Message]:
        check_name(protocol)
        return self._services.listen(protocol)

    async def request(self, peer: Peer, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        check_name(protocol)
        check_size(payload, MESSAGE_BYTES_MAX)
        connection = self._peers.connection(peer)
        with trio.move_on_after(timeout_s):
            return await connection.ask(protocol, payload)
        raise Unavailable(f"{peer} did not answer {protocol} within {timeout_s} s; ask again or another peer.")

    def serve(self, protocol: str, handler: Handler) -> None:
        check_name(protocol)
        self._services.serve(protocol, handler)

    async def retire(self) -> None:
        await self._services.retire()

    async def publish(self, topic: str, payload: bytes) -> None:
        check_name(topic)
        check_size(payload, PUBLICATION_BYTES_MAX)
        self._services.publish(topic, payload)
        await trio.lowlevel.checkpoint()

    def subscribe(self, topic: str) -> trio.MemoryReceiveChannel[Message]:
        check_name(topic)
        return self._services.subscribe(topic)

    def report(self, peer: Peer, offence: Offence) -> None:
        self._peers.report(peer, offence)

    def statistics(self) -> Statistics:
        return self._peers.statistics()


@asynccontextmanager
async def open_tcp_network(
    key: NodeKey, listen: Address | None, peers: Iterable[StaticPeer] = (), strangers: bool = False
) -> AsyncIterator[TcpNetwork]:
    """
    Hold a node's place in the network open; leaving ends all connections.

    Args:
        listen: where to let peers in; None only dials.
        peers, strangers: see `TcpNetwork.allow`.

    Raises:
        Unavailable: cannot listen there, for example because another process does.
    """
    # Takes 0.4 s of processor time and 50 MB, so whoever does not network does not pay for it.
    from p2p.libp2p import Libp2p

    listeners = [] if listen is None else await open_listeners(listen)
    async with trio.open_nursery() as nursery:
        services = Services(key)
        connected = Peers(key.peer, Libp2p(key), services, nursery)
        connected.allow(peers, strangers)
        connected.listen(listeners)
        yield TcpNetwork(key, connected, services)
        nursery.cancel_scope.cancel()
