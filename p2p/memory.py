"""
The door in memory: a whole network in one process, with the weather of a real one, replayable by its seed.

Works under trio's MockClock. Partitions and crashes break streams at once, as a reset connection does; streams
themselves never lose, repeat or reorder. What is drawn from the seed, and how, is in `memory_links`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import trio

from p2p.memory_links import Links, Weather
from p2p.memory_node import MemoryNetwork
from p2p.network import Peer

__all__ = ["Hub", "MemoryNetwork", "Weather", "open_memory_network"]


class Hub:
    """All nodes of one network in memory, and the hand that makes its weather."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._nodes: dict[Peer, MemoryNetwork] = {}

    def join(self, name: Peer, make: Callable[..., MemoryNetwork] = MemoryNetwork) -> MemoryNetwork:
        """Add a node, or the next life of one that crashed; `make` may give it another kind of ears or mouth."""
        assert name not in self._nodes, f"{name} is in the network already"
        self._links.alive.add(name)
        self._nodes[name] = node = make(self._links, self._nodes, name)
        return node

    def crash(self, name: Peer) -> None:
        """Take a node out: its streams break, what it was sent is lost, its channels end."""
        self._links.alive.discard(name)
        self._links.forget_conduct(name)
        self._nodes.pop(name).shut()
        self._break_cut_streams()

    def partition(self, groups: Iterable[Iterable[Peer]]) -> None:
        """Cut the network into groups; nodes of no group form one together."""
        self._links.cut(groups)
        self._break_cut_streams()

    def heal(self) -> None:
        """Join all groups again; broken streams stay broken."""
        self._links.cut(())

    def set_weather(self, weather: Weather) -> None:
        """From now on; what is on its way arrives as it would have."""
        self._links.weather = weather

    def _break_cut_streams(self) -> None:
        for node in self._nodes.values():
            node.break_cut_streams()


@asynccontextmanager
async def open_memory_network(seed: int = 0, weather: Weather | None = None) -> AsyncIterator[Hub]:
    """Hold a network open; leaving cancels whatever is still on its way."""
    async with trio.open_nursery() as nursery:
        yield Hub(Links(nursery, seed, weather or Weather()))
        nursery.cancel_scope.cancel()
