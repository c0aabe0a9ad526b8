"""
The bench of reads: what thousands of view calls a second do to the orders of others.

A real node process with a market, as in the node bench. Orders come at a fixed rate from this process, alone and then
beside a process that reads, several times in turn; inclusion is from the time an order's frame was due until its last
receipt is there. Times are the median of the rounds.
Last line with --json:

    reads_per_s            view calls answered in a second, beside the orders
    inclusion_p99_ms_alone, inclusion_p99_ms_with_reads, ratio
    flood_*                once more while far more calls come than all clients together may ask; refused is by reason
"""

from __future__ import annotations

import json as jsons
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.crypto import address_of
from genesis.errors import Corrupt, Unavailable
from node.bench.figures import show
from node.bench.load import Tally, pace
from node.bench.orders import Orders
from node.bench.read_load import Pace
from node.bench.site import Site, account_keys, open_site
from node.client import connect
from node.views import hexadecimal


@dataclass(frozen=True, slots=True)
class Plan:
    """orders_per_s: in frames of `frame`, over as many WebSockets as `lines`. settle_s: of each run, not counted."""

    accounts: int = 100
    lines: int = 4
    frame: int = 5
    orders_per_s: float = 500.0
    seconds: float = 6.0
    rounds: int = 3
    settle_s: float = 1.0
    reads_per_s: float = 10_000.0
    flood_per_s: float = 30_000.0


def main(json: bool) -> int:
    """Measure and print; the exit code."""
    return show(trio.run(measure, Plan()), json)


async def measure(plan: Plan) -> dict[str, Any]:
    """
    All runs on a fresh chain.

    Raises:
        Unavailable: the node does not start.
        Corrupt: an order was not done.
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
            calls = _calls(site, keys)
            await _inclusion(plan, site, lines)  # warms up
            alone, beside, read = [], [], []
            for _ in range(plan.rounds):
                alone.append(await _inclusion(plan, site, lines))
                late, told = await _beside(plan, site, lines, Pace(plan.reads_per_s, plan.seconds, calls))
                beside.append(late)
                read.append(told)
            flooded, flood = await _beside(plan, site, lines, Pace(plan.flood_per_s, plan.seconds, calls))
    return {
        "orders_per_s": plan.orders_per_s,
        **{f"flood_{name}": figure for name, figure in flood.items()},
        "flood_inclusion_p99_ms": flooded,
        **{name: median(told[name] for told in read) for name in ("read_p99_ms", "refused_per_s", "reads_per_s")},
        "inclusion_p99_ms_alone": median(alone),
        "inclusion_p99_ms_with_reads": median(beside),
        "ratio": round(median(beside) / median(alone), 2),
    }


def _calls(site: Site, keys: list[bytes]) -> list[dict[str, Any]]:
    """What is asked for: half of it the same for all (the market, its best levels), half each account's own."""
    exchange, bank, clearing = (site.programs[name] for name in ("exchange", "bank", "clearing"))
    hot = [exchange.call("market", 0), *(exchange.call("book", 0, side, 0) for side in ("BUY", "SELL"))]
    own = [
        call
        for key in keys
        for call in (bank.call("balance", address_of(key), 0), clearing.call("position", address_of(key), 0))
    ]
    asked = [call for pair in zip(own, (hot * len(own))[: len(own)], strict=True) for call in pair]
    return [{name: hexadecimal(getattr(call, name)) for name in ("program", "selector", "arguments")} for call in asked]


async def _inclusion(plan: Plan, site: Site, lines: list[Orders]) -> float:
    """p99 of the time from when an order is due to its receipt, ms."""
    tally = Tally()
    each = round(plan.orders_per_s * plan.seconds / plan.frame / len(lines))
    frames = [[orders.frame(plan.frame) for _ in range(each)] for orders in lines]
    begun = time.perf_counter()
    await pace(site.url, frames, plan.orders_per_s / plan.frame, tally)
    if tally.refused:
        raise Corrupt(f"orders were not done: {tally.refused.most_common(1)}")
    late = tally.latencies(begun + plan.settle_s, time.perf_counter())
    return round(late[int(0.99 * len(late))] * 1e3, 2)


async def _beside(plan: Plan, site: Site, lines: list[Orders], reads: Pace) -> tuple[float, dict[str, Any]]:
    """Inclusion beside a process that reads, and what it says of itself."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "node.bench.read_load", str(site.port), jsons.dumps(asdict(reads))],
        stdout=subprocess.PIPE,
    )
    try:
        late = await _inclusion(plan, site, lines)
        assert process.stdout is not None
        said = b"".join([data async for data in process.stdout])
        if await process.wait() != 0:
            raise Unavailable("The readers failed; what they said stands above.")
    finally:
        if process.returncode is None:
            process.kill()
    return late, jsons.loads(said)


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
