"""Failing hooks on a node until their purse is empty: every block is conserved, and replays alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.audit import audit
from node.programs import Programs
from tests.node.command import tenor
from tests.node.running import SPEC, Node, running

KEY = ("--dev-key", "6")
BURN = "3"
RUNS = 3
PURSE = RUNS * SPEC.gas_hook_max * SPEC.fee_min
WAKER = Path(__file__).parents[1] / "vm_kernel" / "waker.py"


async def hook_events(node: Node, last: int) -> list[str]:
    programs = await Programs.load(node.client)
    blocks = [await node.client.block(height) for height in range(1, last + 1)]
    return [told.name for block in blocks for told in programs.events(block["events"]) if told.name.startswith("Hook")]


def test_money_is_conserved_while_hooks_fail_and_wait_for_money(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, market=False) as node:
        url = ("--url", node.url.replace("http", "ws") + "/ws", "--json")
        deployed = tenor(capsys, "program", "deploy", WAKER, "--args", "bank", "--hooks", "0.006", *KEY, *url).result
        assert deployed["hooks"] == "0.006" and PURSE == 6 * 10**15
        assert tenor(capsys, "program", "call", "waker", "wake", BURN, *KEY, *url).result["status"] == "done"
        for _ in range(2**RUNS + 2):
            last = node.do(node.next_block)["height"]
        left = tenor(capsys, "program", "call", "bank", "gas_balance", "waker", *url).result["result"]
        told = node.do(hook_events, node, last)
    assert told == ["HookFailed"] * RUNS + ["HookParked"]
    assert left == "0"
    found = audit(tmp_path, SPEC, lambda *_: None)
    assert (found.conserved, found.replay_equal, found.first_difference) == (True, True, None)
