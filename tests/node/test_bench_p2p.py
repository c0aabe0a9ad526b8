"""The network's bench runs to its end in small and tells what it promises; speed is not asserted."""

from __future__ import annotations

import trio

from node.bench.p2p import Plan, measure

TINY = Plan(
    nodes=3, round_trips=20, messages=2_000, requests=32, large=1, publications=20, idle_s=0.5, kills=1
)  # fmt: skip
FIGURES = {
    "idle_percent", "round_trip_ms_p50", "round_trip_ms_p99", "messages_per_s", "message_us_cpu", "messages_per_frame",
    "requests_per_s", "request_us_cpu", "requests_at_once_per_s", "large_mib_per_s", "publication_us_cpu",
    "publications_lost", "loss_noticed_ms_max", "back_ms_p50", "back_ms_max",
}  # fmt: skip


def test_a_tiny_run_measures_everything() -> None:
    figures = trio.run(measure, TINY)
    assert set(figures) == FIGURES
    assert all(value > 0 for name, value in figures.items() if name != "publications_lost")
    assert figures["round_trip_ms_p50"] <= figures["round_trip_ms_p99"]
    assert 0 <= figures["publications_lost"] <= TINY.publications
