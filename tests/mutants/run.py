"""
Runs mutants one after another against the tests that should kill them: `python -m tests.mutants.run`.

It works in a copy of the repository, in one process at the lowest priority, and appends each outcome to a file, so that
it goes on where it stopped. `--again` tries those that survived against the tests of today; `--only` tries the mutants
named and writes nothing. `--show` sums up. What kills a mutant is the first test that fails, a process that dies or the
clock.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.mutants import outcomes, trial
from tests.mutants.mutate import ROOT, Mutant, applied, mutants, sample
from tests.mutants.outcomes import Outcome
from tests.mutants.reasons import ALIVE, EQUIVALENT
from tests.mutants.stages import FIRST, area_of, everything, stages_of
from tests.mutants.trial import Stage, Tests

COPIED = (*trial.ROOMS, "pyproject.toml")


def copy(folder: Path) -> None:
    """The repository as it is now; bytecode is checked by its source's hash, since a mutant changes a file twice."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_file():
            shutil.copy(source, target)
        else:
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            compileall.compile_dir(target, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


@contextmanager
def faulty(folder: Path, mutant: Mutant) -> Iterator[None]:
    path = folder / mutant.file
    whole = path.read_text()
    path.write_text(applied(whole, mutant))
    try:
        yield
    finally:
        path.write_text(whole)


def killed_by(folder: Path, mutant: Mutant, stages: tuple[Stage, ...]) -> tuple[str, float]:
    """(what failed, seconds); "" for a survivor."""
    with faulty(folder, mutant):
        return trial.tried(folder, stages)


def check_whole(folder: Path, stages: tuple[Stage, ...]) -> None:
    """
    Without any mutant nothing fails.

    Raises:
        SystemExit: something does, which would kill every mutant.
    """
    failed, _ = trial.tried(folder, stages)
    if failed:
        shutil.rmtree(folder)
        raise SystemExit(f"without any mutant {failed} fails; repair that first")


def run(folder: Path, seed: int, count: int, since: Tests) -> None:
    """
    The first `count` of the sample that have no outcome yet.

    since: tests written for mutants drawn; what one of them kills is not asked whether an older test would have.
    """
    known = outcomes.read()
    for mutant in sample(folder, seed)[:count]:
        if not any(outcome.is_of(mutant) for outcome in known):
            by, seconds = killed_by(folder, mutant, stages_of(mutant, since))
            new = any(by.startswith(test) for _, _, test in (one.partition("=") for one in since))
            told = mutant.name, mutant.before, mutant.after, area_of(mutant)
            outcomes.append(Outcome(*told, "" if new else by, round(seconds, 1), by if new else ""))
            _tell(mutant, by)


def again(folder: Path, since: Tests) -> None:
    """Those alive that are still in the sources, and that `reasons` does not let be."""
    told = outcomes.read()
    for place, outcome in enumerate(told):
        if outcome.killed or outcome.name in EQUIVALENT or outcome.name in ALIVE:
            continue
        file = outcome.name.split()[0]
        mutant = next((one for one in mutants(folder, file) if outcome.is_of(one)), None)
        if mutant:
            killer, _ = killed_by(folder, mutant, stages_of(mutant, since, wide=True))
            told[place] = replace(outcome, since=killer)
            outcomes.replace(told)
            _tell(mutant, killer)


def only(folder: Path, names: list[str]) -> None:
    """
    Tries the mutants of these names.

    Raises:
        SystemExit: there is no mutant of a name.
    """
    for name in names:
        mutant = next((one for one in mutants(folder, name.split()[0]) if one.name == name), None)
        if mutant is None:
            raise SystemExit(f"there is no mutant {name!r}; names are those of results.jsonl, in today's sources")
        _tell(mutant, killed_by(folder, mutant, stages_of(mutant))[0])


def _tell(mutant: Mutant, by: str) -> None:
    print("killed  " if by else "SURVIVED", mutant.name, "|", mutant.before, "→", mutant.after, "|", by, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--folder", type=Path, default=Path(".build/mutants"), help="where the copy is or will be")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--again", action="store_true", help="only those that survived")
    parser.add_argument("--since", nargs="+", default=[], metavar="AREA=TEST", help="tests written for mutants drawn")
    parser.add_argument("--show", action="store_true", help="only the sum")
    options = parser.parse_args()
    if options.show:
        print(outcomes.summary(outcomes.read()))
        return
    os.nice(15)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the copy is left whole
    trial.load()
    folder = (ROOT / options.folder).resolve()
    if not folder.exists():
        copy(folder)
        check_whole(folder, (FIRST,) if options.only else everything())
    if options.only:
        only(folder, options.only)
    elif options.again:
        again(folder, tuple(options.since))
    else:
        run(folder, options.seed, options.count, tuple(options.since))


if __name__ == "__main__":
    main()
