"""
The network's bench: nodes over TCP on this machine, each its own process, all connected to all.

Wall time says little on a busy machine; `…_us_cpu` is the CPU time of a message in both processes together. One node
is killed with SIGKILL and started again; what is told is the time from its new life's first attempt to both sides being
connected. `idle_percent` is of one core, per node, while nothing is said.
"""

from __future__ import annotations

import json
import signal
import statistics
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import trio

from genesis.errors import Unavailable
from node.localnet import free_ports
from p2p.address import Address, StaticPeer
from p2p.identity import NodeKey
from p2p.network import MESSAGE_BYTES_MAX, Peer
from p2p.tcp import TcpNetwork, open_tcp_network

HOST = "127.0.0.1"
START_S = 60.0
ANSWER_S = 30.0
MIB = 1024 * 1024
SECONDS = struct.Struct(">d")

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of each; times in seconds."""

    nodes: int = 4
    round_trips: int = 2_000
    messages: int = 50_000
    requests: int = 1_000
    large: int = 10
    publications: int = 300
    idle_s: float = 20.0
    kills: int = 5


def key(number: int) -> NodeKey:
    return NodeKey(bytes([number + 1]) * 32)


async def measure(plan: Plan) -> Figures:
    """Start the others, join them, ask."""
    ports = free_ports(plan.nodes)
    processes = [_start(ports, number) for number in range(1, plan.nodes)]
    try:
        async with _joined(ports, 0) as network:
            await _until_connected(network, plan.nodes - 1)
            peer = key(1).peer
            figures = await _idle(network, plan)
            figures |= await _round_trips(network, peer, plan.round_trips)
            figures |= await _messages(network, peer, plan.messages)
            figures |= await _requests(network, peer, plan)
            figures |= await _publications(network, peer, plan.publications)
            figures |= await _kills(network, ports, processes, plan.kills)
    finally:
        for process in processes:
            process.kill()
            process.join()
    return {name: round(value, 3) for name, value in figures.items()}


async def _idle(network: TcpNetwork, plan: Plan) -> Figures:
    await trio.sleep(1)
    before = [time.process_time(), *[await _cpu_s(network, key(number).peer) for number in range(1, plan.nodes)]]
    await trio.sleep(plan.idle_s)
    after = [time.process_time(), *[await _cpu_s(network, key(number).peer) for number in range(1, plan.nodes)]]
    return {"idle_percent": max(end - begin for begin, end in zip(before, after, strict=True)) / plan.idle_s * 100}


async def _round_trips(network: TcpNetwork, peer: Peer, count: int) -> Figures:
    back, stream, times = network.listen("back"), await network.open(peer, "there"), []
    for _ in range(count):
        started = time.perf_counter()
        await stream.send(bytes(1024))
        await back.receive()
        times.append(time.perf_counter() - started)
    times.sort()
    return {
        "round_trip_ms_p50": statistics.median(times) * 1e3,
        "round_trip_ms_p99": times[len(times) * 99 // 100] * 1e3,
    }


async def _messages(network: TcpNetwork, peer: Peer, count: int) -> Figures:
    stream, before = await network.open(peer, "sink"), network.statistics()

    async def send() -> None:
        for _ in range(count):
            await stream.send(bytes(1024))
        while int.from_bytes(await network.request(peer, "sunk", b"", ANSWER_S), "big") < count:
            await trio.sleep(0.002)

    wall_s, cpu_s = await _timed(network, peer, send)
    frames = network.statistics().frames_sent - before.frames_sent
    return {
        "messages_per_s": count / wall_s,
        "message_us_cpu": cpu_s / count * 1e6,
        "messages_per_frame": count / frames,
    }


async def _requests(network: TcpNetwork, peer: Peer, plan: Plan) -> Figures:
    async def ask(count: int, payload: bytes) -> None:
        for _ in range(count):
            await network.request(peer, "echo", payload, ANSWER_S)

    async def ask_at_once() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(16):
                nursery.start_soon(ask, plan.requests // 16, bytes(1024))

    await ask_at_once()
    wall_s, cpu_s = await _timed(network, peer, lambda: ask(plan.requests, bytes(1024)))
    at_once_s, _ = await _timed(network, peer, ask_at_once)
    large_s, _ = await _timed(network, peer, lambda: ask(plan.large, bytes(MESSAGE_BYTES_MAX)))
    return {
        "requests_per_s": plan.requests / wall_s,
        "request_us_cpu": cpu_s / plan.requests * 1e6,
        "requests_at_once_per_s": plan.requests // 16 * 16 / at_once_s,
        "large_mib_per_s": 2 * plan.large * MESSAGE_BYTES_MAX / MIB / large_s,
    }


async def _publications(network: TcpNetwork, peer: Peer, count: int) -> Figures:
    async def publish() -> None:
        for _ in range(count):
            await network.publish("heads", bytes(1024))
            await trio.sleep(0.01)

    _, cpu_s = await _timed(network, peer, publish)
    heard = int.from_bytes(await network.request(peer, "heard", b"", ANSWER_S), "big")
    return {"publication_us_cpu": cpu_s / count * 1e6, "publications_lost": count - heard}


async def _kills(network: TcpNetwork, ports: list[int], processes: list[BaseProcess], count: int) -> Figures:
    noticed, back = [], []
    for _ in range(count):
        await trio.sleep(2.5)
        processes[-1].kill()
        killed = time.perf_counter()
        await _until_connected(network, len(ports) - 2)
        noticed.append(time.perf_counter() - killed)
        processes[-1].join()
        processes[-1] = _start(ports, len(ports) - 1)
        await _until_connected(network, len(ports) - 1)
        back.append(await _joined_s(network, key(len(ports) - 1).peer))
    return {
        "loss_noticed_ms_max": max(noticed) * 1e3,
        "back_ms_p50": statistics.median(back) * 1e3,
        "back_ms_max": max(back) * 1e3,
    }


async def _timed(network: TcpNetwork, peer: Peer, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the wall time of some work, and the CPU time of both ends."""
    theirs, ours, started = await _cpu_s(network, peer), time.process_time(), time.perf_counter()
    await work()
    wall_s = time.perf_counter() - started
    return wall_s, await _cpu_s(network, peer) - theirs + time.process_time() - ours


async def _cpu_s(network: TcpNetwork, peer: Peer) -> float:
    seconds: float = SECONDS.unpack(await network.request(peer, "cpu", b"", ANSWER_S))[0]
    return seconds


async def _joined_s(network: TcpNetwork, peer: Peer) -> float:
    """Return how long a node took to be connected to all, once it is; its first connections may still be replaced."""
    joined_s = 0.0
    while not joined_s:
        with suppress(Unavailable):
            joined_s = SECONDS.unpack(await network.request(peer, "joined", b"", ANSWER_S))[0]
        await trio.sleep(0.01)
    return joined_s


async def _until_connected(network: TcpNetwork, count: int) -> None:
    with trio.fail_after(START_S):
        while len(network.peers()) != count:
            await trio.sleep(0.002)


@asynccontextmanager
async def _joined(ports: list[int], number: int) -> AsyncIterator[TcpNetwork]:
    peers = [StaticPeer(key(other).peer, Address(HOST, port)) for other, port in enumerate(ports)]
    async with open_tcp_network(key(number), Address(HOST, ports[number]), peers) as network:
        yield network


def _start(ports: list[int], number: int) -> BaseProcess:
    process = get_context("spawn").Process(target=_run_peer, args=(ports, number), daemon=True)
    process.start()
    return process


def _run_peer(ports: list[int], number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trio.run(_answer, ports, number)


async def _answer(ports: list[int], number: int) -> None:
    """A node that answers what the bench asks, until it is killed."""
    async with _joined(ports, number) as network:
        started, joined, sunk, heard = time.perf_counter(), 0.0, 0, 0
        there, sink, heads = network.listen("there"), network.listen("sink"), network.subscribe("heads")

        async def echo(peer: Peer, payload: bytes) -> bytes:
            return payload

        async def send_back() -> None:
            stream = None
            async for message in there:
                stream = stream or await network.open(message.peer, "back")
                await stream.send(message.payload)

        async def sink_all() -> None:
            nonlocal sunk
            async for _ in sink:
                sunk += 1

        async def hear() -> None:
            nonlocal heard
            async for _ in heads:
                heard += 1

        def serve(name: str, what: Callable[[], bytes]) -> None:
            async def answer(peer: Peer, payload: bytes) -> bytes:
                return what()

            network.serve(name, answer)

        network.serve("echo", echo)
        serve("cpu", lambda: SECONDS.pack(time.process_time()))
        serve("sunk", lambda: sunk.to_bytes(8, "big"))
        serve("heard", lambda: heard.to_bytes(8, "big"))
        serve("joined", lambda: SECONDS.pack(joined))
        async with trio.open_nursery() as nursery:
            for task in (send_back, sink_all, hear):
                nursery.start_soon(task)
            await _until_connected(network, len(ports) - 1)
            joined = time.perf_counter() - started


def main(as_json: bool = True, plan: Plan | None = None) -> int:
    """Print the figures, as one JSON object or line by line; return 0."""
    figures = trio.run(measure, plan or Plan())
    if as_json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        print(f"{name:24} {value:12,.3f}")
    return 0
