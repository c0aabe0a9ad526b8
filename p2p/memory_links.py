"""
The links of the network in memory: who reaches whom, and when what arrives.

Latency, jitter, loss, duplication and reordering are drawn per directed link from a generator seeded by (seed, sender,
receiver, way), so a link's weather depends on what it carried, not on how tasks were scheduled.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from p2p.conduct import Conduct
from p2p.network import Peer

IN_FLIGHT_MAX = 65_536
"""Publications and requests on their way in the whole network; beyond it they are lost."""


@dataclass(frozen=True, slots=True)
class Weather:
    """
    How a link behaves. Times in seconds, chances in [0, 1].

    loss, duplication, reordering: of each publication and request; a reordered one takes up to ten latencies longer.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0


class Links:
    """All directed links. Public state is changed by the hub only."""

    def __init__(self, nursery: trio.Nursery, seed: int, weather: Weather) -> None:
        self.nursery = nursery
        self.weather = weather
        self.alive: set[Peer] = set()
        self._seed = seed
        self._side: dict[Peer, int] = {}
        self._draws: dict[tuple[Peer, Peer, str], random.Random] = {}
        self._in_flight = 0
        self._conduct: dict[Peer, Conduct] = {}

    def cut(self, groups: Iterable[Iterable[Peer]]) -> None:
        """Let only nodes of one group reach one another; nodes of no group form one together. No groups: all do."""
        self._side = {name: number for number, group in enumerate(groups, 1) for name in group}

    def linked(self, one: Peer, other: Peer) -> bool:
        """Whether both live, on the same side, and neither has banned the other."""
        if not {one, other} <= self.alive or self._side.get(one, 0) != self._side.get(other, 0):
            return False
        return not (self._bans(one, other) or self._bans(other, one))

    def conduct(self, name: Peer) -> Conduct:
        """What a node holds against the others; a crash forgives."""
        return self._conduct.setdefault(name, Conduct())

    def forget_conduct(self, name: Peer) -> None:
        self._conduct.pop(name, None)

    def others(self, name: Peer) -> tuple[Peer, ...]:
        return tuple(sorted(other for other in self.alive if other != name and self.linked(name, other)))

    def delay_s(self, sender: Peer, receiver: Peer) -> float:
        """Draw how long a stream's next frame takes."""
        return self.weather.latency_s + self.weather.jitter_s * self._draw(sender, receiver, "stream").random()

    def deliveries_s(self, sender: Peer, receiver: Peer) -> tuple[float, ...]:
        """Draw when a datagram arrives: no time when it is lost, two when it is duplicated."""
        weather, draw = self.weather, self._draw(sender, receiver, "datagram")
        lost, twice, late = (draw.random() for _ in range(3))
        delays = tuple(weather.latency_s + weather.jitter_s * draw.random() for _ in range(2))
        if late < weather.reordering:
            delays = tuple(delay + 10 * weather.latency_s * draw.random() for delay in delays)
        if lost < weather.loss or not self.linked(sender, receiver):
            return ()
        return delays if twice < weather.duplication else delays[:1]

    @contextmanager
    def carry(self) -> Iterator[bool]:
        """Count something on its way; yields whether there was room for it."""
        room = self._in_flight < IN_FLIGHT_MAX
        self._in_flight += room
        try:
            yield room
        finally:
            self._in_flight -= room

    def _bans(self, one: Peer, other: Peer) -> bool:
        conduct = self._conduct.get(one)
        return conduct is not None and conduct.is_banned(other, trio.current_time())

    def _draw(self, sender: Peer, receiver: Peer, way: str) -> random.Random:
        link = (sender, receiver, way)
        if link not in self._draws:
            self._draws[link] = random.Random(f"{self._seed} {sender} {receiver} {way}")
        return self._draws[link]
