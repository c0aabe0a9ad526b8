"""The devnet in one command, as a person starts it: it trades, liquidates, pays out, ends by itself and adds up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devnet.feeds import Model, replay
from genesis.errors import Invalid

BLOCKS = 60
WANTED = (
    "blocks", "transactions", "orders", "fills", "liquidations", "deposits", "withdrawals_paid", "posted_height",
    "final_height", "state_root", "conserved", "replay_equal", "first_block_ms",
)  # fmt: skip
SEED = 11


def devnet(*arguments: str, kill_at: int = 0) -> dict[str, Any]:
    """
    Run the command to its end and return the object on its last line.

    Args:
        kill_at: block at which the last node is killed; 0 for never.
    """
    command = [sys.executable, "-c", "from devnet.cli import main; main()", "devnet", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None and running.stdout is not None
        said = []
        for line in running.stderr:
            said.append(line)
            if kill_at and line.startswith(f"block {kill_at:5} "):
                os.kill(children(running.pid)[-1], signal.SIGKILL)
        lines = running.stdout.read().splitlines()
    assert running.returncode == 0, "".join(said[-40:])
    summary: dict[str, Any] = json.loads(lines[-1])
    return summary


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def check_summary(summary: dict[str, Any]) -> None:
    assert set(WANTED) <= set(summary)
    assert summary["blocks"] >= BLOCKS
    assert summary["fills"] > 500
    assert summary["liquidations"] >= 1
    assert summary["deposits"] == 12
    assert summary["withdrawals_paid"] >= 1
    assert summary["final_height"] > 0
    assert summary["posted_height"] >= summary["final_height"]
    assert summary["conserved"] is True
    assert summary["replay_equal"] is True


def write_ticks(path: Path) -> None:
    """Seven hours of quotes in the documented format: milliseconds since midnight, bid, ask; one in fifty crossed."""
    source = random.Random(SEED)
    price, rows = 1.3850, []
    for number in range(50_000):
        price *= 1 + source.gauss(0, 0.00004)
        if 11_000 <= number < 14_000:
            price *= 1 - 0.000003
        half = -0.00001 if number % 50 == 0 else 0.00005
        rows.append(f"{number * 500},{price - half:.5f},{price + half:.5f}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("20140501_eurusd_tick_quote.csv", "\n".join(rows) + "\n")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_modelled_devnet_trades_and_adds_up(tmp_path: Path) -> None:
    """Four validators, one of which is killed: its agents go on with another."""
    summary = devnet("--blocks", str(BLOCKS), "--port", "0", "--keep", str(tmp_path / "kept"), kill_at=BLOCKS // 3)
    check_summary(summary)
    assert (summary["validators"], summary["restarts"]) == (4, 1)
    assert all((tmp_path / "kept" / f"validator-{number}" / "store").is_dir() for number in range(4))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_devnet_replays_recorded_ticks(tmp_path: Path) -> None:
    path = tmp_path / "20140501_quote.zip"
    write_ticks(path)
    alone = ("--validators", "1", "--port", "0")
    check_summary(devnet("--blocks", str(BLOCKS), *alone, "--feed", str(path)))


def test_the_model_gives_the_same_ticks_for_the_same_seed() -> None:
    one, same, other = (Model().ticks(seed) for seed in (SEED, SEED, SEED + 1))
    first = [next(one) for _ in range(400)]
    assert first == [next(same) for _ in range(400)]
    assert first != [next(other) for _ in range(400)]


def test_crossed_quotes_are_dropped_and_time_is_sped_up(tmp_path: Path) -> None:
    path = tmp_path / "ticks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ticks.csv", "1000,1.1,1.2\n2000,1.3,1.3\n5000,1.2,1.4\n4000,1.0,1.2\n")
    ticks = list(replay(path, speed=10))
    assert [(tick.after_ms, str(tick.price)) for tick in ticks] == [(0, "1.15000000"), (400, "1.30000000")]


@pytest.mark.parametrize("content", ["1000,1.1\n", "x,1,2\n", "1000,one,two\n"])
def test_a_row_that_does_not_read_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ticks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ticks.csv", content)
    with pytest.raises(Invalid, match="row 1: expected `milliseconds,bid,ask`"):
        list(replay(path, speed=1))


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ticks.zip"
    path.write_text("1000,1.1,1.2\n")
    with pytest.raises(Invalid, match="no readable zip"):
        list(replay(path, speed=1))
