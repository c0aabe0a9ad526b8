"""How a node starts again, and how it ends: with one clear error, and nothing said that is not kept."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.chain import Receipt
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from node import keystore
from node.app import run_node
from node.config import render
from node.gateway import port
from node.store import Store
from settlement.local import LocalSettlement
from tests.node.running import SPEC, Node, config_of, running

TRADER, OTHER = 8, 9


async def pay(node: Node, amount: str = "1") -> Receipt:
    return await node.send(TRADER, node.programs["bank"].call("transfer", 0, development_address(OTHER), amount))


def test_a_node_started_again_goes_on(tmp_path: Path) -> None:
    """Receipts as they were answered, heights without a gap or a change, posting where it had ended."""
    with running(tmp_path, market=False, sequencer__checkpoint_blocks="3") as node:
        receipts = [node.do(pay, node) for _ in range(3)]
        last = node.do(node.next_block)

        async def posted() -> bool:
            return bool((await node.client.chain_info())["posted_height"] > 0)

        node.do(node.until, posted)
        first_run = [node.do(node.client.block, height) for height in range(1, last["height"] + 1)]
    with running(tmp_path, market=False, sequencer__checkpoint_blocks="3") as node:
        assert node.ready.height >= last["height"] and node.ready.replayed < 3
        assert [unstaged(node.do(node.client.block, block["height"])) for block in first_run] == list(
            map(unstaged, first_run)
        )
        again = [node.do(node.client.receipt, receipt.transaction) for receipt in receipts]
        assert [(r.height, r.position, r.status, r.fee) for r in again] == [
            (r.height, r.position, r.status, r.fee) for r in receipts
        ]
        assert node.do(node.client.sequence, development_address(TRADER)) == 3
        assert node.do(pay, node).status == "done"

        async def all_final() -> bool:
            return bool((await node.client.chain_info())["final_height"] >= last["height"])

        node.do(node.until, all_final)


def unstaged(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "stage"}


@pytest.mark.parametrize("method", ["append_batch", "put", "put_checkpoint"])
def test_a_failing_disk_ends_the_node_with_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What was answered before is there after the next start."""
    answered: list[Receipt] = []
    genuine = getattr(Store, method)
    broken = False

    def write(store: Store, *arguments: Any) -> Any:
        if broken:
            raise Corrupt("store: the disk failed (tried to write): No space left. Free space, then start again.")
        return genuine(store, *arguments)

    monkeypatch.setattr(Store, method, write)
    with (
        pytest.raises(Corrupt, match="disk failed"),
        running(tmp_path, market=False, sequencer__checkpoint_blocks="2") as node,
    ):
        answered.append(node.do(pay, node))
        broken = True
        try:
            while True:
                answered.append(node.do(pay, node))
        except (TenorError, trio.RunFinishedError, trio.Cancelled):
            node.ended(10)
    broken = False
    with running(tmp_path, market=False) as node:
        for receipt in answered:
            again = node.do(node.client.receipt, receipt.transaction)
            assert (again.height, again.position, again.fee) == (receipt.height, receipt.position, receipt.fee)
        assert node.do(node.client.sequence, development_address(TRADER)) >= len(answered)


def test_a_busy_folder_is_unavailable(tmp_path: Path) -> None:
    with running(tmp_path, market=False) as node:
        with pytest.raises(Unavailable, match="open in another process"):
            node.do(run_node, config_of(tmp_path), SPEC, development_key(0))
        assert node.do(pay, node).status == "done"


def test_a_key_that_is_no_validators_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no validator"):
        trio.run(run_node, config_of(tmp_path), SPEC, development_key(5))


def test_a_store_of_another_settlement_is_corrupt(tmp_path: Path) -> None:
    """Settlement knows blocks that this store lacks: whoever goes on would sign heights twice."""
    with running(tmp_path / "one", market=False, settlement__file=str(tmp_path / "settled")) as node:

        async def posted() -> bool:
            return bool((await node.client.chain_info())["posted_height"] > 0)

        node.do(node.until, posted)
    with (
        pytest.raises(Corrupt, match="settlement holds block"),
        running(tmp_path / "two", market=False, settlement__file=str(tmp_path / "settled")) as node,
    ):
        node.ended(10)


def test_settlement_out_of_reach_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path, market=False) as node:
        node.do(node.settlement.set_outage, True)
    with running(tmp_path, market=False) as node:
        height = node.do(node.next_block)["height"]
        assert node.do(node.client.chain_info)["posted_height"] == 0
        node.do(LocalSettlement.set_outage, node.settlement, False)

        async def posted() -> bool:
            return bool((await node.client.chain_info())["posted_height"] >= height)

        node.do(node.until, posted)


def test_the_command_ends_with_the_error_and_its_exit_code(tmp_path: Path) -> None:
    """A damaged store: exit code 4, the path and what to do, no traceback."""
    config = prepared(tmp_path)
    with running(tmp_path, market=False) as node:
        node.do(pay, node)
    for table in (tmp_path / "store").glob("MANIFEST-*"):
        table.write_bytes(bytes(len(table.read_bytes())))
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", "node", "run", "--config", str(config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "store" in done.stderr and "Traceback" not in done.stderr and "ExceptionGroup" not in done.stderr


def prepared(folder: Path) -> Path:
    key, password = folder / "validator.json", folder / "validator.password"
    keystore.save(key, development_key(0), "devnet", keystore.SCRYPT_N_LIGHT)
    password.write_text("devnet\n")
    path = folder / "node.toml"
    path.write_text(render(config_of(folder, keys__validator=str(key), keys__password_file=str(password))))
    return path


def test_a_port_in_use_is_said_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a store nor a block is begun that would be for nothing."""
    monkeypatch.setattr(port, "BIND_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        said = f"listen on 127.0.0.1:{number}: .*; set gateway.port"
        with pytest.raises(Unavailable, match=said), running(tmp_path, market=False, gateway__port=number):
            pass
    assert list(tmp_path.iterdir()) == []
