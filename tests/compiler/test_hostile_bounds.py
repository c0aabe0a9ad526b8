"""Every hostile bundle has its verdict soon and within 100 MB, however deep in its stack the caller stands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.compiler.golden import VERDICTS
from tests.compiler.hostile.worker import Line

SECONDS_MAX = 10.0  # of processor time, machine code included; on an idle machine it is below one
MEMORY_MAX = 100.0  # MB of the whole process, interpreter and engine included
GOLDEN = dict(line.split(": ", 1) for line in VERDICTS.read_text().splitlines())


@pytest.fixture(scope="module")
def measured() -> dict[str, Line]:
    command = [sys.executable, "-m", "tests.compiler.hostile.worker"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {str(line["name"]): line for line in lines}


def test_there_are_hundreds_of_hostile_bundles() -> None:
    assert len(GOLDEN) >= 150


@pytest.mark.parametrize("name", GOLDEN)
def test_a_hostile_bundle_is_refused_or_compiled_at_once(name: str, measured: dict[str, Line]) -> None:
    assert name in measured, "the compiler died"
    line = measured[name]
    assert line["verdict"] == GOLDEN[name]
    assert float(line["seconds"]) < SECONDS_MAX
    assert float(line["memory"]) < MEMORY_MAX
