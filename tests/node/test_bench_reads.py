"""The benches of reads and of idle connections, small: whole nodes, every figure there."""

from __future__ import annotations

import pytest
import trio

from node.bench import idle, reads


@pytest.mark.slow
def test_the_bench_of_reads_measures_orders_beside_reads() -> None:
    plan = reads.Plan(
        accounts=8, seconds=1.0, rounds=1, settle_s=0.0, orders_per_s=40, reads_per_s=400, flood_per_s=800
    )
    figures = trio.run(reads.measure, plan)
    assert list(figures)[-4:] == ["reads_per_s", "inclusion_p99_ms_alone", "inclusion_p99_ms_with_reads", "ratio"]
    assert all(figures[name] > 0 for name in ("reads_per_s", "flood_reads_per_s", "read_p99_ms", "ratio"))


@pytest.mark.slow
def test_the_bench_of_idle_connections_counts_them() -> None:
    figures = trio.run(idle.measure, idle.Plan(idle=200, asked=5))
    assert figures["gateway_held"] >= 200 and figures["gateway_turned_away"] == 0
    assert all(figures[f"{name}_ms"] > 0 for name in ("kept", "fresh", "asked", "back"))
