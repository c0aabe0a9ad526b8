"""What mutants of the compiler showed to be tested nowhere else."""

from __future__ import annotations

import pytest

from execution.compiler import CompileError, check_bundle, compile_ir
from execution.compiler.gas import GAS
from execution.compiler.ir import Touch
from execution.compiler.ir_walk import walk
from execution.compiler.optimise import optimise

BORROWS = """from execution.lang import Map, Program, Record, external


class Level(Record):
    size: int


class Book(Program):
    levels: Map[int, Level]

    def drop(self) -> int:
        self.levels.clear()
        return 0

    @external
    def move(self) -> int:
        BODY
        return other
"""


def checked(body: str) -> None:
    check_bundle({"book.py": BORROWS.replace("BODY", body)}, "book.py")


def test_two_borrows_may_be_taken_in_one_statement() -> None:
    checked("one, two = self.levels[1], self.levels[2]\n        other = one.size + two.size")


def test_a_borrow_does_not_outlive_what_the_same_statement_deletes() -> None:
    with pytest.raises(CompileError, match="may be deleted within this statement"):
        checked("one, other = self.levels[1], self.drop()")


NEIGHBOURS = """from execution.lang import Program, external


class Fields(Program):
    a: int
    b: int
    c: int

    @external
    def write(self, more: bool) -> None:
        self.a = 1
        self.c = 3
        if more:
            self.c = 4
        self.b = 2
"""


def test_a_line_touched_by_its_first_and_last_field_is_touched_for_those_between() -> None:
    """Also behind a branch, where the first touch can no longer grow."""
    module = optimise(compile_ir({"fields.py": NEIGHBOURS}, "fields.py")[0], GAS)
    touches = [each for function in module.functions for each in walk(function.body) if isinstance(each, Touch)]
    assert len(touches) == 1
