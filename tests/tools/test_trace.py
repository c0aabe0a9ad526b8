"""`tenor program trace`: stored transactions run again, with the tree of calls, gas, and the stack of a failure."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from genesis.errors import Invalid
from node.tracing import trace
from tests.node.command import tenor
from tests.node.running import SPEC, report, running

COUNTER = Path(__file__).parent / "counter.py"
KEY = ("--dev-key", "6")
STEP = '{"size": %d, "weight": "0.5"}'


@pytest.fixture(scope="module")
def chain(tmp_path_factory, request):
    """A running node with a counter on it; ids of what was sent, by name, and the folder."""
    folder = tmp_path_factory.mktemp("chain")
    capture = request.getfixturevalue("module_capsys")
    with running(folder) as node:
        url = node.url.replace("http", "ws") + "/ws"

        def run(*words):
            node.do(report, node)
            return tenor(capture, *words, "--url", url, "--json").result

        def call(*words, key="6"):
            sent = run("program", "call", *words, "--dev-key", key, "--wait", "certified")
            return sent["transaction"]

        made = run("program", "deploy", str(COUNTER), "--args", "10", *KEY)
        address = made["address"]
        ids = {
            "done": call(address, "add", STEP % 2, "CALM"),
            "refused": call(address, "add", STEP % 20, "CROSS"),
            "divided": call(address, "halve", "0"),
            "starved": call(address, "repeat", "100000000"),
            "traded": call("exchange", "place", "0", "BUY", "90", "1", "LIMIT", "0", "false"),
        }
        ids["stranger"] = call(address, "reset", key="7")
        ids["poor"] = call("bank", "transfer", "0", "dev:8", "900000000000", key="9")
        yield folder, ids


@pytest.fixture(scope="module")
def module_capsys(request):
    """Both streams, for commands that run in this process; pytest's own is of one test."""

    class Capture:
        def readouterr(self):
            return manager.read_global_capture()

    manager = request.config.pluginmanager.getplugin("capturemanager")
    manager.read_global_capture()
    return Capture()


@pytest.fixture
def told(chain, capsys):
    """What the command says of a transaction, while the node runs."""
    folder, ids = chain

    def ask(name, *words):
        with mock.patch("node.audit.located", lambda *_: (folder, SPEC)):
            ran = tenor(capsys, "program", "trace", ids[name], "--folder", folder, *words, "--json")
        assert ran.code == 0, ran.err
        return ran.result

    return ask


def test_a_transaction_that_was_done_shows_its_calls(told):
    result = told("done", "--profile")
    assert (result["status"], result["stack"]) == ("done", [])
    (call,) = result["calls"]
    assert call["call"] == "Counter.add"
    assert call["arguments"] == {"step": {"size": 2, "weight": "0.5"}, "mood": "CALM"}
    assert result["agrees"] == {"gas": True, "reasons": True, "cpython": True}
    assert any(row["source"] == "stay = self.stays.obtain(tx.sender)" for row in result["profile"])


def test_a_refusal_shows_the_line_and_the_locals(told):
    result = told("refused")
    assert result["reason"] == "beyond the limit"
    (frame,) = result["stack"]
    number = next(n for n, text in enumerate(COUNTER.read_text().splitlines(), 1) if "beyond the limit" in text)
    assert frame["place"] == f"counter.py:{number}"
    assert frame["source"] == 'require(total <= self.limit, "beyond the limit")'
    assert frame["locals"] | {"step": ""} == {
        "step": "",
        "mood": "<Mood.CROSS: 1>",
        "size": "40",
        "stay": "Stay(total=2, steps=List of 1)",
        "total": "42",
    }
    assert result["agrees"]["cpython"] is True


def test_a_stack_goes_through_functions(told):
    result = told("divided")
    assert [frame["function"] for frame in result["stack"]] == ["halve", "ratio"]
    assert result["stack"][1]["locals"] == {"one": "1", "parts": "0"}
    assert result["stack"][1]["program"] == "Counter"


def test_what_ran_out_of_gas_names_the_line(told):
    result = told("starved")
    assert (result["reason"], result["stack"]) == ("out of gas", [])
    lines = COUNTER.read_text().splitlines()
    file, number = result["last_line"].split(":")
    assert (file, lines[int(number) - 1].strip() in ("sum_ += turn", "for turn in range(times):")) == (
        "counter.py",
        True,
    )


def test_calls_between_programs_make_a_tree(told):
    result = told("traded")
    (place, *_) = result["calls"]
    assert place["call"] == "Exchange.place"
    inner = {call["call"] for call in place["calls"]}
    assert inner and all(name.startswith("Clearing.") for name in inner)
    assert sum(call["gas"] for call in place["calls"]) < place["gas"] < result["gas_used"]
    assert result["agrees"] == {"gas": True, "reasons": True, "cpython": True}


@pytest.mark.parametrize(("name", "reason"), [("stranger", "not the owner"), ("poor", "insufficient balance")])
def test_every_failure_has_its_line(told, name, reason):
    result = told(name)
    assert result["reason"] == reason
    assert reason in result["stack"][-1]["source"]
    assert result["agrees"] == {"gas": None, "reasons": True, "cpython": True}


def test_what_is_not_there_is_told(chain, tmp_path):
    folder, _ = chain
    with pytest.raises(Invalid, match="No transaction 0x00"):
        trace(folder, SPEC, bytes(32), lambda *_: None)
    with pytest.raises(Invalid, match="holds no chain"):
        trace(tmp_path, SPEC, bytes(32), lambda *_: None)
