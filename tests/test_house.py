"""The house itself: floors between rooms, what stands at the top, a lock file that names no place, a machine check."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("genesis", "execution", "p2p", "settlement", "node", "devnet")
TOP = {
    *ROOMS,
    "tests",
    "pyproject.toml",
    "README.md",
    "Makefile",
    ".ci",
    ".gitignore",
    "requirements.lock",
    "LICENSE",
    "CHANGELOG.md",
}


def tracked() -> list[Path]:
    """Files under version control; all files when this is no clone."""
    ran = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True)
    if ran.returncode == 0 and ran.stdout:
        return [Path(name.decode()) for name in ran.stdout.split(b"\0") if name]
    skipped = {".git", ".venv", ".build"}
    return [
        p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts)
    ]


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in ROOMS and (ROOT / path).is_file()]


def test_floors_hold() -> None:
    """Imports go down only, and each outside library is imported where pyproject.toml says."""
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_top_level_holds_what_it_should_and_nothing_else() -> None:
    found = {path.parts[0] for path in tracked()}
    assert found <= TOP
    assert {"pyproject.toml", "README.md", "LICENSE", *ROOMS} <= found


def test_the_lock_names_hashes_and_no_places() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "file:" not in text
    assert not re.search(r"^\s*-[^-]|^\s*--(?!hash=)", text, re.MULTILINE)
    pins = [line for line in text.splitlines() if line and line[0].isalnum()]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+ \\", line) for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_every_dependency_is_locked_and_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    for requirement in wanted:
        name = re.split(r"[<>=]", requirement)[0]
        assert name in locked
        assert re.search(rf'^ +"{re.escape(requirement)}", +# \S', text, re.MULTILINE), (
            f"{requirement} states no reason"
        )


def test_every_module_says_what_it_is() -> None:
    for path in sources():
        tree = ast.parse((ROOT / path).read_text())
        assert not tree.body or ast.get_docstring(tree), f"{path} has no docstring"


def test_no_file_is_named_for_what_it_is_not() -> None:
    assert not [path for path in sources() if path.stem in {"utils", "util", "helpers", "helper", "misc", "common"}]


def machine_check(folder: Path, missing: str) -> subprocess.CompletedProcess[str]:
    """.ci/machine on a machine that has all it needs but `missing`."""
    for tool in ("sh", "sort", "tr", "id", "apt-get", "cc", "python3"):
        (folder / tool).write_text(f'#!/bin/sh\nexec {TOOLS.get(tool, f"/usr/bin/{tool}")} "$@"\n')
        (folder / tool).chmod(0o755)
    (folder / missing).unlink()
    environment = {"PATH": str(folder), "PYTHON": "python3"}
    return subprocess.run(["/bin/sh", str(ROOT / ".ci/machine")], env=environment, capture_output=True, text=True)


TOOLS = {"python3": sys.executable, "apt-get": "true", "cc": "/usr/bin/gcc"}


@pytest.mark.skipif(not Path("/usr/bin/gcc").exists(), reason="needs a machine with gcc at its usual place")
@pytest.mark.parametrize(("tool", "package"), [("cc", "gcc"), ("python3", "python3-venv")])
def test_what_the_machine_lacks_is_answered_with_one_command(tmp_path: Path, tool: str, package: str) -> None:
    ran = machine_check(tmp_path, tool)
    assert ran.returncode == 1
    commands = [line for line in ran.stderr.splitlines() if "apt-get install" in line]
    assert len(commands) == 1
    assert package in commands[0]
    assert ("sudo" in commands[0]) == (os.getuid() != 0)


def test_this_machine_passes_its_own_check() -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    ran = subprocess.run(["/bin/sh", str(ROOT / ".ci/machine")], env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
