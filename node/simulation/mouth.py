"""
A liar's place in the network: what its honest machine says passes through its lie on the way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import trio

from genesis.errors import Invalid, Unavailable
from node.consensus import wire
from node.consensus.service import ASK_TIMEOUT_S
from node.simulation.ear import Ear
from node.simulation.lies import Lie
from node.simulation.watch import Watch
from p2p.memory import MemoryNetwork
from p2p.memory_links import Links
from p2p.network import Handler, Message, Peer, Stream


class Mouth(Ear):
    """Made by `Hub.join`."""

    def __init__(
        self, links: Links, nodes: Mapping[Peer, MemoryNetwork], identity: Peer, watch: Watch, lie: Lie
    ) -> None:
        super().__init__(links, nodes, identity, watch)
        self._lie = lie
        self._open: dict[tuple[Peer, str], Stream] = {}

    async def arrive(self, protocol: str, message: Message) -> None:
        if protocol == wire.BLOCKS:
            self._hear(message.payload)
        await super().arrive(protocol, message)

    async def open(self, peer: Peer, protocol: str) -> Stream:
        self._open[peer, protocol] = stream = await super().open(peer, protocol)
        return _Lying(self, peer, protocol, stream)

    def serve(self, protocol: str, handler: Handler) -> None:
        super().serve(protocol, partial(self._answer_with, protocol, handler))

    async def say(self, peer: Peer, protocol: str, payload: bytes) -> None:
        """Say something instead, on whatever stream it belongs on that is open."""
        if protocol == wire.BLOCKS:
            self._hear(payload)
        for on, words in self._lie.say(peer, protocol, payload):
            if (peer, on) in self._open:
                await self._open[peer, on].send(words)

    def _hear(self, payload: bytes) -> None:
        try:
            self._lie.hears(wire.decode_proposal(payload, self._lie.liar.known).block)
        except Invalid:
            return

    async def _answer_with(self, protocol: str, handler: Handler, peer: Peer, asked: bytes) -> bytes:
        answer = self._lie.answer(protocol, await handler(peer, asked))
        if answer is None:
            await trio.sleep(2 * ASK_TIMEOUT_S)
            raise Unavailable("no answer")
        return answer


class _Lying:
    def __init__(self, mouth: Mouth, peer: Peer, protocol: str, stream: Stream) -> None:
        self._mouth, self._peer, self._protocol, self._stream = mouth, peer, protocol, stream

    async def send(self, payload: bytes) -> None:
        await self._mouth.say(self._peer, self._protocol, payload)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def wait_broken(self) -> None:
        await self._stream.wait_broken()
