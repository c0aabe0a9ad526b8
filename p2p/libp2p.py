"""
The layers of libp2p that a connection goes through: multistream-select, noise, yamux.

Its host, swarm and pubsub are left out: they end the process at one malformed packet (0.8.1), hold a dialler up for a
quarter second and forget failed peers for a minute; accepting, dialling and what travels are in the `tcp` files. What
remains is interoperable: any libp2p may connect over TCP, /noise and /yamux/1.0.0 and be pinged. Importing this takes
a third of a second, so do it when the node starts networking. Whatever py-libp2p raises leaves here as Unavailable.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import cast

import trio

from genesis.errors import Unavailable
from p2p.identity import Kind, NodeKey
from p2p.libp2p_layers import layers_alone
from p2p.network import Peer
from p2p.tcp_bounds import CHANNEL_READ_BYTES, HANDSHAKE_S, NEGOTIATION_S, RESET_S
from p2p.tcp_guard import Guard, Hostile
from p2p.tcp_wire import Wire

with layers_alone():
    from libp2p.abc import ISecureConn
    from libp2p.crypto.ed25519 import create_new_key_pair as ed25519_pair
    from libp2p.crypto.secp256k1 import create_new_key_pair as secp256k1_pair
    from libp2p.crypto.x25519 import create_new_key_pair as x25519_pair
    from libp2p.custom_types import TProtocol
    from libp2p.peer.id import ID
    from libp2p.protocol_muxer.generic_selector import GenericMultistreamSelector
    from libp2p.protocol_muxer.multiselect import Multiselect
    from libp2p.protocol_muxer.multiselect_client import MultiselectClient
    from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
    from libp2p.security.noise.transport import Transport as Noise
    from libp2p.security.secure_session import SecureSession
    from libp2p.security.security_multistream import SecurityMultistream
    from libp2p.stream_muxer.exceptions import MuxedStreamEOF
    from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
    from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream

    from p2p.libp2p_adapters import Guarded, Raw, communicator, mapped


class Libp2p:
    """Makes connections out of sockets, in the name of one key."""

    def __init__(self, key: NodeKey) -> None:
        # Credit is given back in large steps, which doubles the throughput of streams.
        os.environ.setdefault("PY_YAMUX_RELEASE_ON_READ", "0")
        logging.getLogger("libp2p").setLevel(logging.CRITICAL)
        pair = ed25519_pair(key.secret) if key.kind is Kind.ED25519 else secp256k1_pair(key.secret)
        self._security = SecurityMultistream({NOISE: Noise(pair, noise_privkey=x25519_pair().private_key)})
        self._muxers: GenericMultistreamSelector[None] = GenericMultistreamSelector()
        self._muxers.add_handler(TProtocol(YAMUX), None)

    async def connect(self, wire: Wire, expected: Peer | None, welcome: Callable[[Peer], Guard]) -> Link:
        """
        Encrypt, learn who the other side is, and go on if it is welcome.

        Args:
            expected: whom we dialled; None when we were dialled.
            welcome: gives the guard for a peer, or raises Unavailable.

        Raises:
            Unavailable: no node, not the expected one, not welcome, or we are not welcome there.
        """
        raw = Raw(wire, expected is not None)
        with mapped("No handshake with the peer; is it a node, and the right one?"):
            if expected is None:
                session = await self._security.secure_inbound(raw)
            else:
                session = await self._security.secure_outbound(raw, ID.from_base58(expected))
        wire.authenticated = True
        peer = session.get_remote_peer().to_base58()
        guard = welcome(peer)
        with mapped("The peer closed the connection; it may not have this node on its list."):
            await self._muxers.select(session, session.is_initiator, HANDSHAKE_S)
        return Link(Guarded(cast(SecureSession, session), guard), peer)


class Channel:
    """One stream of a connection, both ways. Not to be read, nor written, by two tasks at once."""

    def __init__(self, stream: YamuxStream, protocol: str) -> None:
        self.protocol = protocol
        self._stream = stream

    async def read(self) -> bytes:
        """Return some bytes; none at the end. Raises Unavailable when the stream broke."""
        try:
            return await self._stream.read(CHANNEL_READ_BYTES)
        except MuxedStreamEOF:
            return b""
        except Exception as error:
            raise Unavailable("The stream broke; open a new one.") from error

    async def write(self, data: bytes) -> None:
        """Raises Unavailable when the stream broke."""
        with mapped("The stream broke; open a new one."):
            await self._stream.write(data)

    async def finish(self) -> None:
        """Say that nothing more is written. Raises Unavailable when the stream broke."""
        with mapped("The stream broke; open a new one."):
            await self._stream.close()

    async def reset(self) -> None:
        """End both ways, whatever state it is in; does not wait for long, nor is it cancelled."""
        with trio.move_on_after(RESET_S, shield=True), suppress(Unavailable), mapped("It is broken already."):
            await self._stream.reset()


class Link:
    """A multiplexed connection with a known peer; `run` must be running."""

    def __init__(self, guarded: Guarded, peer: Peer) -> None:
        self.peer = peer
        self._guarded = guarded
        session = guarded.session
        self._yamux = Yamux(cast(ISecureConn, guarded), session.get_remote_peer(), session.is_initiator)

    async def run(self, protocols: Collection[str], serve: Callable[[Channel], Awaitable[None]]) -> None:
        """
        Serve what the peer opens, until the connection ends.

        Args:
            protocols: that it may open; may change.
            serve: runs as a task per stream, which is reset when it returns or raises Unavailable.

        Raises:
            Hostile: the peer was, as far as the guard or serve saw.
        """
        async with trio.open_nursery() as nursery:

            async def serve_one(stream: YamuxStream) -> None:
                try:
                    await self._serve(stream, protocols, serve)
                except Hostile as hostile:
                    self._guarded.hostile = hostile
                    nursery.cancel_scope.cancel()

            nursery.start_soon(self._multiplex)
            with suppress(Unavailable):
                while True:
                    with mapped("The connection has ended."):
                        stream = cast(YamuxStream, await self._yamux.accept_stream())
                    nursery.start_soon(serve_one, stream)
            nursery.cancel_scope.cancel()
        if self._guarded.hostile:
            raise self._guarded.hostile

    async def open(self, protocol: str) -> Channel:
        """Open a stream. Raises Unavailable when the peer does not serve the protocol."""
        what = f"{self.peer} does not serve {protocol} now; try again later."
        with mapped(what), trio.fail_after(NEGOTIATION_S):
            stream = await self._yamux.open_stream()
        channel = Channel(stream, protocol)
        try:
            with mapped(what):
                await MultiselectClient().select_one_of([TProtocol(protocol)], communicator(stream), NEGOTIATION_S)
        except BaseException:
            await channel.reset()
            raise
        return channel

    async def _multiplex(self) -> None:
        with suppress(Unavailable), mapped("The connection has ended."):
            await self._yamux.start()

    async def _serve(
        self, stream: YamuxStream, protocols: Collection[str], serve: Callable[[Channel], Awaitable[None]]
    ) -> None:
        channel = Channel(stream, "")
        try:
            with mapped("No protocol was agreed on."):
                offered = Multiselect({TProtocol(protocol): None for protocol in protocols})
                chosen, _ = await offered.negotiate(communicator(stream), NEGOTIATION_S)
            channel.protocol = str(chosen)
            await serve(channel)
        except Unavailable:
            return
        finally:
            await channel.reset()
