"""Every method of every container: how many arguments it takes, and that what changes is refused in a view."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from execution.compiler import CompileError, check_bundle
from execution.compiler.check_containers import LIST_METHODS, MAP_METHODS, ORDERED_METHODS, QUEUE_METHODS
from tests.compiler.refused_more import program

VIEW = """    @view
    def seen(self, n: int) -> int:
        {body}
        return n
"""


class Method(NamedTuple):
    """takes: as many arguments, all of them ints. changes: it adds or removes something, or may."""

    container: str
    name: str
    takes: tuple[int, ...]
    changes: bool = False


METHODS = (
    Method("m", "get", (1, 2)),
    Method("m", "pop", (1,), changes=True),
    Method("m", "first", (0,)),
    Method("m", "last", (0,)),
    Method("m", "after", (1,)),
    Method("m", "before", (1,)),
    Method("m", "clear", (0,), changes=True),
    Method("r", "create", (1,), changes=True),
    Method("r", "obtain", (1,), changes=True),
    Method("o", "ceiling", (1,)),
    Method("o", "floor", (1,)),
    Method("l", "append", (1,), changes=True),
    Method("n", "add", (0,), changes=True),
    Method("l", "pop", (0,), changes=True),
    Method("l", "clear", (0,), changes=True),
    Method("l", "first", (0,)),
    Method("l", "after", (1,)),
    Method("q", "push", (1,), changes=True),
    Method("q", "pop", (0,), changes=True),
    Method("q", "first", (0,)),
    Method("q", "clear", (0,), changes=True),
)
NAMES = [f"{method.container}.{method.name}" for method in METHODS]


def call(method: Method, count: int) -> str:
    return f"self.{method.container}.{method.name}({', '.join(['n'] * count)})"


def check(text: str) -> None:
    check_bundle({"p.py": text}, "p.py")


def test_no_method_is_left_out() -> None:
    known = [*MAP_METHODS, *ORDERED_METHODS, *LIST_METHODS, *QUEUE_METHODS]
    assert sorted(method.name for method in METHODS) == sorted(known)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_method_takes_its_arguments_and_no_others(method: Method) -> None:
    for count in range(4):
        if count in method.takes:
            check(program(call(method, count)))
        else:
            with pytest.raises(CompileError, match=f"{count} arguments where"):
                check(program(call(method, count)))


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_view_reads_containers_and_changes_none(method: Method) -> None:
    text = program("pass", methods=VIEW.format(body=call(method, method.takes[0])))
    if method.changes:
        with pytest.raises(CompileError, match="a view changes nothing"):
            check(text)
    else:
        check(text)
