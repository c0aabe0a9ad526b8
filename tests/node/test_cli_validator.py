"""`tenor validator` and `tenor tx force` against the settlement chain's file of a running node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.chain import VoteKind, sign_vote
from genesis.crypto import checksum_address
from genesis.devkeys import development_address, development_key
from genesis.membership import STAKE_UNIT, Evidence
from genesis.presets import parse_spec, preset_text
from node import keystore
from settlement.contract import Terms
from settlement.local import open_local
from tests.node.command import Ran, tenor
from tests.node.running import SPEC, Node, activate, running
from tests.settlement.test_adapter_contract import Chain

OWNER, NEW, NEWER, REPORTER = 6, 12, 13, 7
TEXT = "block_time_ms = 60\ncommitment_blocks = 4\n"
QUICK = "validators_delay_blocks = 1\nexit_blocks = 1\nreplace_blocks = 1\n"
Run = Callable[..., Ran]


def name(key: int) -> str:
    return checksum_address(development_address(key))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A settlement chain with quick blocks and short waits, and its specification beside it."""
    (tmp_path / "chain.toml").write_text(QUICK + TEXT + preset_text("devnet"))

    async def make() -> None:
        terms = Terms.of(parse_spec((tmp_path / "chain.toml").read_text()))
        async with open_local(tmp_path / "settlement.sqlite", terms, 50) as settlement:
            await settlement.fund(development_address(OWNER), 0, 10 * STAKE_UNIT)
            await settlement.submit(Chain().commit(await settlement.head(), keys=(0,)))

    trio.run(make)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    where = ("--settlement", place / "settlement.sqlite", "--chain", place / "chain.toml", "--json")
    return lambda *words: tenor(capsys, "validator", *words, *where)


def stakes(result: Any) -> dict[str, int]:
    return {row["validator"]: row["stake"] for row in result["validators"]}


def ready(place: Path, key: int) -> None:
    async def say() -> None:
        terms = Terms.of(parse_spec((place / "chain.toml").read_text()))
        async with open_local(place / "settlement.sqlite", terms) as settlement:
            await activate(settlement, key)

    trio.run(say)


def joined(run: Run, place: Path) -> dict[str, int]:
    """A new validator whose node is ready; the newest set."""
    ran = run("register", 3, "--validator-dev-key", NEW, "--dev-key", OWNER)
    assert (ran.code, stakes(ran.result)) == (0, {name(0): 1}), ran.err
    assert ran.result["pending"] == [{"validator": name(NEW), "stake": 3}]
    ready(place, NEW)
    listed = run("list").result
    assert listed["pending"] == []
    newest = listed["validators"][-1]["version"]
    return {row["validator"]: row["stake"] for row in listed["validators"] if row["version"] == newest}


def test_a_validator_registers_goes_on_under_a_new_key_and_leaves(run: Run, place: Path) -> None:
    assert joined(run, place) == {name(0): 1, name(NEW): 3}
    again = run("register", 3, "--validator-dev-key", NEW, "--dev-key", OWNER)
    assert (again.code, again.result["code"]) == (1, "key_used")
    rotated = run("rotate-key", name(NEW), "--validator-dev-key", NEWER, "--dev-key", OWNER)
    assert stakes(rotated.result) == {name(0): 1, name(NEW): 3}
    assert rotated.result["pending"] == [{"validator": name(NEWER), "stake": 3}]
    ready(place, NEWER)
    assert run("exit", f"dev:{NEWER}", "--dev-key", REPORTER).result["code"] == "not_owner"
    left = run("exit", f"dev:{NEWER}", "--dev-key", OWNER).result
    assert stakes(left) == {name(0): 1}
    assert run("claim", name(NEWER), "--dev-key", OWNER).result["code"] == "still_held"
    listed = run("list").result["validators"]
    assert [row["version"] for row in listed][-1] == left["version"] and listed[0]["from_block"] == 0


def test_what_comes_next_is_told(run: Run) -> None:
    ran = run("register", 3, "--validator-dev-key", NEW, "--dev-key", OWNER)
    assert "enters the set 1 settlement blocks after its node has said that it is ready" in ran.err
    rotated = run("rotate-key", name(0), "--validator-dev-key", NEWER, "--dev-key", 0)
    assert "the old key stays" in rotated.err


def test_what_is_lacking_is_named(run: Run, place: Path) -> None:
    keyless = run("register", 3, "--dev-key", OWNER).result
    assert keyless["code"] == "no_key" and "--validator-key" in keyless["error"]
    keystore.save(place / "new.json", development_key(NEW), "word", keystore.SCRYPT_N_LIGHT)
    locked = run("register", 3, "--validator-key", place / "new.json", "--dev-key", OWNER).result
    assert (locked["code"], "; use --validator-password-file." in locked["error"]) == ("bad_password", True)
    poor = run("register", 11, "--validator-dev-key", NEW, "--dev-key", OWNER).result
    assert (poor["code"], f"{name(OWNER)} holds 10" in poor["error"]) == ("insufficient_balance", True)


def test_evidence_costs_the_stake(run: Run, place: Path, tmp_path: Path) -> None:
    joined(run, place)
    votes = [
        sign_vote(VoteKind.NOTARISE, SPEC.chain_id, 5, 7, block * 32, 1, development_key(NEW)) for block in (b"1", b"2")
    ]
    file = tmp_path / "evidence"
    file.write_text("0x" + Evidence(votes[0], votes[1]).encode().hex() + "\n")
    shown = run("evidence", file, "--dev-key", REPORTER)
    assert shown.code == 0 and stakes(shown.result) == {name(0): 1}
    assert run("evidence", file, "--dev-key", REPORTER).result["code"] == "nothing_held"
    for nonsense in ("0xzz", "0x1234", ""):
        file.write_text(nonsense)
        refused = run("evidence", file, "--dev-key", REPORTER).result
        assert (refused["code"], str(file) in refused["error"]) == ("bad_file", True)
    file.write_text("0x" + Evidence(votes[0], votes[0]).encode().hex())
    assert run("evidence", file, "--dev-key", REPORTER).result["code"] == "no_evidence"


def test_who_is_lost_is_replaced(run: Run, place: Path) -> None:
    joined(run, place)
    assert run("announce", name(NEW), "--dev-key", OWNER).result["code"] == "not_admin"
    announced = run("announce", name(NEW), "--dev-key", 1)
    assert announced.code == 0, announced.err
    replaced = run("replace", "--dev-key", REPORTER)
    while replaced.code and replaced.result["code"] == "time_lock":
        replaced = run("replace", "--dev-key", REPORTER)
    assert stakes(replaced.result) == {name(0): 1}


# Forced


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Path]]:
    folder = tmp_path_factory.mktemp("chain")
    (folder / "chain.toml").write_text(TEXT + preset_text("devnet"))
    assert parse_spec((folder / "chain.toml").read_text()).hash() == SPEC.hash()
    with running(folder, market=False) as started:
        yield started, folder


def test_a_transaction_is_forced_past_the_node(node: tuple[Node, Path], capsys: pytest.CaptureFixture[str]) -> None:
    running_node, folder = node
    words: list[Any] = ["tx", "force", "bank", "transfer", "0", name(REPORTER), "2.5", "--dev-key", OWNER]
    words += ["--settlement", folder / "settlement.sqlite", "--chain", folder / "chain.toml", "--wait", "final"]
    ran = tenor(capsys, *words, "--url", running_node.url.replace("http", "ws") + "/ws", "--json")
    assert ran.code == 0, ran.err
    assert (ran.result["status"], ran.result["stage"], ran.result["position"]) == ("done", "final", 0)
    block = running_node.do(running_node.client.block, ran.result["height"])
    assert len(block["forced"]) == 1 and block["deposits"] == []


def test_money_goes_over_the_border_and_back(node: tuple[Node, Path], capsys: pytest.CaptureFixture[str]) -> None:
    running_node, folder = node
    settlement = ("--settlement", folder / "settlement.sqlite", "--json")
    chain = ("--chain", folder / "chain.toml", *settlement)
    key = ("--dev-key", OWNER, "--url", running_node.url.replace("http", "ws") + "/ws")
    assert tenor(capsys, "validator", "fund", f"dev:{OWNER}", 5, *chain).result["whole_units"] == 5
    over = tenor(capsys, "tx", "deposit", "1.5", *key, *chain)
    assert (over.code, over.result["left_on_settlement"]) == (0, "3.5"), over.err

    def sequence() -> int:
        return running_node.do(running_node.client.sequence, development_address(OWNER))

    before = sequence()
    refused = tenor(capsys, "tx", "withdraw", "1", *key, *settlement)
    assert (refused.result["code"], "--chain" in refused.result["error"]) == ("bad_spec", True)
    assert sequence() == before, "nothing was burnt"
    back = tenor(capsys, "tx", "withdraw", "1", *key, *chain)
    assert (back.code, back.result["paid_on_settlement"]) == (0, "1"), back.err
    held = running_node.do(running_node.settlement.balance, development_address(OWNER), 0)
    assert held == 9 * STAKE_UNIT // 2, "it is there when it is said to be"
    unlocked = tenor(capsys, "tx", "withdraw", "1", *key, *chain)
    assert (unlocked.code, "never deposited" in unlocked.err) == (3, True)


def test_a_proof_is_checked_by_the_set_that_settlement_has_at_its_anchor(
    node: tuple[Node, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    running_node, folder = node
    where = ("--settlement", folder / "settlement.sqlite", "--chain", folder / "chain.toml", "--json")
    receipt = running_node.do(
        running_node.send, 8, running_node.programs["bank"].call("transfer", 0, development_address(REPORTER), "1")
    )

    async def final() -> Any:
        view = await running_node.client.receipt_proof(receipt.transaction)
        return view if view["stage"] == "final" else None

    (folder / "answer.json").write_text(json.dumps(running_node.do(running_node.until, final)))
    checked = tenor(capsys, "proof", "check", folder / "answer.json", *where)
    assert checked.code == 0, checked.err
    assert (checked.result["standing"], checked.result["validators"]) == ("final", 0)
