"""The node's bench runs to its end on a small plan and tells what it promises; speed is not asserted."""

from __future__ import annotations

import trio

from execution.standard import standard_artifact
from genesis.chain import OrderClass
from genesis.presets import load_preset
from genesis.spec import genesis_address
from genesis.transaction import decode
from node.bench.node import Plan, measure
from node.bench.orders import Orders
from node.bench.site import account_keys
from node.programs import DeployedProgram, Programs
from node.views import parse_bytes

TINY = Plan(
    accounts=16, lines=2, frame=8, in_flight=2, first=64, spare=20.0, window_s=0.4, ramp_s=0.1, paced_s=0.5,
    paced_frame=2, http_lines=2, http_s=0.2,
)  # fmt: skip
FIGURES = {
    "tx_per_s", "single_http_per_s", "p50_ms", "p99_ms", "frames", "orders", "blocks", "seal_ms_p50", "batch_ms_p50",
    "log_sync_ms_p50", "cpu_core", "cpu_gateway", "cpu_sender",
}  # fmt: skip


def test_a_tiny_run_measures_everything() -> None:
    figures = trio.run(measure, TINY)
    assert set(figures) >= FIGURES
    assert all(figures[name] > 0 for name in ("tx_per_s", "single_http_per_s", "p50_ms", "p99_ms", "orders", "frames"))
    assert figures["p50_ms"] <= figures["p99_ms"] and figures["frame"] <= 50


def test_orders_of_an_account_count_up_each_lane() -> None:
    artifact = standard_artifact("exchange", load_preset("devnet").gas_table)
    programs = Programs([DeployedProgram(genesis_address("exchange"), "exchange", artifact.abi)])
    orders = Orders(programs, 1, 10**9, account_keys(3), seed=1)
    signed = [decode(parse_bytes(text)) for text in orders.frame(120)]
    lanes: dict[tuple[bytes, int], list[int]] = {}
    for one in signed:
        lanes.setdefault((one.signer, one.transaction.lane), []).append(one.transaction.sequence)
    assert {lane >> 30 for _, lane in lanes} == {order.value for order in OrderClass}
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in lanes.values())
