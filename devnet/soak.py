"""
`tenor devnet soak`: four validators under a steady load, one after another asked to leave and started again, and what
each process holds meanwhile.

Last line with --json: as of `chaos`, and rate_per_s of receipts; for each node memory_mb and files at the first and the
last look, and memory_mb_per_minute, the slope by least squares over looks of one life (the longest).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from devnet.chaos import show
from devnet.load import Load
from devnet.site import Site, is_good, say, told

VALIDATORS = 4
LOOK_S = 2.0
WARM_S = 20.0
"""After its start a process fills its caches; its slope counts from then on."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """At one process. life: how often it has been started again. gateway: of the node's other process."""

    at_s: float
    life: int
    memory_bytes: int
    gateway_bytes: int
    files: int


def run(seed: int, minutes: float, rate: float, restart_every_s: float, trading: bool, json: bool) -> int:
    """Run it and print what came of it; the exit code, 1 when something happened that must not."""
    summary = {"seed": seed, "minutes": minutes, "validators": VALIDATORS} | soaked(
        seed, minutes, rate, restart_every_s, trading
    )
    show(summary, json)
    return 0 if is_good(summary) else 1


def soaked(seed: int, minutes: float, rate: float, restart_every_s: float, trading: bool) -> dict[str, Any]:
    """
    Args:
        rate: transfers a second. restart_every_s: 0 restarts nobody. trading: whether the devnet's agents trade too.
    """

    async def story(site: Site) -> dict[str, Any]:
        load = Load(site.spec, site.urls, rate, site.journal.hear)
        looks: list[list[Look]] = [[] for _ in site.nodes]
        leaving_s: list[float] = []
        begun_s = trio.current_time()
        site.pulse.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            nursery.start_soon(_watch, site, looks)
            if restart_every_s:
                nursery.start_soon(_roll, site, restart_every_s, leaving_s)
            await trio.sleep(60 * minutes)
            nursery.cancel_scope.cancel()
        seconds = trio.current_time() - begun_s
        return {
            "rate_per_s": round(site.journal.executed / seconds, 1), "refused": dict(load.refused), "away": load.away,
            "leaving_s_max": round(max(leaving_s, default=0.0), 2), "nodes": [_summary(one) for one in looks],
        }  # fmt: skip

    return told(story, VALIDATORS, seed, trading)


async def _roll(site: Site, every_s: float, leaving_s: list[float]) -> None:
    """Whoever leads first, as that is the harder case, then whoever does after it, and so on."""
    while True:
        await trio.sleep(every_s)
        number = await site.leader()
        say(f"node {number}, which leads, is asked to leave at height {site.pulse.height}")
        leaving_s.append(await site.nodes[number].restart())
        await site.until_level(number)


async def _watch(site: Site, looks: Sequence[list[Look]]) -> None:
    while True:
        for node, found in zip(site.nodes, looks, strict=True):
            pid = node.pid
            if pid is not None:
                with suppress(OSError):
                    found.append(_look(pid, node.restarts))
        await trio.sleep(LOOK_S)


def _look(pid: int, life: int) -> Look:
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Look(trio.current_time(), life, _memory_bytes(pid), sum(map(_memory_bytes, _children(pid))), files)


def _memory_bytes(pid: int) -> int:
    """Resident, without what is shared with others (forks share what their parent had imported)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def _children(pid: int) -> list[int]:
    """Of whichever thread."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for thread in threads for word in (thread / "children").read_text().split()]


def _summary(looks: Sequence[Look]) -> dict[str, Any]:
    lives = list(_lives(looks))
    longest = max(lives, key=len)
    warm = [look for look in longest if look.at_s > longest[0].at_s + WARM_S] or longest
    return {
        "memory_mb": [round(look.memory_bytes / MIB, 1) for look in (looks[0], looks[-1])],
        "memory_mb_max": round(max(look.memory_bytes for look in looks) / MIB, 1),
        "gateway_mb": [round(look.gateway_bytes / MIB, 1) for look in (looks[0], looks[-1])],
        "memory_mb_per_minute": round(60 * _slope([(one.at_s, one.memory_bytes / MIB) for one in warm]), 2),
        "gateway_mb_per_minute": round(60 * _slope([(one.at_s, one.gateway_bytes / MIB) for one in warm]), 2),
        "slope_over_s": round(warm[-1].at_s - warm[0].at_s, 1),
        "files": [looks[0].files, looks[-1].files],
        "files_max": max(look.files for look in looks),
        "lives": len(lives),
    }


def _lives(looks: Sequence[Look]) -> Iterator[list[Look]]:
    for life in sorted({look.life for look in looks}):
        yield [look for look in looks if look.life == life]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """By least squares; 0 of fewer than two points."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / max(1, count)
    mean_y = sum(y for _, y in points) / max(1, count)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
