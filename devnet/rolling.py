"""
`tenor devnet roll`: the operator's rolling restart, under load: each of four validators is asked to leave, whoever
leads first, started again, and the next one only when it votes, level with the others.

Last line with --json: as of `chaos`, leaving_s of each node, from SIGTERM to its end, and errors by kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from devnet.chaos import show
from devnet.load import Load
from devnet.site import Site, is_good, say, told

VALIDATORS = 4
CALM_S = 2.0
"""Before the first, between two, and after the last."""


def run(seed: int, rate: float, nodes: int, keep: Path | None, json: bool) -> int:
    """
    Run it and print what came of it; the exit code, 1 when something happened that must not.

    Args:
        nodes: how many of the four are restarted. keep: as of `site.told`.
    """

    async def story(site: Site) -> dict[str, Any]:
        load = Load(site.spec, site.urls, rate, site.journal.hear)
        site.pulse.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            leaving_s = await _roll(site, nodes)
            nursery.cancel_scope.cancel()
        return {"leaving_s": leaving_s, "sent": load.sent, "errors": dict(load.errors)}

    told_of = told(story, VALIDATORS, seed, trading=False, keep=keep)
    summary = {"seed": seed, "rate": rate, "validators": VALIDATORS} | told_of
    show(summary, json)
    return 0 if is_good(summary) else 1


async def _roll(site: Site, nodes: int) -> list[float]:
    await trio.sleep(CALM_S)
    leaving_s: list[float] = []
    waiting = set(range(VALIDATORS))
    while len(leaving_s) < nodes:
        leader = await site.leader()
        number = leader if leader in waiting else min(waiting)
        waiting.discard(number)
        say(f"node {number}{', which leads,' if number == leader else ''} is asked to leave")
        leaving_s.append(round(await site.nodes[number].restart(), 2))
        await site.until_level(number)
        say(f"  it left within {leaving_s[-1]} s, and is back at height {site.pulse.height}")
        await trio.sleep(CALM_S)
    return leaving_s
