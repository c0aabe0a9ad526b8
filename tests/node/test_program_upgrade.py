"""A program on a running node: deployed with an admin, upgraded after its time-lock, its state kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genesis.devkeys import development_address
from node.audit import audit
from node.programs import Programs
from node.views import parse_bytes
from tests.node.command import Ran, tenor
from tests.node.recovery_script import NEXT, SOURCE
from tests.node.running import SPEC, Node, running

OWNER = 6
FLAGS: dict[str, Any] = {"market": False, "sequencer__checkpoint_blocks": "3"}


def run(capsys: pytest.CaptureFixture[str], node: Node, *words: object, key: int = OWNER) -> Ran:
    url = f"ws://127.0.0.1:{node.ready.port}/ws"
    keyed = () if words[0] in ("list", "show") else ("--dev-key", key)
    return tenor(capsys, "program", *words, *keyed, "--url", url, "--json")


async def record(node: Node, address: bytes) -> dict[str, Any]:
    return next(row for row in await node.client.programs() if parse_bytes(row["address"]) == address)


async def events(node: Node, first: int) -> list[str]:
    """Names of the kernel's events in blocks from a height on."""
    head = (await node.client.chain_info())["height"]
    blocks = [await node.client.block(height) for height in range(first, head + 1)]
    return [event["event"] for block in blocks for event in block["events"] if int(event["program"], 16) == 1]


def test_deploy_upgrade_migrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "counter.py", tmp_path / "next" / "counter.py"
    second.parent.mkdir()
    first.write_text(SOURCE)
    second.write_text(NEXT)
    folder = tmp_path / "node"
    folder.mkdir()
    with running(folder, **FLAGS) as node:
        done = run(capsys, node, "deploy", first, "--admin", f"dev:{OWNER}", "--time-lock", "1s")
        assert done.code == 0 and done.result["time_lock_ms"] == 1_000, done.err
        address = parse_bytes(done.result["address"])
        assert run(capsys, node, "call", done.result["address"], "add", 5).code == 0
        others(capsys, node, done.result["address"], second)
        height = node.do(node.client.chain_info)["height"]
        announced = run(capsys, node, "upgrade", done.result["address"], second, "--args", "100")
        assert announced.code == 0 and announced.result["status"] == "done", announced.err
        shown = node.do(record, node, address)
        assert (shown["version"], shown["upgrade_time_ms"]) == (1, announced.result["upgrade_time_ms"])
        again = run(capsys, node, "upgrade", done.result["address"], second, "--args", "7")
        assert again.code != 0 and "announced already" in again.err
    with running(folder, **FLAGS) as node:
        node.do(node.until, lambda: upgraded(node, address))
        assert run(capsys, node, "call", done.result["address"], "add", 1).code == 0
        node.do(node.next_block)
        told = node.do(events, node, height)
        assert [name for name in told if "pgrade" in name] == ["UpgradeAnnounced", "Upgraded"]
        programs = node.do(Programs.load, node.client)
        assert {name for name, _, _ in programs[address].abi.fields} == {"count", "before"}
        given_up = run(capsys, node, "admin", done.result["address"], "--to", "nobody")
        assert given_up.code == 0, given_up.err
        listed = run(capsys, node, "list").result["programs"]
        assert [row["admin"] for row in listed if row["address"] == done.result["address"]] == ["0x" + "00" * 20]
        refused = run(capsys, node, "upgrade", done.result["address"], second, "--args", "7")
        assert refused.code != 0 and "nobody can ever upgrade" in refused.err
        node.do(node.next_block)
    report = audit(folder, SPEC, lambda *_: None)
    assert report.passed, report.first_difference


async def upgraded(node: Node, address: bytes) -> bool:
    return bool((await record(node, address))["version"] == 2)


def others(capsys: pytest.CaptureFixture[str], node: Node, address: str, file: Path) -> None:
    """What is refused before it is let in, with the reason."""
    stranger = run(capsys, node, "upgrade", address, file, "--args", "1", key=OWNER + 1)
    assert stranger.code != 0 and development_address(OWNER).hex() in stranger.err
    bad = file.parent / "bad.py"
    bad.write_text(NEXT.replace("    count: int\n    before: int\n", "    before: int\n    count: int\n"))
    wrong = run(capsys, node, "upgrade", address, bad, "--args", "1")
    assert wrong.code != 0 and "field 1 is `before`, it was `count`" in wrong.err, wrong.err
