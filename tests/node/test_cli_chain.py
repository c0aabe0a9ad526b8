"""Commands against a whole node: trading, programs, receipts; then the audit of what it stored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genesis.crypto import checksum_address
from genesis.devkeys import development_address
from node import audit_books
from node.audit import audit, located
from node.audit_books import Books
from node.store import Store
from tests.node.command import Ran, tenor
from tests.node.running import SPEC, Node, report, running

Run = Callable[..., Ran]
KEY = ("--dev-key", "6")
OTHER = ("--dev-key", "7")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as started:
        yield started


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], node: Node) -> Run:
    """A command with --json against the node, whose prices are fresh."""
    node.do(report, node)
    url = node.url.replace("http", "ws") + "/ws"
    return lambda *words: tenor(capsys, *words, "--url", url, "--json")


def test_status_tells_where_the_chain_stands(run: Run) -> None:
    assert run("node", "status").result["chain_id"] == SPEC.chain_id


def test_money_moves_and_the_receipt_can_be_asked_for(run: Run) -> None:
    sent = run("tx", "transfer", "12.5", "--to", "dev:8", *KEY, "--wait", "certified").result
    assert (sent["status"], sent["stage"] != "executed") == ("done", True)
    assert sent["calls"] == [{"entry": "bank.transfer", "result": None}]
    (event,) = sent["events"]
    assert (event["event"], event["members"]["amount"]) == ("bank.Transferred", "12.5")
    again = run("tx", "receipt", sent["transaction"], "--wait", "final").result
    assert (again["stage"], again["events"]) == ("final", sent["events"])


def test_an_order_rests_is_seen_and_cancelled(run: Run) -> None:
    placed = run("tx", "order", "sell", "0.5", "--price", "120", *KEY).result
    order = placed["calls"][0]["result"]["order"]
    assert run("tx", "book").result["asks"] == [{"price": "120", "size": "0.5", "orders": 1}]
    cancelled = run("tx", "cancel", order, *KEY).result
    assert cancelled["calls"] == [{"entry": "exchange.cancel", "result": "0.5"}]
    assert run("tx", "book").result["asks"] == []


def test_two_traders_trade(run: Run) -> None:
    posted = run("tx", "order", "sell", "0.2", "--price", "101", "--kind", "post", *KEY).result
    assert isinstance(posted["calls"][0]["result"], int)
    taken = run("tx", "order", "buy", "0.2", *OTHER).result["calls"][0]["result"]
    assert (taken["filled"], taken["notional"]) == ("0.2", "20.2")
    assert run("tx", "account", "dev:7").result["positions"][0]["quantity"] == "0.2"
    assert run("tx", "order", "sell", "0.2", "--price", "99", "--reduce-only", *OTHER).code == 0
    assert run("tx", "cancel", "--all", *OTHER).result["calls"][0]["result"] == 1


def test_margin_goes_in_and_out(run: Run) -> None:
    cash = float(run("tx", "account", "dev:8").result["cash"])
    run("tx", "deposit", "500", "--dev-key", "8")
    assert float(run("tx", "account", "dev:8").result["cash"]) == cash + 500
    run("tx", "withdraw", "200", "--dev-key", "8")
    assert float(run("tx", "account", "dev:8").result["cash"]) == cash + 300


def test_a_sub_account_has_its_own_money_and_position_under_the_same_key(run: Run) -> None:
    sub = "dev:6/3"
    assert run("tx", "open-sub", 3, *KEY).result["status"] == "done"
    assert run("tx", "transfer", "2000", "--to", sub, *KEY).code == 0
    assert run("tx", "deposit", "1000", *KEY, "--account", sub).result["status"] == "done"
    before = run("tx", "account", "dev:6").result["positions"]
    run("tx", "order", "sell", "0.1", "--price", "101", *OTHER)
    assert run("tx", "order", "buy", "0.1", "--price", "101", *KEY, "--account", sub).result["status"] == "done"
    assert run("tx", "account", sub).result["positions"][0]["quantity"] == "0.1"
    assert run("tx", "account", "dev:6").result["positions"] == before
    thief = run("tx", "transfer", "1", "--to", "dev:7", *OTHER, "--account", sub)
    assert thief.code == 1 and "not the account, nor its agent" in thief.result["error"]


def test_a_failed_transaction_is_code_1_and_still_an_object(run: Run) -> None:
    ran = run("tx", "withdraw", "100000000", *KEY)
    assert (ran.code, ran.result["status"]) == (1, "failed")
    assert ran.result["calls"][0]["reason"] == "initial margin"
    assert "initial margin" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tx", "transfer", "1", "--to", "dev:16"), "dev:0 to dev:15"),
        (("tx", "transfer", "1", "--to", "dev:6/x"), "no sub-account"),
        (("tx", "transfer", "1", "--to", "nobody"), "No program is called nobody"),
        (("tx", "transfer", "1", "--to", "0x12"), "40 hexadecimal digits"),
        (("tx", "transfer", "1.5e3", "--to", "dev:7"), "amount"),
        (("tx", "transfer", "1", "--to", "dev:7", "--asset", "XAU"), "it has USD, BTC, ETH"),
        (("program", "call", "bank", "transfer", "USD", "dev:7"), "takes 3 arguments"),
        (("program", "call", "bank", "allow", "clearing", "USD", "1", "soon"), "whole number"),
        (("program", "call", "exchange", "place", "0", "UP", "1", "1", "LIMIT", "0", "no"), "BUY, SELL"),
        (("program", "call", "exchange", "place", "0", "BUY", "1", "1", "LIMIT", "0", "no"), "true, false"),
        (("program", "call", "bank", "credit_all"), "no entry `credit_all`"),
        (("program", "call", "bank", "create", "USD", "dev:1", "dev:2"), "Only the chain itself"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(run: Run, words: tuple[str, ...], said: str) -> None:
    ran = run(*words, *KEY)
    assert ran.code == 1
    assert said in ran.result["error"]


def test_views_are_asked_without_a_key(run: Run) -> None:
    address = checksum_address(development_address(6))
    balance = run("program", "call", "bank", "balance", address, "USD").result["result"]
    assert balance == run("tx", "account", address).result["balances"]["USD"]
    assert run("program", "call", "oracle", "quote", "0").result["result"]["status"] == "FRESH"
    refused = run("program", "call", "exchange", "order", "1")
    assert (refused.code, refused.result["code"]) == (1, "rejected")


def test_programs_are_listed_and_described(run: Run) -> None:
    assert "bank" in {row["name"] for row in run("program", "list").result["programs"]}
    shown = run("program", "show", "bank").result
    assert any(row["entry"].startswith("transfer(asset: Asset") for row in shown["entries"])
    assert not any(row["entry"].startswith("create") for row in shown["entries"])


def deploy(run: Run, file: Path) -> Any:
    """The template's program, under the file's name."""
    source = Path(__file__).parents[2] / "node" / "cli" / "template" / "accumulator.py.txt"
    file.write_text(source.read_text())
    return run("program", "deploy", file, "--args", "bank clearing exchange 0 0.1", *KEY).result


def test_a_program_from_anywhere_is_deployed_and_trades(run: Run, tmp_path: Path) -> None:
    deployed = deploy(run, tmp_path / "accumulator.py")
    assert deployed["address"] == deployed["created"] and deployed["hooks"] == "0.1"
    run("tx", "transfer", "5000", "--to", "accumulator", *KEY)
    assert run("program", "call", "accumulator", "fund", "5000", *KEY).code == 0
    run("tx", "order", "sell", "0.1", "--price", "100.5", *OTHER)
    bought = run("program", "call", deployed["address"], "buy", "100.5", *KEY).result
    assert bought["calls"][0]["result"]["filled"] == "0.1"
    assert run("program", "call", "accumulator", "position").result["result"] == "0.1"
    assert run("program", "call", "accumulator", "stop", *OTHER).result["reason"] == "not the owner"


def test_what_a_program_does_by_itself_is_paid_from_its_purse(run: Run, node: Node, tmp_path: Path) -> None:
    def purse() -> float:
        return float(run("program", "call", "bank", "gas_balance", "saver").result["result"])

    deploy(run, tmp_path / "saver.py")
    assert run("tx", "fund", "saver", "0.5", *KEY).result["status"] == "done"
    full = purse()
    assert full == 0.6
    assert run("program", "call", "saver", "start", "1", "5", "1s", *KEY).result["status"] == "done"
    for _ in range(1_500 // SPEC.block_time_ms):  # longer than the pause
        node.do(node.next_block)
    assert 0.59 < purse() < full, "the least price of a run's gas, and no more"


def test_wrong_arguments_of_create_are_refused_before_sending(run: Run) -> None:
    source = Path(__file__).parents[2] / "execution" / "programs" / "oracle.py"
    ran = run("program", "deploy", source, "--args", "", *KEY)
    assert ran.code == 1
    assert "create takes 1 arguments" in ran.result["error"]


def test_what_does_not_come_in_time_is_code_3(run: Run) -> None:
    ran = run("tx", "transfer", "1", "--to", "dev:8", *KEY, "--wait", "final", "--timeout", "0")
    assert ran.code == 3
    assert "tenor tx receipt 0x" in ran.result["error"]


def test_a_running_nodes_folder_cannot_be_audited(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with running(tmp_path, market=False):
        ran = tenor(capsys, "audit", tmp_path, "--json")
    assert ran.code == 3
    assert "stop that node first" in ran.result["error"]


def test_a_node_of_ones_own_runs_and_leaves_when_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """SIGTERM: the open block is sealed, the exit code is 0, and the folder passes its audit."""
    tenor(capsys, "node", "init", tmp_path / "own")
    flags = ["--gateway.port=0", "--node.log_format", "json"]
    command = [sys.executable, "-m", "node.cli", "node", "run", "--json", "--config", "own/node.toml", *flags]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("node runs at "))
        url = said.split()[3].rstrip(",")
        sent = tenor(capsys, "tx", "transfer", "1", "--to", "dev:7", *KEY, "--url", url, "--json").result
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["stopped"] == "by request"
    found = tenor(capsys, "audit", tmp_path / "own", "--json").result
    assert (found["conserved"], found["replay_equal"], found["transactions"]) == (True, True, 1)
    assert found["blocks"] >= sent["height"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node that has traded, taken in a deposit, burnt a withdrawal, and left."""
    folder = tmp_path_factory.mktemp("stopped")
    with running(folder) as node:
        exchange, bank = node.programs["exchange"], node.programs["bank"]
        node.do(node.send, 6, exchange.call("place", 0, "SELL", "100", "1", "LIMIT", 0, False))
        node.do(node.send, 7, exchange.call("place", 0, "BUY", "100", "1", "IOC", 0, False))
        node.do(node.send, 6, bank.call("withdraw", 0, "5"))
        node.do(node.settlement.fund, development_address(6), 1, 10**18)
        node.do(node.settlement.deposit, development_address(6), 1, 10**18, b"once")

        async def credited() -> bool:
            return bool((await node.client.account(development_address(6)))["balances"]["BTC"] == "1")

        node.do(node.until, credited)
        node.do(node.next_block)
    return folder


def test_an_audit_counts_and_finds_everything_in_order(stopped: Path) -> None:
    heights: list[int] = []
    found = audit(stopped, SPEC, lambda height, _: heights.append(height))
    assert (found.conserved, found.replay_equal, found.first_difference) == (True, True, None)
    assert (found.orders, found.fills, found.deposits, found.withdrawals) == (2, 1, 1, 1)
    assert heights == list(range(1, found.blocks + 1))


def test_an_audit_tells_what_does_not_add_up(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = audit_books.decode_state

    def one_unit_more(abi: object, memory: bytes) -> object:
        state = honest(abi, memory)  # type: ignore[arg-type]
        if "held" in state:
            state["held"] += 1
        return state

    monkeypatch.setattr(audit_books, "decode_state", one_unit_more)
    found = audit(stopped, SPEC, lambda *_: None)
    assert (found.conserved, found.replay_equal) == (False, True)
    assert "balances of asset 0" in str(found.first_difference)
    assert not found.passed


def test_an_audit_tells_of_deposits_that_no_storage_stands_for(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = audit_books.decode_state

    def one_unit_moved(abi: object, memory: bytes) -> object:
        state = honest(abi, memory)  # type: ignore[arg-type]
        if "held" in state:
            state["held"] -= 1
            state["deposits"] += 1
        return state

    monkeypatch.setattr(audit_books, "decode_state", one_unit_moved)
    found = audit(stopped, SPEC, lambda *_: None)
    assert "bytes of storage" in str(found.first_difference) and not found.conserved


def test_an_audit_tells_of_positions_that_do_not_cancel(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Books, "_rows", _one_sided(Books._rows))
    found = audit(stopped, SPEC, lambda *_: None)
    assert "positions in contract 0" in str(found.first_difference)


def _one_sided(rows: Callable[..., Iterator[dict[str, int]]]) -> Callable[..., Iterator[dict[str, int]]]:
    def longs(books: Books, field: str, records: list[tuple[int, ...]]) -> Iterator[dict[str, int]]:
        return (row for row in rows(books, field, records) if row.get("quantity", 0) >= 0)

    return longs


def test_an_audit_tells_of_altered_receipts(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Store.blocks

    def altered(store: Store, first: int, last: int) -> Iterator[object]:
        rows = list(honest(store, first, last))
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
            yield type(row)(row.height, row.header, row.body, other.receipts)

    monkeypatch.setattr(Store, "blocks", altered)
    found = audit(stopped, SPEC, lambda *_: None)
    assert not found.replay_equal
    assert "not those that were signed" in str(found.first_difference)


def test_an_audit_needs_a_chain(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ran = tenor(capsys, "audit", tmp_path, "--json")
    assert (ran.code, ran.result["code"]) == (1, "not_found")
    assert located(tmp_path)[0] == tmp_path
