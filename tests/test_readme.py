"""The README's way from zero to a first own trade, its lines run exactly as they are printed there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, devnet, shell_environment

LINES_SECONDS = 400


def printed() -> list[list[str]]:
    """The lines of each block of shell below the heading."""
    text = (ROOT / "README.md").read_text()
    chapter = text.split("## From zero to a first own trade", 1)[1].split("\n## ", 1)[0]
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return shell_environment(tmp_path)


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`tenor devnet` as printed, once its market has two sides."""
    with devnet(printed()[0][-1], environment, tmp_path):
        yield


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
@pytest.mark.timeout(900)  # another document may have the port
@pytest.mark.usefixtures("running")
def test_from_zero_to_a_first_own_trade(environment: dict[str, str], tmp_path: Path) -> None:
    """A program of one's own holds a position, and an order of one's own becomes final with its fill."""
    _, own_program, own_order = printed()
    told = run(own_program, environment, tmp_path)
    assert re.search(r"passed +10", told)
    assert told.splitlines()[-1].split() == ["result", "0.01"], told
    told = run(own_order, environment, tmp_path)
    assert re.search(r"^stage +final$", told, re.MULTILINE)
    assert "exchange.Filled" in told
    assert re.search(r"^proven +receipt$", told, re.MULTILINE)
