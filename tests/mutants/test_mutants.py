"""The mutants' tool: equal seeds draw equal mutants, each is another program; what was killed once is killed still."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.mutants import outcomes
from tests.mutants.mutate import AREAS, ROOT, applied, mutants, sample
from tests.mutants.reasons import ALIVE, EQUIVALENT
from tests.mutants.stages import everything

KILLED = (
    "execution/compiler/check_builtins.py constructor: compare 3",
    "execution/compiler/write_ops.py _negative: dropped call 1",
    "execution/vm/kernel/outbox.py append_event: operator 6",
)
"""Die of the first cases of the fuzzer, in seconds; one of the front, the back and the kernel each."""


def test_a_sample_is_drawn_by_its_seed() -> None:
    drawn = sample(ROOT, 7)
    assert drawn == sample(ROOT, 7)
    assert drawn != sample(ROOT, 8)
    assert len({mutant.name for mutant in drawn}) == sum(count for _, count in AREAS.values()) >= 200


def test_every_mutant_of_a_file_is_another_program() -> None:
    file = "execution/vm/kernel/journal.py"
    text = (ROOT / file).read_text()
    found = mutants(ROOT, file)
    assert {"compare", "constant", "dropped call", "sum"} <= {mutant.kind for mutant in found}
    for mutant in found:
        assert ast.dump(ast.parse(applied(text, mutant))) != ast.dump(ast.parse(text)), mutant.name


def test_a_mutant_keeps_its_name_while_lines_move(tmp_path: Path) -> None:
    source = "def f(a):\n    return a + 1\n\n\nclass C:\n    def f(self):\n        return [1, 2]\n"
    (tmp_path / "one.py").write_text(source)
    (tmp_path / "two.py").write_text(f"X = 5\n\n\n{source}")
    names = [[one.name.removeprefix(file) for one in mutants(tmp_path, file)] for file in ("one.py", "two.py")]
    assert names[0] == names[1] == [" f: operator 1", " f: constant 1", " C.f: constant 1", " C.f: constant 2"]


def test_every_file_of_tests_a_mutant_is_tried_with_is_there() -> None:
    paths = [path for stage in everything() if isinstance(stage, tuple) for path in stage]
    assert paths and all((ROOT / path).is_file() for path in paths)


def test_mutants_die_and_the_sources_as_they_are_do_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.mutants.run", "--folder", str(tmp_path / "copy"), "--only", *KILLED]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(maxsplit=1)[0] for line in told] == ["killed"] * len(KILLED), told


def test_outcomes_are_of_enough_mutants_nineteen_of_twenty_killed_and_the_others_have_a_reason() -> None:
    told = outcomes.read()
    counted = [one for one in told if not one.equivalent]
    assert len({(one.name, one.before, one.after) for one in told}) == len(told) >= 200
    assert sum(one.killed for one in counted) >= 0.95 * len(counted)
    assert {one.name for one in counted if not one.killed} == ALIVE.keys()
    assert {one.name for one in told if one.equivalent and not one.killed} == EQUIVALENT.keys()
