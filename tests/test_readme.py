"""The README's way from zero to a first own trade, its lines run exactly as they are printed there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from genesis.errors import TenorError
from node.client import Client, blocking
from node.config import DEFAULT_PORT

ROOT = Path(__file__).parents[1]
URL = f"ws://127.0.0.1:{DEFAULT_PORT}/ws"
READY_SECONDS = 60
LINES_SECONDS = 180
LEAVE_SECONDS = 60


def printed() -> list[list[str]]:
    """The lines of each block of shell below the heading."""
    text = (ROOT / "README.md").read_text()
    chapter = text.split("## From zero to a first own trade", 1)[1].split("\n## ", 1)[0]
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell in which `. .venv/bin/activate` has been typed; `tenor` is the console script or does what it does."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    script = binaries / "tenor"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from devnet.cli import main; main()" "$@"\n')
    script.chmod(0o755)
    installed = Path(sys.executable).parent
    first = installed if (installed / "tenor").exists() else binaries
    path = f"{first}:{installed}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


@pytest.fixture
def devnet(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`tenor devnet` as printed, once its market has two sides."""
    line = printed()[0][-1]
    assert line.startswith("tenor devnet")
    log = (tmp_path / "devnet.log").open("w+")
    process = subprocess.Popen(["sh", "-c", f"exec {line}"], env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_until_trading(process, log.name)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LEAVE_SECONDS)  # it seals its block and audits itself
        log.close()


def wait_until_trading(process: subprocess.Popen[bytes], log: str) -> None:
    async def trading(client: Client) -> bool:
        book = await client.book(0, 1)
        return bool(book["bids"] and book["asks"])

    async def wait() -> None:
        with trio.move_on_after(READY_SECONDS):
            while process.poll() is None:
                if await trio.to_thread.run_sync(asked):
                    return
                await trio.sleep(0.1)
        raise AssertionError(f"no market within {READY_SECONDS} s:\n{Path(log).read_text()[-4000:]}")

    def asked() -> bool:
        try:
            return blocking(URL, trading)
        except TenorError:
            return False

    trio.run(wait)


def run(lines: list[str], environment: dict[str, str], folder: Path) -> str:
    """Type the lines into one shell; its output."""
    command = ["sh", "-e", "-c", "\n".join(lines)]
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LINES_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_set_up_is_the_makefiles() -> None:
    setup = printed()[0]
    assert setup[0] == "make setup"
    ran = subprocess.run(["make", "-n", "setup"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("devnet")
def test_from_zero_to_a_first_own_trade(environment: dict[str, str], tmp_path: Path) -> None:
    """A program of one's own holds a position, and an order of one's own becomes final with its fill."""
    _, own_program, own_order = printed()
    told = run(own_program, environment, tmp_path)
    assert re.search(r"passed +10", told)
    assert told.splitlines()[-1].split() == ["result", "0.01"], told
    told = run(own_order, environment, tmp_path)
    assert re.search(r"^stage +final$", told, re.MULTILINE)
    assert "exchange.Filled" in told
