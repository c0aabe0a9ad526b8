"""A node that only follows: level by ranges or by snapshot, through restarts; it answers, and never votes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from node.app import Ready, check_settlement, run_node
from node.client import Client, connect
from node.config import NOWHERE, load
from node.life import Place
from node.lives import Lives
from node.localnet import free_ports
from node.programs import Programs
from node.store import Store, StoredBlock
from node.sync.serving import Snapshots
from node.watch.words import sentences
from p2p.identity import NodeKey
from p2p.memory import Hub, open_memory_network
from tests.node.command import tenor
from tests.node.running import SPEC, config_of, transaction
from tests.node.test_validators import Town, look_often, pruned
from tests.node.test_validators import play as play_four

VALIDATOR = development_address(0)


@dataclass(slots=True)
class Member:
    ready: Ready
    client: Client
    scope: trio.CancelScope

    async def height(self) -> int:
        return int((await self.client.chain_info())["height"])

    async def reaches(self, height: int) -> None:
        while await self.height() < height:
            await trio.sleep(0.02)


class Pair:
    """A validator of a chain of one, and whoever follows it."""

    def __init__(self, folder: Path, hub: Hub, nursery: trio.Nursery) -> None:
        self.folder, self.hub, self.nursery = folder, hub, nursery
        self.sequence = 0
        self.listed: dict[bytes, str] = {VALIDATOR: "validator"}
        """What a follower's file of peers says now."""

    async def start(self, name: str, **flags: str) -> Member:
        member: Member = await self.nursery.start(self._live, name, flags)
        return member

    async def _live(self, name: str, flags: dict[str, str], task_status: trio.TaskStatus[Member]) -> None:
        settlement = str(self.folder / "settlement.sqlite")
        config = config_of(self.folder / name, settlement__file=settlement, **flags)
        key = development_key(0) if name == "validator" else None
        known = {} if key else self.listed

        async def news() -> dict[bytes, str] | None:
            nonlocal known
            before, known = known, known if key else self.listed
            return known if known != before else None

        place = Place(self.hub.join(name), known, news)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                ready = await nursery.start(run_node, config, SPEC, key, place)
                async with connect(f"ws://127.0.0.1:{ready.port}/ws") as client:
                    task_status.started(Member(ready, client, scope))
                    await trio.sleep_forever()

    async def start_lives(self, name: str, **flags: str) -> tuple[Lives, Member]:
        """A follower as a process runs it."""
        config = config_of(self.folder / name, settlement__file=str(self.folder / "settlement.sqlite"), **flags)

        @asynccontextmanager
        async def enter() -> AsyncIterator[Place]:
            yield Place(self.hub.join(name), self.listed)
            self.hub.crash(name)

        lives = Lives(config, SPEC, None, enter)
        ready = await self.nursery.start(lives.run)
        client = await self.nursery.start(_connected, ready.port)
        return lives, Member(ready, client, trio.CancelScope())

    async def kill(self, name: str, member: Member) -> None:
        self.hub.crash(name)
        member.scope.cancel()
        await trio.sleep(0.1)

    async def pay(self, member: Member) -> Any:
        bank = (await Programs.load(member.client))["bank"]
        call = bank.call("transfer", 0, development_address(7), "1")
        receipt = await member.client.send(transaction(6, [call], sequence=self.sequence))
        self.sequence += 1
        return receipt


async def _connected(port: int, task_status: trio.TaskStatus[Client]) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws") as client:
        task_status.started(client)
        await trio.sleep_forever()


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    async with open_memory_network() as hub, trio.open_nursery() as nursery:
        yield Pair(folder, hub, nursery)
        nursery.cancel_scope.cancel()


def play(folder: Path, test: Callable[[Pair], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(240):
            async with pair(folder) as found:
                await test(found)

    trio.run(main)


def test_a_follower_without_a_block_names_no_leader(tmp_path: Path) -> None:
    async def test(town: Pair) -> None:
        town.listed = {}
        (town.folder / "settlement.sqlite").touch()
        follower = await town.start("follower")
        view = await follower.client.consensus()
        assert (view["certified_height"], view["leader"]) == (0, None)
        assert "Block 0 is certified; this node waits for the next certified block." in sentences(view)[-1]

    play(tmp_path, test)


@pytest.mark.slow
def test_a_follower_has_the_chain_answers_for_it_and_takes_no_part(tmp_path: Path) -> None:
    async def test(town: Pair) -> None:
        validator = await town.start("validator", sequencer__checkpoint_blocks="8")
        receipts = [await town.pay(validator) for _ in range(3)]
        await validator.reaches(receipts[-1].height + 1)
        follower = await town.start("follower", sync__snapshot_blocks="100000", sequencer__checkpoint_blocks="8")
        await follower.reaches(receipts[-1].height)
        for height in (1, receipts[-1].height):
            own, other = [await one.client.block(height) for one in (follower, validator)]
            assert own["hash"] == other["hash"] and own["transactions"] == other["transactions"]
        for receipt in receipts:
            again = await follower.client.receipt(receipt.transaction)
            assert (again.height, again.status, again.results) == (receipt.height, "done", receipt.results)
        account = [await one.client.account(development_address(7)) for one in (follower, validator)]
        assert account[0]["balances"] == account[1]["balances"]
        view = await follower.client.consensus()
        assert (view["votes"], view["validator"], view["why"]) == (False, None, "it only follows")
        passed_on = await town.pay(follower)
        assert passed_on.status == "done", "the validator has run it"
        await follower.reaches(passed_on.height)
        at_both = [await one.client.receipt(passed_on.transaction) for one in (follower, validator)]
        assert at_both[0].encode() == at_both[1].encode() == passed_on.encode()
        assert at_both[0].stage in ("certified", "posted", "final"), "in place, as at the validator"
        await town.kill("follower", follower)
        await validator.reaches(await validator.height() + 3)
        town.listed = {}
        again = await town.start("follower", sync__snapshot_blocks="100000", sequencer__checkpoint_blocks="8")
        assert again.ready.height >= receipts[-1].height, "it has its blocks"
        alone = await again.client.consensus()
        assert not any(one["connected"] for one in alone["validators"]), "its file of peers names nobody"
        town.listed = {VALIDATOR: "validator"}
        await again.reaches(await validator.height())

    play(tmp_path, test)


@pytest.mark.slow
def test_what_a_follower_is_sent_arrives_whoever_leads_and_whomever_it_knows(tmp_path: Path) -> None:
    """Its file of peers lacks the node that leads, so another passes on; then that leader dies."""

    async def test(town: Town) -> None:
        await town.grown(0, 2)
        leader = await town.leader()
        known = {development_address(town.keys[number]): f"v{number}" for number in town.members if number != leader}
        config = config_of(tmp_path / "follower", settlement__file=str(tmp_path / "settlement.sqlite"))
        place = Place(town.hub.join("follower"), known)
        ready: Ready = await town.nursery.start(run_node, config, town.spec, None, place)
        async with connect(f"ws://127.0.0.1:{ready.port}/ws") as client:
            assert (await town.pay_through(client)).status == "done"
            await town.kill(leader)
            last = await town.pay_through(client)
            assert last.status == "done"
            while (await client.receipt(last.transaction)).stage == "executed":
                await trio.sleep(0.02)

    play_four(tmp_path, test)


@pytest.mark.slow
def test_a_fresh_follower_takes_a_snapshot_and_says_what_it_lacks(tmp_path: Path) -> None:
    async def test(town: Pair) -> None:
        validator = await town.start("validator", sequencer__checkpoint_blocks="8")
        receipt = await town.pay(validator)
        await validator.reaches(receipt.height + 30)
        follower = await town.start("follower", sync__snapshot_blocks="8")
        assert follower.ready.replayed == 0, "no block before the snapshot was run"
        assert follower.ready.height >= 8, "the snapshot is of a checkpoint"
        await follower.reaches(await validator.height())
        height = await follower.height()
        blocks = [await one.client.block(height) for one in (follower, validator)]
        assert blocks[0]["hash"] == blocks[1]["hash"]
        account = [await one.client.account(development_address(7)) for one in (follower, validator)]
        assert account[0]["balances"] == account[1]["balances"]
        for lacking in (follower.client.block(1), follower.client.receipt(bytes(32))):
            with pytest.raises(Invalid, match="pruned") as caught:
                await lacking
            assert caught.value.code == "pruned"

    play(tmp_path, test)


@pytest.mark.slow
def test_a_follower_that_was_cut_off_begins_again_from_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that it lacks are pruned by then; whoever asks at its port afterwards meets the same chain."""
    look_often(monkeypatch)

    async def test(town: Pair) -> None:
        validator = await town.start("validator", sequencer__checkpoint_blocks="8", sync__keep_blocks="4")
        receipt = await town.pay(validator)
        lives, follower = await town.start_lives("follower")
        await follower.reaches(receipt.height)
        town.hub.partition([["validator"], ["follower"]])
        monkeypatch.setattr("node.sync.pruning.PEERS_BLOCKS", 4)
        while not await pruned(validator.client, await follower.height() + 2):
            await trio.sleep(0.05)
        monkeypatch.setattr("node.sync.pruning.PEERS_BLOCKS", 1 << 20)  # what follows upon the snapshot stays
        town.hub.heal()
        while lives.count < 2:
            await trio.sleep(0.02)
        again = await town.nursery.start(_connected, follower.ready.port)
        newest = await validator.client.block()
        while (await again.chain_info())["height"] < newest["height"]:
            await trio.sleep(0.02)
        assert (await again.block(newest["height"]))["hash"] == newest["hash"]
        account = [await one.account(development_address(7)) for one in (again, validator.client)]
        assert account[0]["balances"] == account[1]["balances"]
        assert (await again.consensus())["sync"]["pieces"] > 0, "of a snapshot"
        lives.stop()

    play(tmp_path, test)


@pytest.mark.slow
def test_a_node_that_takes_a_snapshot_says_how_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages come when the test lets them."""
    held, honest = trio.Event(), Snapshots._pages
    (port,) = free_ports(1)

    async def pages(self: Snapshots, peer: str, payload: bytes) -> bytes:
        await held.wait()
        return await honest(self, peer, payload)

    monkeypatch.setattr(Snapshots, "_pages", pages)
    monkeypatch.setattr("node.sync.download.ANSWER_TIMEOUT_S", 200.0)

    async def test(town: Pair) -> None:
        validator = await town.start("validator", sequencer__checkpoint_blocks="8")
        await validator.reaches(20)
        town.nursery.start_soon(partial(town.start, "follower", sync__snapshot_blocks="8", gateway__port=str(port)))
        client = await reached(town.nursery, port)
        while not ((sync := (await client.consensus())["sync"])["pieces_total"] and sync["peers"]):
            await trio.sleep(0.02)
        assert (sync["phase"], sync["pieces"], sync["peers"], sync["lies"]) == ("snapshot", 0, 1, 0)
        assert sync["target"] >= 20 and sync["bytes"] > 0
        with pytest.raises(Unavailable, match=r"coming up.* takes a snapshot: 0 of"):
            await client.chain_info()
        url = f"ws://127.0.0.1:{port}/ws"
        told = await trio.to_thread.run_sync(tenor, capsys, "node", "status", "--url", url, "--json")
        assert told.code == 0 and "It takes a snapshot: 0 of" in told.result["status"]
        page, metrics = [await trio.to_thread.run_sync(got, port, path) for path in ("status", "metrics")]
        assert "It takes a snapshot: 0 of" in page and 'tenor_catch_up_phase{phase="snapshot"} 1.0' in metrics
        held.set()
        while (sync := (await client.consensus())["sync"])["phase"] != "level":
            await trio.sleep(0.02)
        assert sync["pieces"] == sync["pieces_total"] > 0 and sync["height"] >= 8
        assert 'tenor_catch_up_phase{phase="level"} 1.0' in await trio.to_thread.run_sync(got, port, "metrics")

    play(tmp_path, test)


async def reached(nursery: trio.Nursery, port: int) -> Client:
    while True:
        with suppress(Unavailable):
            found: Client = await nursery.start(_connected, port)
            return found
        await trio.sleep(0.05)


def got(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
        return str(answer.read().decode())


def test_a_follower_is_made_without_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peers = tmp_path / "peers"
    name = NodeKey(b"\1" * 32).peer
    peers.write_text(f"0x{VALIDATOR.hex()} /ip4/127.0.0.1/tcp/26600/p2p/{name}\n")
    made = tenor(capsys, "node", "init", tmp_path / "reader", "--follow", peers, "--json")
    assert made.code == 0, made.err
    assert sorted(path.name for path in (tmp_path / "reader").iterdir()) == ["node.key", "node.toml"]
    config = load(tmp_path / "reader" / "node.toml").network
    assert (config.peers, config.listen) == (peers, NOWHERE)
    keyless = tenor(capsys, "node", "run", "--config", made.result["config"], "--json")
    assert (keyless.code, "--follow" in keyless.result["error"]) == (1, True)


def test_what_is_wrong_is_told_before_a_folder_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody, folder = tmp_path / "nobody", tmp_path / "node"
    nobody.write_text("# no line yet\n")
    for words, code in (
        (("--follow", tmp_path / "nothing"), "bad_config"),
        (("--follow", nobody), "bad_config"),
        (("--follow", nobody, "--dev-key", 0), "no_key"),
        (("--signer", tmp_path / "socket", "--new-key"), "no_key"),
        (("--listen", "/ip4/127.0.0.1/udp/26600"), "bad_address"),
    ):
        refused = tenor(capsys, "node", "init", folder, *words, "--json")
        assert (refused.code, refused.result["code"], folder.exists()) == (1, code, False)


def test_who_does_not_begin_the_chain_makes_no_settlement_chain_of_its_own(tmp_path: Path) -> None:
    """An empty one beside the validators' would tell it nothing, and be right about nothing."""
    missing = tmp_path / "settlement.sqlite"
    with Store(tmp_path / "store", bytes(32)) as store:
        check_settlement(missing, SPEC, store, VALIDATOR)
        for address in (None, development_address(9)):
            with pytest.raises(Unavailable, match=f"There is no settlement chain at {missing}.* settlement.file"):
                check_settlement(missing, SPEC, store, address)
        store.put([StoredBlock(1, b"header", b"body", b"receipts")])
        with pytest.raises(Unavailable, match="bring it back"):
            check_settlement(missing, SPEC, store, VALIDATOR)
        missing.touch()
        check_settlement(missing, SPEC, store, VALIDATOR)


PATIENT = "from node.sync import joining; joining.OFFERS_WAIT_S = 1e4; import node.cli.__main__"


def test_a_node_that_comes_up_is_stopped_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It waits for peers that are not there, and could wait for long."""
    peers = tmp_path / "peers"
    peers.write_text(f"0x{VALIDATOR.hex()} /ip4/127.0.0.1/tcp/{free_ports(1)[0]}/p2p/{NodeKey(bytes([1] * 32)).peer}\n")
    assert tenor(capsys, "node", "init", tmp_path / "reader", "--follow", peers, "--json").code == 0
    command = [sys.executable, "-c", PATIENT, "node", "run", "--follow", "--config", "reader/node.toml", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    (tmp_path / "settlement.sqlite").touch()
    flags = ["--gateway.port", "0", "--settlement.file", str(tmp_path / "settlement.sqlite")]
    with subprocess.Popen([*command, *flags], cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        while not (tmp_path / "reader" / "data" / "store" / "CURRENT").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["stopped"] == "by request, while it came up"
