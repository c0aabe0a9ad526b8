"""
`tenor program fuzz`: cases over all cores for some seconds, or one case again from its file.

The last line of stdout says with --json: programs, calls, differences, coverage. Exit code 1 when there is a
difference.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from node.fuzz.case import read_case
from node.fuzz.compare import Difference, Refused
from node.fuzz.coverage import summary
from node.fuzz.legs import Legs
from node.fuzz.worker import STACK_BYTES, case_name, in_deep_thread

SLICE_SECONDS = 300.0
"""A worker lives this long; then a new one goes on."""
ONE_CORE = {"RAYON_NUM_THREADS": "1"}
"""Of a worker, so that the engine's compiler starts no thread for each core of the machine."""
ENDING_SECONDS = 3.0
"""Left over for the last cases of the workers."""


@dataclass(slots=True)
class Found:
    """What all workers said."""

    sums: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def fuzz(seconds: float, seed: int, jobs: int, folder: Path, as_json: bool) -> int:
    """Run `jobs` workers side by side until the time is over; print what they found, return the exit code."""
    began = monotonic()
    found, lock = Found(), threading.Lock()

    def lane(first: int) -> None:
        number = first
        while (left := began + seconds - monotonic()) > ENDING_SECONDS:
            slice_seconds = min(SLICE_SECONDS, left - ENDING_SECONDS)
            number = _worker(found, lock, seed, number, jobs, slice_seconds, folder, as_json)

    lanes = [threading.Thread(target=lane, args=(first,)) for first in range(jobs)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    _show(found, seed, monotonic() - began, as_json)
    return 1 if found.differences else 0


def _worker(
    found: Found, lock: threading.Lock, seed: int, first: int, stride: int, seconds: float, folder: Path, quiet: bool
) -> int:
    """One process to its end; the number of the case that comes after. One that dies is a difference."""
    command = [sys.executable, "-m", "node.fuzz.worker", "--seed", str(seed), "--first", str(first)]
    command += ["--stride", str(stride), "--seconds", str(seconds), "--folder", str(folder)]
    number = first
    following: int | None = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_CORE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            number = said.get("case", number)
            following = said.get("next", following)
            with lock:
                _learn(found, said, quiet)
    if following is not None:
        return following
    name = case_name(seed, number)
    with lock:
        found.differences.append({"difference": f"the process died with {process.returncode} in case {name}"})
    return number + stride


def _learn(found: Found, said: dict[str, Any], quiet: bool) -> None:
    if "difference" in said:
        found.differences.append({"difference": said["difference"], "file": said["file"]})
        print(f"difference: {said['difference']}\n  replay with --replay {said['file']}", file=sys.stderr)
    if "refused" in said:
        found.refusals.append(said["refused"])
    if "next" in said:
        found.hits.update(said["hits"])
        found.sums.update({name: said[name] for name in ("cases", "programs", "calls", "refused")})
        if not quiet:
            told = (
                f"{found.sums['programs']} programs, {found.sums['calls']} calls, {len(found.differences)} differences"
            )
            print(told, file=sys.stderr, flush=True)


def _show(found: Found, seed: int, elapsed: float, as_json: bool) -> None:
    result = {
        "programs": found.sums["programs"], "calls": found.sums["calls"], "differences": len(found.differences),
        "coverage": summary(found.hits), "cases": found.sums["cases"], "refused": found.sums["refused"],
        "seed": seed, "elapsed_s": round(elapsed, 1), "files": [one.get("file", "") for one in found.differences],
    }  # fmt: skip
    for refusal in found.refusals[:3]:
        print(f"refused: {refusal}", file=sys.stderr)
    if as_json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:12} {value}")


def replay(path: Path, as_json: bool) -> int:
    """Run the case of a file; 0 when the legs agree on it now."""
    case = read_case(path)
    told: list[str] = []

    def work() -> None:
        try:
            Legs().run(case)
        except (Difference, Refused) as error:
            told.append(str(error))

    threading.stack_size(STACK_BYTES)
    in_deep_thread(threading.Thread(target=work))
    if as_json:
        result = {"programs": len(case.programs), "calls": case.calls, "differences": len(told), "told": told}
        print(json.dumps(result))
    else:
        print(told[0] if told else f"{path}: all three agree on {case.calls} calls")
    return 1 if told else 0
