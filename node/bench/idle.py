"""
The bench of idle connections: ten thousand that say nothing, at the gateway and at the port of the other validators.

A real node process whose network lets one peer in, this one. Honest clients are measured alone, then among the idle:
requests on a connection that stands and on fresh ones, questions to the node over the network, and the time until a
peer that went away is back. Last line with --json: times in ms, p99 where there are many, each alone and with idle ones

    kept, fresh, asked, back
    gateway_held, gateway_turned_away   clients that the gateway has among the idle, and those it has ended
    memory_mb_alone, memory_mb          of core and gateway, before and with all idle at the gateway

A request that fails ends the bench.
"""

from __future__ import annotations

import json as jsons
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.crypto import checksum_address
from genesis.devkeys import development_address
from genesis.errors import Corrupt, Unavailable
from node.bench.figures import show
from node.bench.load import body_of
from node.bench.site import Site, open_site
from node.consensus import wire
from node.localnet import free_ports
from node.place import NODE_KEY_BYTES
from node.watch.process import raise_open_files
from p2p.address import StaticPeer, read_static_peer
from p2p.identity import NodeKey
from p2p.tcp import TcpNetwork, open_tcp_network

ADDRESSES = 50
"""Of this machine, from which the idle come."""
OPENING_MAX = 100
"""Connections being opened at once."""
FILES_SPARE = 200
FRIEND = 15
"""Development key under whose address this process is on the node's list of peers."""
PATIENCE_S = 60.0
MIB = 1 << 20

Asks = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """asked: honest requests of each kind in each run."""

    idle: int = 10_000
    asked: int = 300


def main(json: bool) -> int:
    """Measure and print; the exit code."""
    return show(trio.run(measure, Plan()), json)


async def measure(plan: Plan) -> dict[str, Any]:
    """
    On a fresh chain.

    Raises:
        Unavailable: this process may not open so many files, or the node does not start.
        Corrupt: an honest request failed.
    """
    allowed = raise_open_files() - FILES_SPARE
    if plan.idle > allowed:
        raise Unavailable(f"{plan.idle} connections need as many open files; this process may have {allowed}.")
    with TemporaryDirectory(prefix="tenor-bench-") as name:
        folder, secret, friend = Path(name), secrets.token_bytes(NODE_KEY_BYTES), NodeKey(secrets.token_bytes(32))
        port, nowhere = free_ports(2)
        (folder / "node.key").write_text(secret.hex())
        line = f"{checksum_address(development_address(FRIEND))} /ip4/127.0.0.1/tcp/{nowhere}/p2p/{friend.peer}"
        (folder / "peers").write_text(line + "\n")
        network = {
            "network.listen": f"/ip4/127.0.0.1/tcp/{port}",
            "network.peers": str(folder / "peers"),
            "network.key": str(folder / "node.key"),
        }
        async with open_site(folder, [], network) as site:
            static = read_static_peer(f"/ip4/127.0.0.1/tcp/{port}/p2p/{NodeKey(secret).peer}")
            return await _Bench(plan, site, static, friend, port).run()


class _Bench:
    def __init__(self, plan: Plan, site: Site, node: StaticPeer, friend: NodeKey, network_port: int) -> None:
        self._plan, self._site, self._node, self._friend, self._port = plan, site, node, friend, network_port

    async def run(self) -> dict[str, Any]:
        figures: dict[str, float] = {"idle": self._plan.idle}
        figures |= {f"{name}_ms_alone": took for name, took in (await self._clients()).items()}
        await self._validators()  # imports what a network needs
        figures |= {f"{name}_ms_alone": took for name, took in (await self._validators()).items()}
        figures["memory_mb_alone"] = await self._memory_mb()
        async with self._idle(self._site.port):
            figures |= {f"{name}_ms": took for name, took in (await self._clients()).items()}
            figures["gateway_held"] = await self._sum("tenor_gateway_connections")
            figures["gateway_turned_away"] = await self._sum("tenor_gateway_turned_away_total")
            figures["memory_mb"] = await self._memory_mb()
        async with self._idle(self._port):
            figures |= {f"{name}_ms": took for name, took in (await self._validators()).items()}
        return figures

    async def _clients(self) -> dict[str, float]:
        async with await trio.open_tcp_stream("127.0.0.1", self._site.port) as stream:
            kept = await self._p99(lambda: self._ask(stream))

        async def fresh() -> None:
            async with await trio.open_tcp_stream("127.0.0.1", self._site.port) as stream:
                await self._ask(stream)

        return {"kept": kept, "fresh": await self._p99(fresh)}

    async def _ask(self, stream: trio.SocketStream) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"method":"tenor_chainInfo"}'
        await stream.send_all(b"POST / HTTP/1.1\r\nhost: node\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        answer = jsons.loads(await body_of(stream))
        if "result" not in answer:
            raise Corrupt(f"an honest request was refused: {answer}")

    async def _validators(self) -> dict[str, float]:
        """asked: questions on a connection that stands; back: from dialling until the first answer."""
        begun = time.perf_counter()
        async with open_tcp_network(self._friend, None, [self._node]) as network:
            while self._node.peer not in network.peers():
                await trio.sleep(0.01)
            await self._question(network)
            back = time.perf_counter() - begun
            return {"back": round(back * 1e3, 2), "asked": await self._p99(lambda: self._question(network))}

    async def _question(self, network: TcpNetwork) -> None:
        await network.request(self._node.peer, wire.RANGE, wire.encode_range(1, 1), PATIENCE_S)

    async def _p99(self, ask: Asks) -> float:
        late = []
        for _ in range(self._plan.asked):
            begun = time.perf_counter()
            with trio.fail_after(PATIENCE_S):
                await ask()
            late.append(time.perf_counter() - begun)
        return round(sorted(late)[int(0.99 * len(late))] * 1e3, 2)

    @asynccontextmanager
    async def _idle(self, port: int) -> AsyncIterator[None]:
        """All idle connections open, and closed again."""
        streams: list[trio.SocketStream] = []
        limit = trio.CapacityLimiter(OPENING_MAX)

        async def open_one(number: int) -> None:
            async with limit:
                source = f"127.0.1.{1 + number % ADDRESSES}" if sys.platform == "linux" else None
                streams.append(await trio.open_tcp_stream("127.0.0.1", port, local_address=source))

        async with trio.open_nursery() as nursery:
            for number in range(self._plan.idle):
                nursery.start_soon(open_one, number)
        try:
            yield
        finally:
            for stream in streams:
                stream.socket.close()

    async def _memory_mb(self) -> float:
        return round(await self._sum("tenor_resident_bytes") / MIB, 1)

    async def _sum(self, metric: str) -> float:
        """Over all labels, as /metrics says."""
        async with await trio.open_tcp_stream("127.0.0.1", self._site.port) as stream:
            await stream.send_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
            text = (await body_of(stream)).decode()
        return sum(map(float, re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE)))


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
