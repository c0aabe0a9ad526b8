"""
One process of the fuzzer: cases numbered first, first + stride … of a seed, for some seconds.

It tells what it does as lines of JSON on stdout: the case it begins, a difference found, and at last the sums. It is
replaced by a new one after a while, since Python's classes and wasmtime's instances are never freed. What lives on is
not looked through again for rubbish, which is collected every few cases.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from node.fuzz.calls import made
from node.fuzz.case import Case, to_json
from node.fuzz.compare import Difference, Refused
from node.fuzz.coverage import Coverage
from node.fuzz.legs import Legs
from node.fuzz.shrink import shrink

STACK_BYTES = 256 << 20
RECURSION_MAX = 20_000
SHRINK_SECONDS = 60.0
CASES_BETWEEN_COLLECTIONS = 8
"""A case leaves the memories of its mirrors behind, in circles: some MiB."""


@dataclass(slots=True)
class Sums:
    cases: int = 0
    programs: int = 0
    calls: int = 0
    refused: int = 0


def case_name(seed: int, number: int) -> str:
    return f"{seed}:{number}"


def told_by(legs: Legs, case: Case) -> Difference | None:
    """How the legs differ on a case; None when they agree, or it does not compile."""
    try:
        legs.run(case)
    except Difference as difference:
        return difference
    except Refused:
        return None
    return None


def small(legs: Legs, case: Case, found: Difference, seconds: float) -> tuple[Case, Difference]:
    """The case made small, and what it differs in."""

    def fails(smaller: Case) -> bool:
        told = told_by(legs, smaller)
        return told is not None and told.where == found.where

    smallest = shrink(case, fails, seconds)
    return smallest, told_by(legs, smallest) or found


def work(seed: int, first: int, stride: int, seconds: float, folder: Path) -> None:
    until = monotonic() + seconds
    coverage, sums, number = Coverage(), Sums(), first
    legs = Legs(coverage)
    gc.disable()
    while monotonic() < until:
        if sums.cases % CASES_BETWEEN_COLLECTIONS == 0:
            gc.collect()
            gc.freeze()
        name = case_name(seed, number)
        say({"case": number})
        case = made(name)
        try:
            sums.programs += legs.run(case)
            sums.calls += case.calls
        except Refused as refusal:
            sums.refused += 1
            say({"refused": str(refusal)})
        except Difference as difference:
            gc.enable()  # every run that differs leaves its engines behind
            smallest, told = small(Legs(), case, difference, min(SHRINK_SECONDS, max(1.0, until - monotonic())))
            gc.disable()
            say({"difference": str(told), "file": str(written(smallest, told, folder))})
        coverage.gather()
        sums.cases += 1
        number += stride
    hits = dict(coverage.hits)
    sums_told = {"cases": sums.cases, "programs": sums.programs, "calls": sums.calls, "refused": sums.refused}
    say({"next": number, "hits": hits, **sums_told})


def written(case: Case, told: Difference, folder: Path) -> Path:
    """The file that replays a case."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"case-{case.name.replace(':', '-')}.json"
    path.write_text(to_json(case, str(told)))
    return path


def say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


def in_deep_thread(task: threading.Thread) -> None:
    """Run a task on a thread whose stack takes what the mirror's recursion and WASM need."""
    sys.setrecursionlimit(RECURSION_MAX)
    task.start()
    task.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("seed", "first", "stride"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    threading.stack_size(STACK_BYTES)
    arguments = (options.seed, options.first, options.stride, options.seconds, options.folder)
    in_deep_thread(threading.Thread(target=work, args=arguments))


if __name__ == "__main__":
    main()
