"""Commands that need no node: keys, folders, programs on disk, usage, and how errors leave."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from genesis.crypto import checksum_address
from genesis.devkeys import COUNT, development_address, development_key
from genesis.errors import Corrupt, Invalid, Unavailable
from node.cli import edge
from node.cli.edge import plain
from tests.node.command import tenor

Capture = pytest.CaptureFixture[str]
NOBODY = "ws://127.0.0.1:1/ws"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    return path


def test_help_loads_neither_engine_nor_network() -> None:
    """What `tenor --help` imports decides how fast it is."""
    heavy = {"wasmtime", "libp2p", "trio", "plyvel", "coincurve", "execution", "starlette"}
    code = f"import sys, devnet.cli; print(sorted({heavy!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_commands_for_traders_load_no_engine() -> None:
    heavy = {"wasmtime", "libp2p", "plyvel"}
    modules = "node.cli.session, node.cli.arguments, node.programs, node.wallet, execution.compiler"
    code = f"import sys, {modules}; print(sorted({heavy!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_key_is_made_shown_listed_and_exported(capsys: Capture, tmp_path: Path, secret: Path) -> None:
    at = ("--folder", tmp_path / "keys")
    made = tenor(capsys, "keys", "new", "alice", *at, "--light", "--password-file", secret, "--json").result
    file = Path(made["file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tenor(capsys, "keys", "show", "alice", *at, "--json").result == made
    assert tenor(capsys, "keys", "list", *at, "--json").result["keys"] == [
        {"name": "alice", "address": made["address"]}
    ]
    exported = tenor(capsys, "keys", "export", "alice", *at, "--password-file", secret, "--json").result
    bare = tmp_path / "bare"
    bare.write_text(exported["private_key"])
    options = ("--light", "--password-file", secret, "--json")
    taken = tenor(capsys, "keys", "import", "bob", bare, *at, *options).result
    assert taken["address"] == made["address"]
    again = tenor(capsys, "keys", "import", "carol", file, *at, *options).result
    assert again["address"] == made["address"]


def test_a_key_is_never_overwritten(capsys: Capture, tmp_path: Path, secret: Path) -> None:
    command = ("keys", "new", "alice", "--folder", tmp_path, "--light", "--password-file", secret, "--json")
    assert tenor(capsys, *command).code == 0
    again = tenor(capsys, *command)
    assert again.code == 1
    assert again.result["code"] == "exists"


def test_a_key_of_this_folder_is_made_in_it(
    capsys: Capture, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = tenor(capsys, "keys", "new", "./next.json", "--light", "--password-file", secret, "--json").result
    assert made["file"] == "next.json" and (tmp_path / "next.json").exists()
    assert not (tmp_path / "home").exists()


def test_a_wrong_password_is_told(capsys: Capture, tmp_path: Path, secret: Path) -> None:
    tenor(capsys, "keys", "new", "alice", "--folder", tmp_path, "--light", "--password-file", secret)
    secret.write_text("battery staple\n")
    ran = tenor(capsys, "keys", "export", "alice", "--folder", tmp_path, "--password-file", secret, "--json")
    assert (ran.code, ran.result["code"]) == (1, "bad_password")


def test_development_keys_are_the_published_ones(capsys: Capture) -> None:
    rows = tenor(capsys, "keys", "dev", "--json").result["development_keys"]
    assert [row["address"] for row in rows] == [checksum_address(development_address(n)) for n in range(COUNT)]
    assert rows[6]["key"] == "0x" + development_key(6).hex()


def test_init_writes_a_folder_its_owner_alone_reads(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    made = tenor(capsys, "node", "init", folder, "--json").result
    assert made["validator"] == checksum_address(development_address(0))
    for name in ("validator.json", "validator.password"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert tenor(capsys, "node", "init", folder).code == 1


def test_a_specification_that_does_not_read_is_named(capsys: Capture, tmp_path: Path) -> None:
    chain = tmp_path / "chain.toml"
    for text, why in (("no toml", "not TOML"), ("chain_id = 1", "lacks admin")):
        chain.write_text(text)
        ran = tenor(capsys, "node", "init", tmp_path / "node", "--chain", chain, "--json")
        assert (ran.code, ran.result["code"]) == (1, "bad_spec")
        assert str(chain) in ran.result["error"] and why in ran.result["error"]


def test_init_warns_of_a_key_that_makes_no_blocks(capsys: Capture, tmp_path: Path) -> None:
    assert "no validator" in tenor(capsys, "node", "init", tmp_path / "node", "--dev-key", "7").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gateway.prot", "1"), "did you mean gateway.port"),
        (("--gateway.port",), "lacks its value"),
        (("--gateway.port=high",), "0 to 65535"),
        (("stray",), "no option"),
    ],
)
def test_wrong_flags_name_the_key(capsys: Capture, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    folder = tmp_path / "node"
    tenor(capsys, "node", "init", folder)
    ran = tenor(capsys, "node", "run", "--config", folder / "node.toml", *words)
    assert ran.code == 1
    assert said in ran.err


def test_wrong_usage_is_code_2(capsys: Capture) -> None:
    assert tenor(capsys, "tx", "order", "up", "1").code == 2
    assert tenor(capsys, "keys").code == 2


def test_no_node_is_code_3_and_json_says_so(capsys: Capture) -> None:
    ran = tenor(capsys, "node", "status", "--url", NOBODY, "--json")
    assert (ran.code, ran.result["code"]) == (3, "unavailable")
    assert "start one" in ran.err


def test_corruption_is_code_4(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise ExceptionGroup("of a nursery", [Corrupt("the disk failed")])

    monkeypatch.setattr("node.client.blocking", damaged)
    ran = tenor(capsys, "node", "status", "--json")
    assert (ran.code, ran.result) == (4, {"error": "the disk failed", "code": "corrupt"})


def test_of_several_errors_the_gravest_is_told(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [Unavailable("later"), ExceptionGroup("of another", [Corrupt("the disk failed"), Invalid("no")])]

    def fail(*_: object) -> None:
        raise ExceptionGroup("of a nursery", several)

    monkeypatch.setattr("node.client.blocking", fail)
    ran = tenor(capsys, "node", "status")
    assert (ran.code, ran.err) == (4, "error: the disk failed\n")
    several.append(ZeroDivisionError())
    ran = tenor(capsys, "node", "status")
    assert ran.code == 4 and "please report it" in ran.err


def test_what_nobody_foresaw_is_a_sentence_and_code_4(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.client.blocking", lambda *_: 1 // 0)
    ran = tenor(capsys, "node", "status", "--json")
    assert (ran.code, ran.result["code"]) == (4, "internal")
    assert "please report it" in ran.err


def test_a_key_must_be_named_once(capsys: Capture, tmp_path: Path) -> None:
    for words in ((), ("--dev-key", "6", "--key-file", tmp_path / "k")):
        ran = tenor(capsys, "tx", "transfer", "1", "--to", "dev:7", *words, "--json")
        assert (ran.code, ran.result["code"]) == (1, "no_key")


def test_an_order_without_a_price_is_refused_before_anything_is_sent(capsys: Capture) -> None:
    ran = tenor(capsys, "tx", "order", "buy", "1", "--kind", "limit", "--dev-key", "6", "--url", NOBODY)
    assert ran.code == 1
    assert "--price" in ran.err


def test_values_become_json() -> None:
    address = development_address(6)
    assert plain({"a": address, "h": bytes(32), "n": None, "l": (1, True)}) == {
        "a": checksum_address(address),
        "h": "0x" + "00" * 32,
        "n": None,
        "l": [1, True],
    }


def test_tables_and_lines_show_every_value(capsys: Capture) -> None:
    rows = [{"one": 1, "two": 2, "three": {"x": 3}}]
    edge.show({"name": None, "rows": rows, "pairs": [{"a": "left", "b": ["right"]}]}, False)
    out = capsys.readouterr().out
    assert all(word in out for word in ("none", "three", "x 3", "left  right"))
