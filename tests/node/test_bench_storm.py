"""The storm bench on a small plan sees every hook run and tells what it promises; speed is not asserted."""

from __future__ import annotations

import trio

from node.bench.storm import Plan, measure
from node.bench.storm_program import HANDLERS

TINY = Plan(programs=3, times=5, levels=150, rounds=2, accounts=2, lead_s=3.0)


def test_a_tiny_storm_is_measured() -> None:
    figures = trio.run(measure, TINY)
    assert 0 < figures["hooks_due"] <= TINY.hooks == 3 * 5 * HANDLERS
    assert figures["crossings"] == 450
    assert figures["block_time_ms"] == 250 <= figures["block_ms_max"]
    assert figures["cancels"] > 0 and figures["cancel_p99_ms"] > 0
    assert figures["rounds"] == 2 and max(figures["hooks_s_max"], figures["crossings_s_max"]) > 0
