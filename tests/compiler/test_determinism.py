"""The same source gives the same IR, WASM and ABI under every CPython, hash seed, locale, flag and call depth."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiler.fingerprint import fingerprints

ROOT = Path(__file__).parents[2]
RUN = (
    f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); "
    "runpy.run_module('tests.compiler.fingerprint', run_name='__main__')"
)
VERSIONS = ((3, 11), (3, 12), (3, 13), (3, 14))
HOMES = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", "*conda*/bin", "*conda*/envs/*/bin")
VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "hash_seed_0": ((), {"PYTHONHASHSEED": "0"}),
    "hash_seed_4242": ((), {"PYTHONHASHSEED": "4242"}),
    "locale_c": ((), {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "locale_turkish": ((), {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONUTF8": "1"}),
    "latin_output": ((), {"PYTHONIOENCODING": "latin-1"}),
    "optimised": (("-O",), {}),
    "without_docstrings": (("-OO",), {}),
    "isolated": (("-I", "-S"), {}),
    "developer": (("-X", "dev", "-W", "ignore"), {}),
}


@functools.cache
def interpreters() -> dict[tuple[int, int], str]:
    """An executable for each release of CPython that can be found: on the path, in pyenv, uv and conda."""
    named = [shutil.which(f"python{major}.{minor}") for major, minor in VERSIONS]
    found = [str(path) for pattern in HOMES for path in sorted(Path.home().glob(f"{pattern}/python3"))]
    versions: dict[tuple[int, int], str] = {}
    for executable in [sys.executable, *found, *filter(None, named)]:
        ask = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
        done = subprocess.run([executable, "-I", "-c", ask], capture_output=True, text=True, check=False)
        words = done.stdout.split()
        if done.returncode == 0 and words[:1] == ["cpython"]:
            versions.setdefault((int(words[1]), int(words[2])), executable)
    return versions


@functools.cache
def expected(hostile: bool) -> dict[str, str]:
    return fingerprints(hostile)


def run(executable: str, flags: tuple[str, ...], environment: dict[str, str], *arguments: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    command = [executable, *flags, "-B", "-c", RUN, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=kept | environment, cwd="/", timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made: dict[str, str] = json.loads(done.stdout)
    return made


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"{version[0]}.{version[1]}")
def test_every_release_of_python_makes_the_same_of_a_source(version: tuple[int, int]) -> None:
    if version == sys.version_info[:2]:
        pytest.skip("the release these tests run under")
    if version not in interpreters():
        pytest.skip(f"no CPython {version[0]}.{version[1]} on this machine")
    made = run(interpreters()[version], (), {}, "hostile")
    assert made.keys() == expected(True).keys()
    assert {name for name, print_ in expected(True).items() if made[name] != print_} == set()


@pytest.mark.parametrize("variant", VARIANTS)
def test_surroundings_change_nothing(variant: str) -> None:
    flags, environment = VARIANTS[variant]
    assert run(sys.executable, flags, environment) == expected(False)


@pytest.mark.parametrize("left", (60, 400))
def test_the_callers_depth_changes_nothing(left: int) -> None:
    def down(frames: int) -> dict[str, str]:
        return down(frames - 1) if frames else fingerprints(False)

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    assert down(sys.getrecursionlimit() - used - left) == expected(False)
