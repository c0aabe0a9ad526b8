"""
`tenor devnet soak`: four validators under a steady load, one after another asked to leave and started again, and what
their processes hold meanwhile.

Last line with --json: as of `chaos`, and rate_per_s of receipts, errors by kind, leaving_s_max; for each node its lives
and, a figure a minute, the most resident memory of core and of gateway and the most open files of both, with their
growth a minute by least squares over the last third; and levels_off, whether that growth of all nodes together is less
than a share LEVEL_MAX of what they hold. A warm node that is as large as ever passes, whoever starts anew each minute
too: the last third is then of several lives of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from typing import Any

import trio

from devnet.chaos import show
from devnet.load import Load
from devnet.site import Site, is_good, say, told

VALIDATORS = 4
LOOK_S = 2.0
LEVEL_MAX = 0.005
"""Growth a minute, of what is held, that counts as none; 1 MB of 200."""
MIB = 1 << 20
_PAGE_BYTES = sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Look:
    """At a node's two processes: resident memory of each, open files of both. life: how often it was started again."""

    at_s: float
    life: int
    core_bytes: int
    gateway_bytes: int
    files: int


Measure = Callable[[Look], float]


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
            "rate_per_s": round(site.journal.executed / seconds, 1), "errors": dict(load.errors),
            "leaving_s_max": round(max(leaving_s, default=0.0), 2),
        } | held(looks)  # fmt: skip

    return told(story, VALIDATORS, seed, trading)


async def _roll(site: Site, every_s: float, leaving_s: list[float]) -> None:
    """Whoever leads first, as that is the harder case, then whoever does after it, and so on; never two at a time."""
    next_s = trio.current_time()
    while True:
        next_s = max(next_s + every_s, trio.current_time())
        await trio.sleep_until(next_s)
        number = await site.leader()
        say(f"node {number}, which leads, is asked to leave at height {site.pulse.height}")
        leaving_s.append(await site.nodes[number].restart())
        await site.until_level(number)


async def _watch(site: Site, looks: Sequence[list[Look]]) -> None:
    begun_s = trio.current_time()
    while True:
        for node, found in zip(site.nodes, looks, strict=True):
            pid = node.pid
            if pid is not None:
                with suppress(OSError):
                    found.append(_look(trio.current_time() - begun_s, node.restarts, pid))
        await trio.sleep(LOOK_S)


def _look(at_s: float, life: int, pid: int) -> Look:
    """Raises OSError when the process has just ended."""
    children = _children(pid)
    files = sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in (pid, *children))
    return Look(at_s, life, _resident_bytes(pid), sum(map(_resident_bytes, children)), files)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def _children(pid: int) -> list[int]:
    """Of whichever thread."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for thread in threads for word in (thread / "children").read_text().split()]


# What the looks say


def held(looks: Sequence[Sequence[Look]]) -> dict[str, Any]:
    """Of each node's looks, in the order of time, and whether all together are level."""
    late = [_last_third(ones) for ones in looks]
    nodes = [
        {
            "lives": len({look.life for look in ones}),
            "memory_mb": [round(most) for most in _minutes(ones, lambda look: look.core_bytes / MIB)],
            "gateway_mb": [round(most) for most in _minutes(ones, lambda look: look.gateway_bytes / MIB)],
            "files": list(_minutes(ones, _files)),
            "memory_mb_per_minute": round(_growth(end, _memory_mb), 2),
            "files_per_minute": round(_growth(end, _files), 2),
        }
        for ones, end in zip(looks, late, strict=True)
    ]
    return {"nodes": nodes, "levels_off": _is_level(late, _memory_mb) and _is_level(late, _files)}


def _memory_mb(look: Look) -> float:
    return (look.core_bytes + look.gateway_bytes) / MIB


def _files(look: Look) -> int:
    return look.files


def _last_third(looks: Sequence[Look]) -> list[Look]:
    return [look for look in looks if look.at_s >= 2 / 3 * looks[-1].at_s]


def _minutes(looks: Sequence[Look], measure: Measure) -> Iterator[float]:
    """The most of each minute in which the node was looked at."""
    for minute in sorted({int(look.at_s // 60) for look in looks}):
        yield max(measure(look) for look in looks if look.at_s // 60 == minute)


def _is_level(late: Sequence[Sequence[Look]], measure: Measure) -> bool:
    growth = sum(_growth(looks, measure) for looks in late)
    return growth < LEVEL_MAX * sum(max(map(measure, looks)) for looks in late)


def _growth(looks: Sequence[Look], measure: Measure) -> float:
    """A minute, by least squares; 0 of fewer than two looks."""
    times, values = [look.at_s / 60 for look in looks], [measure(look) for look in looks]
    mean_time, mean = sum(times) / max(1, len(looks)), sum(values) / max(1, len(looks))
    spread = sum((time - mean_time) ** 2 for time in times)
    together = sum((time - mean_time) * (value - mean) for time, value in zip(times, values, strict=True))
    return together / spread if spread else 0.0
