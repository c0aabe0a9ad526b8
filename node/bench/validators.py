"""
The validators' bench: four nodes as an operator runs them, processes of their own over TCP, killed again and again.

Last line with --json, times in ms from the moment named:

    certified_p50_ms, certified_p99_ms   from sending a transaction to any node until that node has it certified
    failover_p50_ms, failover_p99_ms     from SIGKILL of the leader until a survivor has the next certified block
    rejoin_ms                            from the start of a killed node until it votes, level with the others; median
    restart_all_ms                       from the start of all, killed at once, until the next certified block
    idle_cpu_percent                     of one core, per node, gateway included, while blocks are empty
    reverted_share                       of receipts told as executed under load without faults, that came to nothing
    reverted_in_flight_share             the same of what was not certified yet when a leader was killed
    refused                              transactions, by the refusal's code, kills included
    refused_though_run                   of them, how many are in the chain all the same
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.chain import OrderClass, Receipt
from genesis.crypto import address_of
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, TenorError, Unavailable
from node.bench.figures import show
from node.bench.site import process_cpu_s
from node.client import Client, connect
from node.leash import leash
from node.localnet import free_ports, validator_key, write_folders
from node.programs import Programs
from node.wallet import Wallet

RICH = range(6, 16)
RATE = 500
"""Transactions a second, of all senders together."""
SETTLEMENT_BLOCK_MS = 500
START_S, LEVEL_S, BLOCK_S = 180.0, 60.0, 60.0
IDLE_S = 10.0
BETWEEN_KILLS_S = 1.0
LEVEL_BLOCKS = 2
LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction as its node answered it."""

    node: int
    at_s: float
    receipt: Receipt


@dataclass(slots=True)
class Figures:
    failovers_ms: list[float] = field(default_factory=list)
    rejoins_ms: list[float] = field(default_factory=list)
    in_flight: int = 0
    reverted_in_flight: int = 0


class Node:
    """A validator's process, and what it says of its blocks."""

    def __init__(self, config: Path, port: int) -> None:
        self._command = [sys.executable, "-m", "node.cli", "node", "run", "--config", str(config)]
        self._log = config.parent / "log"
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.process: subprocess.Popen[bytes] | None = None
        self.certified: dict[int, float] = {}
        """When each height was told as certified, by the clock of this process."""

    @property
    def height(self) -> int:
        return max(self.certified, default=0)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                **leash().process_options(),
            )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    async def watch(self) -> None:
        """Follow its blocks, through its deaths."""
        while True:
            try:
                async with connect(self.url) as client, client.subscribe("blocks") as blocks:
                    async for note in blocks:
                        self.certified.setdefault(note.result["height"], time.monotonic())
            except* (Unavailable, OSError):
                pass
            await trio.sleep(LOOK_S)

    def cpu_s(self) -> float:
        assert self.process is not None
        return process_cpu_s(self.process.pid)


class Bench:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.sent: list[Sent] = []
        self.refused: list[tuple[bytes, str]] = []
        """Transactions, each with the refusal's code."""

    # Load

    async def load(self) -> None:
        """RATE transfers a second, spread over accounts and nodes; one that is refused is not counted."""
        async with trio.open_nursery() as nursery:
            for number, key in enumerate(RICH):
                nursery.start_soon(self._send, number % len(self.nodes), key)

    async def _send(self, number: int, key: int) -> None:
        pause_s = len(RICH) / RATE
        while True:
            try:
                async with connect(self.nodes[number].url) as client, trio.open_nursery() as nursery:
                    programs = await Programs.load(client)
                    while not (await client.consensus())["votes"]:
                        await trio.sleep(LOOK_S)  # behind the others, it tells sequences that are used
                    wallet = await Wallet.open(client, development_key(key))
                    call = programs["bank"].call("transfer", 0, development_address(6), "0.01")
                    next_s = trio.current_time()
                    while True:
                        signed = await wallet.sign([call], order=OrderClass.CANCEL)
                        nursery.start_soon(self._one, number, client, signed)
                        next_s = max(next_s + pause_s, trio.current_time())
                        await trio.sleep_until(next_s)
            except* (TenorError, OSError):
                pass
            await trio.sleep(LOOK_S)

    async def _one(self, number: int, client: Client, signed: Any) -> None:
        at_s = time.monotonic()
        try:
            self.sent.append(Sent(number, at_s, await client.send(signed)))
        except Invalid as error:
            self.refused.append((signed.id, error.code))

    def latencies_ms(self, sent: Sequence[Sent]) -> list[float]:
        """From sending to the certificate, as the sender's node told both."""
        found = []
        for one in sent:
            done = self.nodes[one.node].certified.get(one.receipt.height)
            if done is not None:
                found.append(1_000 * (done - one.at_s))
        return found

    async def refused_though_run(self, node: int) -> int:
        """How many that were refused are in the chain all the same."""
        found = 0
        async with connect(self.nodes[node].url) as client:
            for transaction, _ in self.refused:
                with suppress(Invalid, Unavailable):
                    found += (await client.receipt(transaction)).stage in ("certified", "posted", "final")
        return found

    async def reverted(self, sent: Sequence[Sent], node: int) -> int:
        """How many of these are not in the chain to the bit as they were answered."""
        lost = 0
        async with connect(self.nodes[node].url) as client:
            for one in sent:
                try:
                    again = await client.receipt(one.receipt.transaction)
                    lost += again.encode() != one.receipt.encode()
                except (Invalid, Unavailable):
                    lost += 1
        return lost

    # Waiting

    async def until_height(self, height: int, nodes: Sequence[Node]) -> float:
        """When the first of the nodes told of a certified block above a height; raises Unavailable."""
        with trio.move_on_after(BLOCK_S):
            while True:
                for node in nodes:
                    if node.height > height:
                        return node.certified[min(above for above in node.certified if above > height)]
                await trio.sleep(LOOK_S)
        raise Unavailable(f"No block above {height} was certified within {BLOCK_S:.0f} s.")

    async def until_voting(self, number: int, seconds: float = LEVEL_S) -> None:
        """A node votes again and is level with the others; raises Unavailable."""
        node = self.nodes[number]
        with trio.move_on_after(seconds):
            while True:
                try:
                    async with connect(node.url) as client:
                        while True:
                            view = await client.consensus()
                            best = max(other.height for other in self.nodes)
                            level = view["certified_height"] >= best - LEVEL_BLOCKS
                            if view["votes"] and view["counters"]["voted"] and level:
                                return
                            await trio.sleep(LOOK_S)
                except* (TenorError, OSError):
                    pass
                await trio.sleep(LOOK_S)
        raise Unavailable(f"Node {number} did not vote within {seconds:.0f} s of its start.")

    async def leader(self) -> int:
        """As the first node sees it that answers and knows."""
        found: list[int] = []
        for node in self.nodes:
            try:
                async with connect(node.url) as client:
                    view = await client.consensus()
                    if view["leader"] is not None:
                        found.append(sorted(one["address"] for one in view["validators"]).index(view["leader"]))
            except* (TenorError, OSError):
                pass
            if found:
                return found[0]
        raise Unavailable("No node says who leads.")


async def measure(kills: int, seconds: int, validators: int) -> dict[str, Any]:
    """
    Raises:
        Unavailable: a node does not start, or the chain stops.
    """
    with TemporaryDirectory(prefix="tenor-bench-") as folder:
        async with _running(Path(folder), validators) as bench:
            _say("idle")
            idle = await _idle(bench)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bench.load)
                _say(f"{RATE} transactions a second for {seconds} s")
                await trio.sleep(seconds)
                calm = list(bench.sent)
                await trio.sleep(1)
                latencies = bench.latencies_ms(calm)
                reverted = await bench.reverted(calm, 0)
                figures = Figures()
                for number in range(kills):
                    await _kill_leader(bench, figures)
                    _say(f"kill {number + 1} of {kills}: next block after {figures.failovers_ms[-1]:.0f} ms")
                nursery.cancel_scope.cancel()
            ran = await bench.refused_though_run(await bench.leader())
            _say("all are killed at once")
            restart_all = await _restart_all(bench)
    return {
        "certified_p50_ms": _percentile(latencies, 50), "certified_p99_ms": _percentile(latencies, 99),
        "failover_p50_ms": _percentile(figures.failovers_ms, 50),
        "failover_p99_ms": _percentile(figures.failovers_ms, 99),
        "rejoin_ms": _percentile(figures.rejoins_ms, 50), "restart_all_ms": round(restart_all),
        "idle_cpu_percent": idle, "reverted_share": round(reverted / max(1, len(calm)), 5),
        "reverted_in_flight_share": round(figures.reverted_in_flight / max(1, figures.in_flight), 5),
        "transactions": len(calm), "tx_per_s": round(len(calm) / seconds, 1),
        "refused": dict(Counter(code for _, code in bench.refused)), "refused_though_run": ran,
        "kills": kills, "validators": validators,
    }  # fmt: skip


async def _kill_leader(bench: Bench, figures: Figures) -> None:
    await trio.sleep(BETWEEN_KILLS_S)
    number = await bench.leader()
    dead, others = bench.nodes[number], [node for at, node in enumerate(bench.nodes) if at != number]
    height, before = max(node.height for node in others), len(bench.sent)
    dead.kill()
    killed_s = time.monotonic()
    next_s = await bench.until_height(height, others)
    figures.failovers_ms.append(1_000 * (next_s - killed_s))
    dead.start()
    started_s = time.monotonic()
    await bench.until_voting(number)
    figures.rejoins_ms.append(1_000 * (time.monotonic() - started_s))
    flying = [one for one in bench.sent[max(0, before - RATE) : before] if one.receipt.height > height]
    figures.in_flight += len(flying)
    survivor = next(at for at in range(len(bench.nodes)) if at != number)
    figures.reverted_in_flight += await bench.reverted(flying, survivor)


async def _restart_all(bench: Bench) -> float:
    height = max(node.height for node in bench.nodes)
    for node in bench.nodes:
        node.kill()
    started_s = time.monotonic()
    for node in bench.nodes:
        node.start()
    return 1_000 * (await bench.until_height(height + 1, bench.nodes) - started_s)


async def _idle(bench: Bench) -> float:
    before = [node.cpu_s() for node in bench.nodes]
    await trio.sleep(IDLE_S)
    used = [node.cpu_s() - was for node, was in zip(bench.nodes, before, strict=True)]
    return round(100 * statistics.mean(used) / IDLE_S, 2)


@asynccontextmanager
async def _running(folder: Path, validators: int) -> AsyncIterator[Bench]:
    """All up, level, and watched; ordered by address, as they lead."""
    ports = free_ports(validators)
    configs = write_folders(folder, validators, ports, SETTLEMENT_BLOCK_MS)
    nodes = [Node(config, port) for config, port in zip(configs, ports, strict=True)]
    nodes = [node for _, node in sorted(zip(_addresses(validators), nodes, strict=True), key=lambda pair: pair[0])]
    bench = Bench(nodes)
    try:
        for node in nodes:
            node.start()
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(node.watch)
            for number in range(validators):
                await bench.until_voting(number, START_S)
            yield bench
            nursery.cancel_scope.cancel()
    finally:
        for node in nodes:
            node.stop()
        for node in nodes:
            if node.process is not None:
                try:
                    await trio.to_thread.run_sync(node.process.wait, START_S)
                except subprocess.TimeoutExpired:
                    node.kill()


def _addresses(validators: int) -> list[bytes]:
    return [address_of(validator_key(number)) for number in range(validators)]


def _percentile(values: Sequence[float], percent: int) -> float | None:
    """By nearest rank; None of nothing."""
    if not values:
        return None
    return round(sorted(values)[max(0, -(-len(values) * percent // 100) - 1)], 1)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main(kills: int, seconds: int, validators: int, json: bool) -> int:
    """Measure and print; the exit code."""
    figures = trio.run(measure, kills, seconds, validators)
    return show({**figures, "cores": os.cpu_count()}, json)
