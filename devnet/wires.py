"""
The wires between the nodes of a devnet: every node dials every other through a relay of its own, which can be cut.

Cut, a relay ends what goes through it and takes nothing new. Hushed, it takes everything and delivers nothing, so that
the two sides learn of it by waiting; what it holds goes on when it heals. Works for any user, where network namespaces
need rights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import trio

from node.localnet import free_ports
from node.place import read_peers

CHUNK_BYTES = 1 << 16

State = Literal["open", "cut", "hushed"]


@dataclass(slots=True)
class _Relay:
    """From one node to another. through: what goes through it now."""

    dialler: int
    listener: int
    port: int
    target: int
    state: State = "open"
    changed: trio.Event = field(default_factory=trio.Event)
    through: set[trio.CancelScope] = field(default_factory=set)

    def turn(self, state: State) -> None:
        self.state = state
        self.changed.set()
        self.changed = trio.Event()
        if state == "cut":
            for scope in self.through:
                scope.cancel()

    async def carry(self, near: trio.SocketStream) -> None:
        """One connection, until a side ends it or it is cut."""
        async with near:
            if self.state == "cut":
                return
            try:
                far = await trio.open_tcp_stream("127.0.0.1", self.target)
            except OSError:
                return
            async with far:
                with trio.CancelScope() as scope:
                    self.through.add(scope)
                    try:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(self._pump, near, far, scope)
                            nursery.start_soon(self._pump, far, near, scope)
                    finally:
                        self.through.discard(scope)

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            while data := await source.receive_some(CHUNK_BYTES):
                while self.state == "hushed":
                    await self.changed.wait()
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()


class Wires:
    """`lay` before the nodes start, then `run` beside them."""

    def __init__(self, relays: Sequence[_Relay]) -> None:
        self._relays = relays

    @classmethod
    def lay(cls, folder: Path, validators: int) -> tuple[Wires, list[Path]]:
        """Wires for the network in a folder of `localnet.write_folders`; for each node its list of peers."""
        text = (folder / "peers").read_text()
        places = [line.split() for line in text.splitlines()]
        addresses = [peer.address for peer in read_peers(folder / "peers").values()]
        targets = [address.port for address in addresses if address is not None]
        ports = iter(free_ports(validators * validators))
        relays, lists = [], []
        for dialler in range(validators):
            lines = []
            for listener, (address, place) in enumerate(places):
                relay = _Relay(dialler, listener, next(ports), targets[listener])
                if listener != dialler:
                    relays.append(relay)
                    place = place.replace(f"/tcp/{relay.target}/", f"/tcp/{relay.port}/")
                lines.append(f"{address} {place}\n")
            lists.append(folder / f"validator-{dialler}" / "peers")
            lists[-1].write_text("".join(lines))
        return cls(relays), lists

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for relay in self._relays:
                await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), relay.carry, relay.port)
            task_status.started()

    def part(self, island: Collection[int], how: State) -> None:
        """Between these nodes and the others."""
        for relay in self._relays:
            if (relay.dialler in island) != (relay.listener in island):
                relay.turn(how)

    def heal(self) -> None:
        for relay in self._relays:
            if relay.state != "open":
                relay.turn("open")
