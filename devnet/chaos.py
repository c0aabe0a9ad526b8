"""
`tenor devnet chaos`: four validators under agents that trade, and faults drawn from a seed: what `weather` says.

Last line with --json: roots_equal, conserved, replay_equal; certified_receipts that clients were told of, and of them
lost_receipts, changed_receipts and unasked_receipts, all 0; reverted_share, of receipts told as executed;
longest_gap_ms without a certified block, and longest_outage_gap_ms with all nodes killed; faults by kind.
"""

from __future__ import annotations

import json as jsons
import signal
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import trio

from devnet.site import Site, is_good, say, told
from devnet.weather import KINDS, Fault, draw

VALIDATORS = 4


def run(seed: int, minutes: float, faults_max: int | None, keep: Path | None, json: bool) -> int:
    """
    Run it and print what came of it; the exit code, 1 when something happened that must not.

    Args:
        faults_max: it ends after so many, however much time is left. keep: as of `site.told`.
    """

    async def story(site: Site) -> dict[str, Any]:
        return await _weather(site, seed, minutes, faults_max)

    told_of = told(story, VALIDATORS, seed, keep=keep)
    summary = {"seed": seed, "minutes": minutes, "validators": VALIDATORS} | told_of
    show(summary, json)
    return 0 if is_good(summary) else 1


def show(summary: dict[str, Any], json: bool) -> None:
    if json:
        print(jsons.dumps(summary))
    else:
        for name, value in summary.items():
            print(f"{name:22} {value}")


async def _weather(site: Site, seed: int, minutes: float, faults_max: int | None) -> dict[str, Any]:
    site.pulse.begin()
    end_s = trio.current_time() + 60 * minutes
    counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for fault in islice(draw(seed, VALIDATORS), faults_max):
        await trio.sleep(fault.calm_s)
        if trio.current_time() >= end_s:
            break
        counts[fault.kind] += 1
        number = await site.leader() if fault.node is None else fault.node
        say(f"{fault.kind} {number} for {fault.hold_s:.1f} s at height {site.pulse.height}")
        await strike(site, fault, number)
        over_s = trio.current_time()
        await site.all_level()
        say(f"  all vote again {trio.current_time() - over_s:.1f} s after it")
    return {"faults": dict(counts)}


async def strike(site: Site, fault: Fault, number: int) -> None:
    """One fault and its end."""
    node = site.nodes[number]
    match fault.kind:
        case "kill":
            await _away(site, [number], fault.hold_s)
        case "outage":
            site.pulse.outage = True
            await _away(site, range(VALIDATORS), fault.hold_s)
        case "pause":
            node.send(signal.SIGSTOP)
            await trio.sleep(fault.hold_s)
            node.send(signal.SIGCONT)
        case "cut" | "hush":
            site.wires.part([number], "cut" if fault.kind == "cut" else "hushed")
            await trio.sleep(fault.hold_s)
            site.wires.heal()
        case "restart":
            await node.restart()
        case "skew":
            node.clock_ms = fault.skew_ms
            await node.restart()
            await trio.sleep(fault.hold_s)
            node.clock_ms = 0
            await node.restart()


async def _away(site: Site, numbers: Sequence[int], seconds: float) -> None:
    for number in numbers:
        site.nodes[number].hold(True)
        site.nodes[number].send(signal.SIGKILL)
    await trio.sleep(seconds)
    for number in numbers:
        site.nodes[number].hold(False)
