"""Cases are made from their name alone, compile, and survive their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from execution.compiler import compile_ir
from execution.compiler.ir_walk import walk
from genesis.errors import Invalid
from node.fuzz.calls import made
from node.fuzz.case import read_case, to_json
from node.fuzz.coverage import UNIVERSE, title

NAMES = [f"generator {number}" for number in range(25)]


def test_equal_names_give_equal_cases() -> None:
    assert [made(name) for name in NAMES] == [made(name) for name in NAMES]


def test_every_program_compiles_to_what_coverage_counts() -> None:
    for case in map(made, NAMES):
        for program in case.programs:
            module, _ = compile_ir(case.files, program.path)
            titles = {title(each) for function in module.functions for each in walk(function.body)}
            assert titles <= {*UNIVERSE}


def test_a_case_comes_back_from_its_file(tmp_path: Path) -> None:
    for case in map(made, NAMES):
        path = tmp_path / "case.json"
        path.write_text(to_json(case, "told"))
        assert read_case(path) == case


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', '{"format": 1, "name": "x"}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(Invalid):
        read_case(path)
