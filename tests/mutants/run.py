"""
Runs mutants one after another against the tests that should kill them: `python -m tests.mutants.run`.

It works in a copy of the repository, in one process at the lowest priority, and appends each outcome to a file, so that
it goes on where it stopped. `--show` sums up. A mutant is killed by the first test that fails, or by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from tests.mutants.mutate import AREAS, ROOT, Mutant, applied, sample
from tests.mutants.reasons import EQUIVALENT, TESTED_SINCE

SECONDS_MAX = 300.0
COMPILER = (
    "tests/compiler/test_golden.py", "tests/compiler/test_refusals.py", "tests/compiler/test_meaning.py",
    "tests/compiler/test_bundle.py", "tests/compiler/test_survivors.py",
)  # fmt: skip
SUITES = {
    "check": (COMPILER,),
    "lower": (COMPILER, ("tests/vm_kernel",)),
    "optimise": (("tests/compiler_back",), COMPILER),
    "write": (("tests/compiler_back",), ("tests/vm_kernel", "tests/fuzz/test_exhaustion.py")),
    "runtime": (("tests/vm",), ("tests/vm_kernel", "tests/compiler_back")),
    "kernel": (("tests/vm_kernel",), ("tests/fuzz/test_exhaustion.py", "tests/fuzz/test_cases.py")),
}
"""What should kill a mutant of an area, after cases of the fuzzer; likely ones first."""
RESULTS = Path(__file__).with_name("results.jsonl")
COPIED = ("genesis", "execution", "node", "devnet", "settlement", "p2p", "tests", "pyproject.toml")


def area_of(mutant: Mutant) -> str:
    path = Path(mutant.file)
    return next(area for area, (pattern, _) in AREAS.items() if path.match(pattern))


def commands(area: str) -> Iterator[tuple[str, ...]]:
    """Processes to run in order until one fails."""
    yield (sys.executable, "-m", "tests.mutants.quick")
    options = ("-x", "-q", "-p", "no:cacheprovider", "--timeout=100", "--no-header", "--tb=line")
    pytest = (sys.executable, "-m", "pytest", *options)
    for paths in SUITES[area]:
        yield (*pytest, *paths)


def tested(folder: Path, area: str) -> tuple[bool, str, float]:
    """(killed, by what, seconds)."""
    began = monotonic()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
    for command in commands(area):
        try:
            ran = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX
            )
        except subprocess.TimeoutExpired:
            return True, "clock", monotonic() - began
        if ran.returncode:
            failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
            fuzzed = f"fuzz: {ran.stdout.strip()}" if "pytest" not in command else f"exit {ran.returncode}"
            return True, failed.group(1) if failed else fuzzed, monotonic() - began
    return False, "", monotonic() - began


def run(seed: int, count: int, folder: Path) -> None:
    """The first `count` of the sample that have no outcome yet."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if not target.exists():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignore) if source.is_dir() else shutil.copy(source, target)
    known = {line["name"] for line in outcomes()}
    if not known:
        killed, by, _ = tested(folder, "kernel")
        if killed:
            raise SystemExit(f"without any mutant {by} fails; repair that first")
    for mutant in sample(folder, seed)[:count]:
        if mutant.name in known:
            continue
        path = folder / mutant.file
        whole = path.read_text()
        path.write_text(applied(whole, mutant))
        try:
            killed, by, seconds = tested(folder, area_of(mutant))
        finally:
            path.write_text(whole)
        told = {"name": mutant.name, "before": mutant.before, "after": mutant.after, "area": area_of(mutant)}
        with RESULTS.open("a") as file:
            file.write(json.dumps({**told, "killed": killed, "by": by, "seconds": round(seconds, 1)}) + "\n")
        print("killed  " if killed else "SURVIVED", mutant.name, mutant.before, "→", mutant.after, by, flush=True)


def outcomes() -> list[dict[str, object]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def show() -> None:
    """Figures by area, and who survived. A mutant that is the same program cannot be killed and is not counted."""
    found = [one for one in outcomes() if one["name"] not in EQUIVALENT]
    count, killed = Counter(str(o["area"]) for o in found), Counter(str(o["area"]) for o in found if o["killed"])
    for area in AREAS:
        print(f"{area:10} {killed[area]:4} of {count[area]:4}")
    print(f"{'all':10} {sum(killed.values()):4} of {len(found):4}, {len(outcomes()) - len(found)} equivalent")
    for one in outcomes():
        if not one["killed"]:
            name = str(one["name"])
            why = EQUIVALENT.get(name) or TESTED_SINCE.get(name) or "not looked at"
            print(f"survived: {name}: {one['before']} → {one['after']}: {why}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--folder", type=Path, default=Path(".build/mutants"))
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
        return
    os.nice(15)
    folder = (ROOT / options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    run(options.seed, options.count, folder)


if __name__ == "__main__":
    main()
