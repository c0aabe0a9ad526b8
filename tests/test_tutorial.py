"""The tutorial, followed literally: its files written, its lines typed, what is printed compared with what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.documents import ROOT, Block, Shell, blocks, devnet, matches, shell_environment

TUTORIAL = ROOT / "devnet" / "TUTORIAL.md"
LIFE = "100s"
"""How long the series lives: the tutorial gives a person ten minutes, and says how to change that."""
SETUP = ". .venv/bin/activate\n"


def steps() -> list[Block]:
    return blocks(TUTORIAL.read_text())


def of_terminal_1() -> list[Block]:
    return [step for step in steps() if step.words.startswith("terminal-1")]


def devnet_line(home: Path) -> str:
    """What `make devnet …` of the first terminal runs, as make itself says."""
    typed = of_terminal_1()[0].text.strip()
    assert typed.startswith("make devnet ")
    ran = subprocess.run(
        ["sh", "-c", typed.replace("make", "make -n", 1)],
        cwd=ROOT, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().splitlines()[-1].removeprefix(".venv/bin/")


def follow(todo: list[Block], shell: Shell, folder: Path) -> str:
    """Do what the blocks say; the output of all."""
    everything, printed = "", ""
    for step in todo:
        where = f"{TUTORIAL.name}:{step.line}"
        match step.language, step.words:
            case "python", _:
                assert step.file, f"{where} does not say what file this is"
                (folder / step.file).write_text(step.text)
            case "text", _:
                assert matches(step.text, printed), f"{where} shows\n{step.text}\nprinted was\n{printed}"
            case "sh", "" | "fails":
                printed, failed = shell.type(step.text)
                assert failed == (step.words == "fails"), f"{where} {step.text}\n{printed}"
                everything += printed
            case _:
                raise AssertionError(f"{where}: nobody knows what to do with this block")
    return everything


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tutorial_ends_with_an_own_payoff_traded(tmp_path: Path) -> None:
    environment = {**shell_environment(tmp_path), "HOME": str(tmp_path), "LIFE": LIFE}
    shell = Shell(environment, tmp_path)
    try:
        with devnet(devnet_line(tmp_path), environment, tmp_path) as running:
            _, welcome, goodbye = of_terminal_1()
            assert matches(welcome.text, running.log), running.log[:4000]
            setup, *own = [step for step in steps() if step not in of_terminal_1()]
            assert (setup.words, setup.text) == ("setup", SETUP)
            audit = next(place for place, step in enumerate(own) if step.text.startswith("tenor audit"))
            told = follow(own[:audit], shell, tmp_path / "hour")
            running.interrupt()
            assert matches(goodbye.text, running.log), running.log[-4000:]
        follow(own[audit:], shell, tmp_path / "hour")
    finally:
        shell.end()
    cash = [int(whole) for whole in re.findall(r"^result +(\d+)(?:\.\d+)?$", told, re.MULTILINE)[-2:]]
    assert 0 <= 200_000 - sum(cash) <= 1, cash  # whole parts only: the two have opposite fractions


def test_the_set_up_is_the_makefiles() -> None:
    assert devnet_line(Path("/home/reader")) == "tenor devnet --keep /home/reader/tenor-hour --validators 1"
