"""
The node's bench: signed one-order transactions per second through a whole node, over WebSocket, all that is answered
durable.

A real node process with its own folder and gateway, a market with prices, sender on the same machine. Transactions are
signed before the clock starts. One run warms up and finds the pace, one measures the most (a steady window in its
middle), one the latency at half of that, one single HTTP requests. Only receipts that say "done" count.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.errors import Corrupt, Unavailable
from node.bench.figures import show
from node.bench.load import Frame, Tally, pace, post, saturate
from node.bench.orders import Orders
from node.bench.site import Site, account_keys, open_site
from node.client import connect


@dataclass(frozen=True, slots=True)
class Plan:
    """
    accounts: that trade, shared among lines. lines: WebSockets. frame: transactions a message. in_flight: unanswered
    messages of a line. first: transactions of the first run, spare: how much faster the next one may be. window_s,
    ramp_s: measured, and before and after it.
    """

    accounts: int = 200
    lines: int = 4
    frame: int = 50
    in_flight: int = 4
    first: int = 10_000
    spare: float = 1.6
    window_s: float = 10.0
    ramp_s: float = 1.5
    paced_s: float = 6.0
    paced_frame: int = 10
    http_lines: int = 16
    http_s: float = 4.0


def main(json: bool) -> int:
    """Measure and print; the exit code."""
    return show(trio.run(measure, Plan()), json)


async def measure(plan: Plan) -> dict[str, Any]:
    """
    All runs on a fresh chain.

    Returns:
        Figures by name; ms and s as named, rates in transactions per second.

    Raises:
        Unavailable: the node does not start, or its speed changed too much to be measured.
        Corrupt: a transaction was not done.
    """
    keys = account_keys(plan.accounts)
    with TemporaryDirectory(prefix="tenor-bench-") as folder:
        async with open_site(Path(folder), keys) as site:
            async with connect(site.url) as client:
                info = await client.chain_info()
            lines = [
                Orders(site.programs, info["chain_id"], info["fee_min"], keys[n :: plan.lines], n)
                for n in range(plan.lines)
            ]
            return await _Bench(plan, site, lines).run()


class _Bench:
    def __init__(self, plan: Plan, site: Site, lines: Sequence[Orders]) -> None:
        self._plan, self._site, self._lines = plan, site, lines

    async def run(self) -> dict[str, Any]:
        plan = self._plan
        pace_found = await self._first()
        most = await self._most(pace_found)
        paced = await self._paced(most["tx_per_s"] / 2)
        single = await self._single(pace_found / 4)
        return {**most, "single_http_per_s": single, **paced, "frame": plan.frame, "accounts": plan.accounts}

    def _frames(self, count: float, size: int) -> list[list[Frame]]:
        """`count` transactions signed, by line."""
        each = max(1, round(count / len(self._lines) / size))
        return [[orders.frame(size) for _ in range(each)] for orders in self._lines]

    async def _first(self) -> float:
        """Warm up; about what the node takes per second."""
        tally = Tally()
        frames = self._frames(self._plan.first, self._plan.frame)
        await saturate(self._site.url, frames, self._plan.in_flight, tally)
        _check(tally)
        times = [at for at, _, _ in tally.answers]
        return tally.rate(times[len(times) // 3], times[-1])

    async def _most(self, rate: float) -> dict[str, Any]:
        plan, site, tally = self._plan, self._site, Tally()
        frames = self._frames(rate * plan.spare * (plan.window_s + 2 * plan.ramp_s), plan.frame)
        known = len(site.blocks())
        cpu: list[dict[str, float]] = []
        async with _collector_off(), trio.open_nursery() as nursery:
            start = time.perf_counter() + plan.ramp_s
            stop = start + plan.window_s
            nursery.start_soon(_look, site, start, plan.window_s, cpu)
            await saturate(site.url, frames, plan.in_flight, tally, stop + plan.ramp_s)
        _check(tally)
        if tally.answers[-1][0] < stop:
            raise Unavailable("The node became much faster while it was measured, and orders ran out; measure again.")
        latencies = tally.latencies(start, stop)
        return {
            "tx_per_s": round(tally.rate(start, stop)),
            "window_s": plan.window_s,
            "p50_ms_at_most": _ms(latencies, 0.5),
            "p99_ms_at_most": _ms(latencies, 0.99),
            "frames": len(tally.answers),
            "orders": sum(done for _, done, _ in tally.answers),
            **_inside(site.blocks()[known:]),
            **{f"cpu_{name}": round((cpu[1][name] - cpu[0][name]) / plan.window_s, 3) for name in cpu[0]},
        }

    async def _paced(self, rate: float) -> dict[str, Any]:
        plan, tally = self._plan, Tally()
        frames = self._frames(rate * plan.paced_s, plan.paced_frame)
        async with _collector_off():
            begun = time.perf_counter()
            await pace(self._site.url, frames, rate / plan.paced_frame, tally)
        _check(tally)
        latencies = tally.latencies(begun + 0.5, time.perf_counter())
        return {"paced_per_s": round(rate), "p50_ms": _ms(latencies, 0.5), "p99_ms": _ms(latencies, 0.99)}

    async def _single(self, rate: float) -> int:
        """Of each account one at a time, many connections side by side."""
        plan, tally = self._plan, Tally()
        count = round(rate * plan.http_s / plan.http_lines) + 1
        senders = [(self._lines[n % len(self._lines)], n // len(self._lines)) for n in range(plan.http_lines)]
        lines = [[orders.of(account) for _ in range(count)] for orders, account in senders]
        begun = time.perf_counter()
        await post(self._site.port, lines, tally)
        return round(tally.rate(begun, time.perf_counter()))


@asynccontextmanager
async def _collector_off() -> AsyncIterator[None]:
    """The sender holds all orders of a run; looking through them for garbage would be measured as the node's time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _look(site: Site, start: float, window_s: float, cpu: list[dict[str, float]]) -> None:
    for at in (start, start + window_s):
        await trio.sleep(max(0.0, at - time.perf_counter()))
        cpu.append(site.cpu_s())


def _inside(blocks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the node's own log of its blocks."""
    figures: dict[str, Any] = {"blocks": len(blocks)}
    for name in ("seal_ms", "store_ms", "batch_ms", "log_sync_ms", "batches"):
        values = [block[name] for block in blocks if name in block]
        figures[f"{name}_p50"] = round(statistics.median(values), 2) if values else None
    return figures


def _check(tally: Tally) -> None:
    if tally.refused:
        reason, count = tally.refused.most_common(1)[0]
        raise Corrupt(f"{sum(tally.refused.values())} of the bench's orders were not done, {count} of them: {reason}")


def _ms(ascending: Sequence[float], share: float) -> float:
    return round(ascending[min(len(ascending) - 1, int(share * len(ascending)))] * 1e3, 2)


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
