"""`tenor program new`, `check`, `compile`: from an empty folder anywhere to WASM, with errors that show the place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from execution.compiler.abi import parse_abi
from node.bundle import read_bundle
from tests.node.command import tenor

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(capsys: Capture, tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    assert tenor(capsys, "program", "new", path).code == 0
    return path


def test_the_example_checks_and_compiles(capsys: Capture, folder: Path) -> None:
    assert tenor(capsys, "program", "check", folder / "accumulator.py").code == 0
    made = tenor(capsys, "program", "compile", folder / "accumulator.py", "-o", folder / "out", "--json").result
    assert Path(made["wasm"]).read_bytes()[:4] == b"\0asm"
    assert parse_abi(Path(made["abi"]).read_text()).name == "Accumulator"


def test_the_examples_own_test_passes_outside_the_clone(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "node.testing.plugin"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_example_is_in_the_houses_style(folder: Path) -> None:
    for tool in (["check", "--no-cache", "--ignore", "I"], ["format", "--check", "--no-cache"]):
        command = [sys.executable, "-m", "ruff", *tool, "--config", str(ROOT / "pyproject.toml"), str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout


def test_a_folder_with_content_is_left_alone(capsys: Capture, folder: Path) -> None:
    assert tenor(capsys, "program", "new", folder).code == 1


def test_an_error_shows_file_line_and_a_caret(capsys: Capture, folder: Path) -> None:
    file = folder / "accumulator.py"
    file.write_text(file.read_text().replace("self.left -= 1", "self.left -= lost"))
    ran = tenor(capsys, "program", "check", file)
    assert ran.code == 1
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "lost" in text)
    assert f"accumulator.py:{line}:" in ran.err
    told = ran.err.splitlines()
    at = next(n for n, text in enumerate(told) if text.strip() == "^")
    source, caret = told[at - 1], told[at]
    assert source[caret.index("^") :].startswith("lost")


def test_a_missing_file_is_told(capsys: Capture, tmp_path: Path) -> None:
    ran = tenor(capsys, "program", "check", tmp_path / "none.py", "--json")
    assert (ran.code, ran.result["code"]) == (1, "not_found")


def test_a_bundle_is_the_file_and_what_it_imports_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.py").write_text("from lib.words import A\nfrom execution.lang import Program\n")
    (tmp_path / "lib" / "words.py").write_text("from more import B\n")
    (tmp_path / "more.py").write_text("from main import A\n")
    (tmp_path / "other.py").write_text("")
    files, main = read_bundle(tmp_path / "main.py")
    assert (list(files), main) == (["lib/words.py", "main.py", "more.py"], "main.py")
