"""What a node looks at before it votes, and that one which fails keeps it from voting, and from nothing else."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.vm import known
from execution.vm.known import FACTOR, OUTCOME, ROUNDS, SEED, check_machine
from genesis.chain import VoteKind
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Unavailable
from genesis.membership import Readiness
from genesis.presets import preset_text
from node import checks
from node.checks import CheckedSigner, Finding, Subject, look, why_not
from node.consensus.doors import Withheld
from node.consensus.signer import KeySigner
from node.consensus.words import Rules, Said
from node.localnet import write_folder
from node.signing.remote import RemoteSigner
from node.simulation import toy
from settlement.adapter import Committed, Head
from tests.node.command import tenor
from tests.node.running import SETTLEMENT_BLOCK_MS, SPEC, running

NOW_MS = 1_700_000_000_000
READY = Readiness(SPEC.chain_id, development_address(0), 4, bytes(32))
RULES = Rules(SPEC.chain_id, dict(SPEC.stakes), 0, 8, 1_000, 4_000)


class Settlement:
    """What a check asks of an adapter."""

    def __init__(self, height: int = 0, away: bool = False) -> None:
        self._height, self._away = height, away

    async def head(self) -> Head:
        if self._away:
            raise Unavailable("no connection")
        return Head(9, bytes(32))

    async def committed(self) -> Committed:
        return Committed(self._height, bytes(32))


def subject(folder: Path, **changes: Any) -> Subject:
    draft = toy.Draft(4, development_address(0), NOW_MS, 0, 0)
    header = toy.header_of(draft, toy.GENESIS, toy.body_of(), toy.GENESIS_STATE)
    values = {"adapter": Settlement(), "newest": header, "alone": True, "now_ms": lambda: NOW_MS + 20}
    return Subject(folder, SPEC, KeySigner(development_key(0)), **{**values, **changes})


def found(of: Subject) -> dict[str, Finding]:
    return {one.name: one for one in trio.run(look, of)}


def test_the_known_program_leaves_what_whole_numbers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    word, x, left = (1 << 64) - 1, SEED, b""
    for _ in range(ROUNDS):
        low, high = x * FACTOR & word, x * FACTOR >> 64
        x = (low << 31 | low >> 33) & word ^ high // (1 | low >> 40)
        x = (x + high) & word if x & 7 else x
        left += x.to_bytes(8, "little")
    assert sha256(left).digest() == OUTCOME
    check_machine()
    monkeypatch.setattr(known, "PROGRAM", known.PROGRAM.replace("rotl", "rotr"))
    with pytest.raises(Corrupt, match="computes wrongly"):
        check_machine()


def test_all_is_well_and_takes_a_moment(tmp_path: Path) -> None:
    findings = found(subject(tmp_path))
    assert list(findings) == ["sign", "execute", "disk", "clock", "settlement"]
    assert all(one.good for one in findings.values()) and why_not(list(findings.values())) == ""
    assert list(tmp_path.iterdir()) == []


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("name", "told", "needed", "changes"),
    [
        ("sign", "no signer answers", True, {"signer": "away"}),
        ("disk", "cannot be written", True, {"folder": Path("/proc/none")}),
        ("disk", "cannot be written", True, {"folder": Path(__file__)}),
        ("clock", "980 ms behind block 1", True, {"now_ms": lambda: NOW_MS - 980}),
        ("settlement", "no connection", False, {"adapter": Settlement(away=True)}),
        ("settlement", "no settlement chain", False, {"adapter": None}),
        ("settlement", "an older copy", True, {"adapter": Settlement(height=2)}),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, name: str, told: str, needed: bool, changes: dict[str, Any]) -> None:
    if changes.get("signer") == "away":
        changes = {"signer": RemoteSigner(tmp_path / "none", SPEC.chain_id, development_address(0))}
    findings = trio.run(look, replace(subject(tmp_path), **changes))
    (wrong,) = [one for one in findings if not one.good]
    assert (wrong.name, wrong.needed) == (name, needed) and told in wrong.told
    assert (f"{name}: " in why_not(findings)) == needed


def test_a_full_and_a_slow_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SYNC_MS_MAX", -1)
    assert "too long for a vote" in found(subject(tmp_path))["disk"].told
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Usage(1, 1, 3 << 20))
    assert "3 MiB are free" in found(subject(tmp_path))["disk"].told


def test_a_network_catches_up_and_so_may_be_behind_settlement(tmp_path: Path) -> None:
    assert found(subject(tmp_path, adapter=Settlement(height=2), alone=False))["settlement"].good


def test_a_signer_is_withheld_until_all_is_well_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "AGAIN_S", 0.01)
    wrong = Finding("disk", False, "full", 0.1)
    looks = [[wrong], [wrong], [replace(wrong, needed=False)]]

    async def next_look() -> Sequence[Finding]:
        return looks.pop(0)

    async def test() -> None:
        signer = CheckedSigner(KeySigner(development_key(0)), next_look)
        await signer.look()
        with pytest.raises(Withheld, match="disk: full"):
            await signer.sign(Said(VoteKind.NULLIFY, 4), RULES)
        with pytest.raises(Withheld, match="disk: full"):
            await signer.declare(READY)
        await signer.run()
        assert await signer.declare(READY)
        assert looks == [] and await signer.sign(Said(VoteKind.NULLIFY, 4), RULES)

    trio.run(test)


@pytest.mark.slow
def test_a_node_that_fails_a_check_serves_and_votes_when_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = checks.shutil.disk_usage
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Usage(1, 1, 0))
    monkeypatch.setattr(checks, "AGAIN_S", 0.05)
    with running(tmp_path, market=False) as node:
        client: Any = node.client

        async def says(text: str) -> bool:
            return text in (await client.consensus())["why"]

        node.do(node.until, lambda: says("0 MiB are free"))
        height = node.do(client.chain_info)["height"]
        monkeypatch.setattr(checks.shutil, "disk_usage", usage)
        node.do(node.until, lambda: grown(client, height + 2))


def test_a_node_that_runs_is_not_taken_for_an_older_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, chain = write_folder(tmp_path, 0, SETTLEMENT_BLOCK_MS), tmp_path / "chain.toml"
    chain.write_text(f"block_time_ms = 60\ncommitment_blocks = 4\n{preset_text('devnet')}")
    config.write_text(config.read_text().replace('chain = "devnet"', f'chain = "{chain}"'))
    with running(tmp_path, market=False) as node:

        async def committed() -> bool:
            return (await node.settlement.committed()).height > 0

        node.do(node.until, committed)
        asked = tenor(capsys, "node", "check", "--config", config, "--json")
    assert (asked.code, asked.result["votes"]) == (0, True), asked.result
    assert "holds the chain up to" in asked.result["checks"][-1]["found"]


async def grown(client: Any, height: int) -> bool:
    return bool((await client.chain_info())["height"] >= height)


def test_the_command_says_whether_it_would_vote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_folder(tmp_path / "node", 0, 100)
    good = tenor(capsys, "node", "check", "--config", config, "--json")
    assert (good.code, good.result["votes"]) == (0, True)
    assert [row["check"] for row in good.result["checks"]] == ["sign", "execute", "disk", "clock", "settlement"]
    assert not (tmp_path / "node" / "settlement.sqlite").exists()
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Usage(1, 1, 0))
    bad = tenor(capsys, "node", "check", "--config", config, "--json")
    assert (bad.code, bad.result["votes"]) == (3, False)
