"""Nodes end with the devnet, or the bench, that started them, in whatever way that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.bench.site import write_folder
from node.leash import let_go

LOOK_S = 0.05
STARTED = """
import sys
from pathlib import Path
from node.bench.site import node_process
with node_process(Path(sys.argv[1]), Path(sys.argv[2])) as process:
    print(process.pid, flush=True)
    input()
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def descendants(pid: int) -> set[int]:
    """All processes below one, while it lives."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | (set() if gone(child) else descendants(child))
    return found


def until_gone(pids: set[int]) -> None:
    while not all(map(gone, pids)):
        time.sleep(LOOK_S)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nodes_of_a_devnet_that_is_killed_leave(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from devnet.cli import main; main()",
        "devnet",
        "--validators",
        "2",
        "--port",
        "0",
    ]
    with subprocess.Popen(
        [*command, "--keep", str(tmp_path / "kept")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as devnet:
        assert devnet.stderr is not None
        for line in devnet.stderr:
            if line.startswith("block     3 "):
                break
        nodes = descendants(devnet.pid)
        devnet.kill()
    assert len(nodes) >= 4, "two nodes, each with its gateway"
    until_gone(nodes)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_bench_s_node_leaves_when_the_bench_is_terminated_or_killed(tmp_path: Path) -> None:
    config = write_folder(tmp_path)
    for how in (signal.SIGTERM, signal.SIGKILL):
        log = tmp_path / f"log-{how.name}"
        with subprocess.Popen(
            [sys.executable, "-c", STARTED, str(config), str(log)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as bench:  # fmt: skip
            assert bench.stdout is not None
            node = int(bench.stdout.readline())
            while "node runs" not in log.read_text():
                time.sleep(LOOK_S)
            bench.send_signal(how)
        until_gone({node})
        assert "Traceback" not in log.read_text(), "it left, and did not fail"


def test_who_is_on_no_leash_is_not_let_go() -> None:
    async def main() -> None:
        with trio.move_on_after(3_600) as scope:
            await let_go()
        assert scope.cancelled_caught

    trio.run(main, clock=MockClock(autojump_threshold=0))
