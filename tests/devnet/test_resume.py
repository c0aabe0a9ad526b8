"""A devnet that was kept goes on where it was, and says of a folder it cannot go on with what is wrong."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devnet.kept import FILE, SETTLEMENT_FILE, Kept, Wanted, keep, take_up
from devnet.up import Options, run
from genesis.devkeys import development_address
from genesis.errors import Invalid, Unavailable
from node.chains import load_chain
from node.config import DEFAULT_PORT, load
from node.localnet import write_folders

COMMAND = [sys.executable, "-c", "from devnet.cli import main; main()", "devnet", "--json"]
BLOCKS = 20
NEEDED = ("node.toml", "genesis.code", "store")
ALONE = Kept(seed=9, validators=1, ports=(DEFAULT_PORT,), fed_ms=70, height=3)


def until_interrupted(*arguments: str) -> dict[str, Any]:
    """Run until BLOCKS are shown, press Ctrl-C, and return the object on its last line."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stderr is not None and running.stdout is not None
        said = []
        for line in running.stderr:
            said.append(line)
            if line.startswith(f"block {BLOCKS:5} "):
                running.send_signal(signal.SIGINT)
        lines = running.stdout.read().splitlines()
    assert running.returncode == 0, "".join(said[-40:])
    summary: dict[str, Any] = json.loads(lines[-1])
    return summary


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_devnet_goes_on_after_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = until_interrupted("--keep", str(folder), "--validators", "2", "--port", "0")
    fed_ms = json.loads((folder / FILE).read_text())["fed_ms"]
    done = subprocess.run(
        [*COMMAND, "--resume", str(folder), "--blocks", str(BLOCKS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    second = json.loads(done.stdout.splitlines()[-1])
    for summary in (first, second):
        assert summary["conserved"] and summary["replay_equal"] and summary["validators"] == 2
    assert second["blocks"] >= first["blocks"] + BLOCKS
    assert second["transactions"] > first["transactions"]
    assert second["deposits"] == first["deposits"] == 12, "an account is funded once"
    assert second["first_block_ms"] > 0
    assert json.loads((folder / FILE).read_text())["fed_ms"] > fed_ms > 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a devnet of one validator leaves, as far as its start looks at it."""
    for name in (*NEEDED, SETTLEMENT_FILE):
        (tmp_path / name).touch()
    keep(tmp_path, ALONE)
    return tmp_path


def test_what_was_kept_is_taken_up_again(folder: Path) -> None:
    assert take_up(folder, Wanted(), resume=True) == ALONE
    assert take_up(folder, Wanted(seed=9, validators=1, port=DEFAULT_PORT), resume=False) == ALONE


def test_a_new_devnet_is_as_asked_for(tmp_path: Path) -> None:
    wanted = Wanted(seed=0, feed=Path("ticks.zip"), speed=5, validators=3, port=9_000)
    kept = take_up(tmp_path, wanted, resume=False)
    assert kept == Kept(0, str(Path("ticks.zip").resolve()), 5, 3, (9_000, 9_001, 9_002))
    usual = take_up(None, Wanted(), resume=False)
    assert (usual.validators, usual.ports) == (4, tuple(range(DEFAULT_PORT, DEFAULT_PORT + 4)))
    assert len(set(take_up(None, Wanted(validators=4, port=0), resume=False).ports) - {0}) == 4


def test_a_folder_without_a_devnet_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="holds no devnet; `tenor devnet --keep") as refused:
        take_up(tmp_path, Wanted(), resume=True)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize(
    "wanted",
    [Wanted(seed=8), Wanted(validators=4), Wanted(port=1), Wanted(speed=2), Wanted(feed=Path("/ticks.zip"))],
    ids=["seed", "validators", "port", "speed", "feed"],
)
@pytest.mark.parametrize("resume", [True, False])
def test_other_options_are_refused(folder: Path, wanted: Wanted, resume: bool) -> None:
    with pytest.raises(Invalid, match=r"and the folder's devnet has .*; leave the option away") as refused:
        take_up(folder, wanted, resume)
    assert refused.value.code == "other_options"


@pytest.mark.parametrize("name", [*NEEDED, SETTLEMENT_FILE])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Invalid, match=f"{name} is missing; restore it"):
        take_up(folder, Wanted(), resume=True)


def test_a_newer_devnet_is_told_from_a_damaged_one(folder: Path) -> None:
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace('"version": 1', '"version": 2'))
    with pytest.raises(Invalid, match="of version 2, this Tenor knows 1; use a newer Tenor") as refused:
        take_up(folder, Wanted(), resume=True)
    assert refused.value.code == "newer"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-10],
        lambda text: text.replace("9", '"nine"'),
        lambda text: text.replace('"seed"', '"sead"'),
        lambda text: text.replace(f"[{DEFAULT_PORT}]", "[]"),
        lambda text: "[]",
        lambda text: text.replace('"version": 1', '"version": "1"'),
    ],
    ids=["cut", "type", "name", "ports", "array", "version"],
)
def test_a_damaged_file_is_named(folder: Path, damage: Any) -> None:
    (folder / FILE).write_text(damage((folder / FILE).read_text()))
    with pytest.raises(Invalid, match=f"{FILE} is damaged") as refused:
        take_up(folder, Wanted(), resume=True)
    assert refused.value.code == "damaged"


def test_it_is_written_whole_or_not_at_all(folder: Path) -> None:
    keep(folder, replace(ALONE, height=4))
    assert take_up(folder, Wanted(), resume=True).height == 4
    assert not list(folder.glob("*.partial"))


def test_a_folder_with_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text("of somebody's own")
    with pytest.raises(Invalid, match="holds other things, and no devnet; name a new folder") as refused:
        take_up(tmp_path, Wanted(), resume=False)
    assert refused.value.code == "exists"
    assert [path.name for path in tmp_path.iterdir()] == ["chain.toml"]


def test_ports_end_with_the_last_there_is(tmp_path: Path) -> None:
    assert take_up(tmp_path, Wanted(port=65_532), resume=False).ports[-1] == 65_535
    with pytest.raises(Invalid, match="4 validators need ports up to 65536; name a lower --port"):
        take_up(tmp_path, Wanted(port=65_533), resume=False)


@pytest.mark.parametrize("validators", [1, 2])
def test_a_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validators: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in write_folders(Path("kept"), validators, (0,) * validators, 100):
        config = load(path)
        for named in (config.keys.validator, config.keys.password_file):
            assert named.is_relative_to(tmp_path) and named.exists(), "it is where the configuration says"
        assert load_chain(config.node.chain, path.parent).stakes.keys() >= {development_address(0)}
        assert validators == 1 or config.network.peers.exists()


def test_what_keeps_a_devnet_from_starting_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"Port {port} cannot be used: Address already in use; stop what listens"):
            run(Kept(validators=1, ports=(port,)), Options(folder=tmp_path / "new"), 0.0)
    with pytest.raises(Invalid, match="is no readable zip"):
        run(Kept(feed=str(tmp_path / "none.zip")), Options(folder=tmp_path / "new"), 0.0)
    assert not (tmp_path / "new").exists()
    assert capsys.readouterr() == ("", "")
