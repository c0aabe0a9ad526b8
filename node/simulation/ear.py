"""
A node's place in the network in memory, with an ear: the watch hears all that arrives, answers of requests included.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.simulation.watch import Watch
from p2p.memory import MemoryNetwork
from p2p.memory_links import Links
from p2p.network import Message, Peer


class Ear(MemoryNetwork):
    """Made by `Hub.join`."""

    def __init__(self, links: Links, nodes: Mapping[Peer, MemoryNetwork], identity: Peer, watch: Watch) -> None:
        super().__init__(links, nodes, identity)
        self._watch = watch

    async def arrive(self, protocol: str, message: Message) -> None:
        self._watch.arrives(self.identity, message.peer, protocol, message.payload)
        await super().arrive(protocol, message)

    async def request(self, peer: Peer, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        answer = await super().request(peer, protocol, payload, timeout_s)
        self._watch.event(self.identity, f"is answered {protocol} by {peer}", answer)
        return answer
