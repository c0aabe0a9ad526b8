"""Each alert is silent on a healthy node, and calls when a whole node comes into its condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import trio

from execution.vm.chain import KERNEL
from execution.vm.kernel import places
from execution.vm.machine import Machine
from genesis.devkeys import development_address
from genesis.errors import Corrupt
from genesis.presets import preset_text
from node import app
from node.bench.storm_program import HANDLERS, SOURCE
from node.disk import SLOW_S
from node.store import Store
from node.store_swap import ASIDE
from node.vitals import disk
from settlement.adapter import COIN_UNIT
from settlement.contract import Terms
from settlement.local import open_local
from settlement.local_fees import COIN
from tests.node.command import tenor
from tests.node.running import ADMIN, REPORTERS, SETTLEMENT_BLOCK_MS, SPEC, Node, now_ms, running
from tests.node.stage import StubCore
from tests.node.test_disks import Disk
from tests.node.test_validators import KEYS, Town, play
from tests.node.watching import alerts, calls, page, scrape

HOOKS = 1_200
"""More than the rule for hooks that wait lets pass."""
ONE_AT_A_TIME = replace(SPEC, gas_hook_max=100_000, gas_hooks_batch_max=100_000, block_time_ms=250)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("watched"), market=False) as running_node:
        yield running_node


def quiet(found: dict[str, Any]) -> bool:
    return not found


def test_a_healthy_node_calls_nobody(node: Node) -> None:
    node.do(node.next_block)
    node.do(calls, node.url, quiet)


def test_an_old_price_calls(node: Node) -> None:
    oracle = node.programs["oracle"]

    async def test() -> None:
        reporter = development_address(REPORTERS[0])
        await node.send(ADMIN, oracle.call("add_feed", "QUICK", 300, 1), oracle.call("add_reporter", 0, reporter))
        await node.send(REPORTERS[0], oracle.call("report", 0, "1", "0", now_ms()))
        found = await calls(node.url, lambda found: "TenorOracleOld" in found)
        assert found["TenorOracleOld"] == [{"feed": "QUICK"}]

    node.do(test)


def test_settlement_out_of_reach_calls_until_it_is_back(node: Node) -> None:
    async def test() -> None:
        await node.settlement.set_outage(True)
        await calls(node.url, lambda found: "TenorPostingLate" in found)
        await node.settlement.set_outage(False)
        await calls(node.url, lambda found: "TenorPostingLate" not in found)

    node.do(test)


def test_little_money_for_posting_calls_until_there_is_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then none is left; the node runs on, says so, and posts again once it has been funded."""
    poster = development_address(0)
    (tmp_path / "chain.toml").write_text(f"block_time_ms = 60\ncommitment_blocks = 4\n{preset_text('devnet')}")
    where = ("--settlement", tmp_path / "settlement.sqlite", "--chain", tmp_path / "chain.toml", "--coin", "--json")
    with running(tmp_path, market=False) as node:

        async def posted(above: int) -> int:
            info = await node.client.chain_info()
            return info["posted_height"] if info["posted_height"] > above else 0

        node.do(node.until, partial(posted, 0))
        assert not runway(node), "posting is free"
        node.do(node.settlement.fund, poster, COIN, COIN_UNIT // 1_000)
        node.do(node.settlement.set_fees, True)
        found = node.do(calls, node.url, lambda found: {"TenorPostingRunway", "TenorPostingLate"} <= found.keys())
        assert found["TenorPostingRunway"] == [{"poster": f"0x{poster.hex()}"}]
        assert runway(node) == [0] and f"TenorPostingRunway (poster 0x{poster.hex()})" in page(node.url)
        stopped = node.do(node.settlement.committed).height
        assert tenor(capsys, "validator", "fund", "dev:0", 10_000, *where).result["whole_units"] == 10_000
        node.do(calls, node.url, quiet)
        node.do(node.until, partial(posted, stopped))
        assert runway(node)[0] > 3 * 86_400
        node.do(node.settlement.audit)


def runway(node: Node) -> list[float]:
    return [value for name, _, value in scrape(node.url) if name == "tenor_posting_runway_seconds"]


def test_more_hooks_than_blocks_have_room_for_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "storm.py"
    source.write_text(SOURCE)
    with running(tmp_path / "data", spec=ONE_AT_A_TIME, market=False) as node:
        assert "TenorHooksWaiting" not in alerts(node.url)
        to = ("--dev-key", "6", "--url", node.url.replace("http", "ws") + "/ws", "--json")
        tenor(capsys, "program", "deploy", source, "--hooks", "1", *to)
        begin = str(now_ms() + 500)
        rung = tenor(capsys, "program", "call", "storm", "ring", begin, str(HOOKS // HANDLERS), *to).result
        assert rung["status"] == "done", rung
        node.do(calls, node.url, lambda found: "TenorHooksWaiting" in found)


def test_a_folder_that_grows_too_fast_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at a thousand times as often as in life, lest the test take an hour."""
    monkeypatch.setattr(disk, "SAMPLE_S", 0.1)
    monkeypatch.setattr(disk, "SAMPLES_MIN", 3)
    with running(tmp_path, market=False) as node:

        async def test() -> None:
            async def fill() -> None:
                with (tmp_path / "filling").open("wb") as file:
                    while True:
                        file.write(bytes(1 << 20))
                        file.flush()
                        await trio.sleep(0.02)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(fill)
                await calls(node.url, lambda found: "TenorDiskFull" in found)
                nursery.cancel_scope.cancel()

        node.do(test)


def test_a_damaged_store_left_aside_calls_until_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at a thousand times as often as in life; what a start writes is no growth."""
    monkeypatch.setattr(disk, "SAMPLE_S", 0.1)
    monkeypatch.setattr(disk, "SAMPLES_MIN", disk.SAMPLES_MAX + 1)
    with running(tmp_path, market=False) as node:
        node.do(calls, node.url, quiet)
        aside = tmp_path / f"{ASIDE}-1"
        aside.mkdir()
        (aside / "000005.ldb").write_bytes(bytes(1 << 10))
        node.do(calls, node.url, lambda found: found == {"TenorDamagedStore": [{}]})
        rmtree(aside)
        node.do(calls, node.url, quiet)


def test_a_disk_that_takes_its_time_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()

    class OnDisk(Store):
        def __init__(self, path: Path, chain: bytes) -> None:
            super().__init__(path, chain, disk.open)

    monkeypatch.setattr(app, "Store", OnDisk)
    with running(tmp_path, market=False) as node:
        node.do(calls, node.url, quiet)
        disk.sync_s = 1.2 * SLOW_S
        node.do(calls, node.url, lambda found: "TenorDiskBad" in found)
        disk.sync_s = 0.0


def test_a_disk_that_fails_ends_the_node_and_that_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, broken = Store.put, False

    def put(store: Store, *arguments: Any) -> None:
        if broken and store.path.is_relative_to(tmp_path):
            raise Corrupt("store: the disk failed (tried to write a block): Input/output error.")
        genuine(store, *arguments)

    monkeypatch.setattr(Store, "put", put)
    with pytest.raises(Corrupt, match="disk failed"), running(tmp_path, market=False) as node:
        node.do(calls, node.url, quiet)
        broken = True
        node.ended(20)
        assert alerts(node.url) == {"TenorDown": [{}]}


def test_a_core_that_does_not_answer_calls(core: StubCore) -> None:
    """The core of this test knows not what it is asked."""
    assert alerts(core.url) == {"TenorCoreSilent": [{}]}


@pytest.mark.slow
def test_a_bit_that_flips_in_memory_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one of the kernel's counters: the next block comes out differently, and a quorum stands behind it."""
    machines: list[Machine] = []

    def make(*arguments: Any) -> Machine:
        machines.append(Machine(*arguments))
        return machines[-1]

    monkeypatch.setattr(app, "Machine", make)

    async def test(town: Town) -> None:
        await town.kill(3)
        url = f"http://127.0.0.1:{(await town.start(3)).ready.port}"
        await town.grown(3, 2)
        await calls(url, quiet)
        memory = machines[-1]._host
        (byte,) = memory.read(KERNEL, "state", places.PUT_OFF, 1)
        memory.write(KERNEL, "state", places.PUT_OFF, bytes([byte ^ 64]))
        found = await calls(url, lambda found: "TenorDiverged" in found)
        assert found["TenorNotVoting"] == [{"reason": "diverged"}]
        assert "came out differently here" in (await town.members[3].client.consensus())["why"]

    play(tmp_path, test)


@pytest.mark.slow
def test_validators_that_are_lost_call_one_by_one(tmp_path: Path) -> None:
    """Four, of which one may be lost; without the second no quorum is left, and certificates grow old."""

    async def test(town: Town) -> None:
        url = f"http://127.0.0.1:{town.members[0].ready.port}"
        await town.grown(0, 2)
        await calls(url, quiet)
        await town.kill(3)
        await calls(url, lambda found: found.keys() == {"TenorPeersLow"})
        await town.kill(2)
        found = await calls(url, lambda found: {"TenorNotVoting", "TenorCertificateOld"} <= found.keys())
        assert {"reason": "cut_off"} in found["TenorNotVoting"]
        view = await town.members[0].client.consensus()
        why = "validators with 2 of the stake are connected, itself included, and a quorum needs 3"
        assert (view["votes"], view["why"]) == (False, why)
        await town.start(2)
        await town.start(3)
        await calls(url, quiet)

    play(tmp_path, test)


@pytest.mark.slow
def test_validators_without_money_leave_posting_to_the_one_who_has_some(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        rich, *poor = (f"http://127.0.0.1:{town.members[number].ready.port}" for number in range(4))
        account = development_address(KEYS[0])
        async with open_local(tmp_path / "settlement.sqlite", Terms.of(town.spec), SETTLEMENT_BLOCK_MS) as settlement:
            await settlement.fund(account, COIN, 10_000 * COIN_UNIT)
            await settlement.set_fees(True)
            wanted = (await settlement.committed()).height + 3 * town.spec.commitment_blocks
            while (await town.members[1].client.chain_info())["final_height"] < wanted:
                await trio.sleep(0.05)
            assert await settlement.balance(account, COIN) < 10_000 * COIN_UNIT
            await settlement.audit()
        for url in poor:
            await calls(url, lambda found: found.keys() == {"TenorPostingRunway"})
        await calls(rich, quiet)

    play(tmp_path, test)
