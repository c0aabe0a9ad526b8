"""
pytest in a process of its own, and what it leaves behind: counts, and lines that ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from genesis.errors import Invalid
from node.testing.plugin import ENGINES

NO_TESTS = 5
USAGE = 4
WAYS = (*ENGINES, "both")


def run_tests(path: Path, engine: str, select: str, pdb: bool) -> tuple[int, dict[str, Any]]:
    """
    Run pytest on a path; its exit code, and the plug-in's report. What pytest prints goes to stderr.

    Raises:
        Invalid: there is no such path or engine, or no tests.
    """
    if engine not in WAYS:
        raise Invalid(f"There is no engine {engine}; name one of {', '.join(WAYS)}.", "unknown_engine")
    if not path.exists():
        raise Invalid(f"There is no {path}; name a test file or a folder.", "not_found")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-p", "node.testing.plugin", "--tenor-lines", str(report)]
        command += ["--tenor-engine", engine, "-q", str(path), *(("-k", select) if select else ())]
        command += ["--pdb"] if pdb else []
        code = subprocess.run(command, env=_environment(), stdout=sys.stdout if pdb else sys.stderr).returncode
        if code == NO_TESTS:
            raise Invalid(f"{path} holds no tests; write functions test_… in files test_*.py.", "no_tests")
        if not report.exists():
            raise Invalid(f"pytest could not run {path} (exit code {code}); see its words above.", "pytest_failed")
        return code, json.loads(report.read_text())


def _environment() -> dict[str, str]:
    """The present one; Tenor is found even where it is not installed."""
    here = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))}


def report_of(report: dict[str, Any]) -> dict[str, Any]:
    """What `tenor program test` shows: counts of tests, and per file the lines that never ran."""
    tests = report["tests"]
    return {
        "passed": tests.get("passed", 0),
        "failed": tests.get("failed", 0) + tests.get("error", 0),
        "skipped": tests.get("skipped", 0),
        "coverage": [
            {
                "file": row["file"],
                "statements": row["statements"],
                "percent": row["percent"],
                "missing": _ranges(row["missing"]),
            }
            for row in report["files"]
        ],
    }


def _ranges(lines: list[int]) -> str:
    """ "3-5, 9" """
    parts: list[list[int]] = []
    for line in lines:
        if parts and parts[-1][1] + 1 == line:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
