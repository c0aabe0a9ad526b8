"""
Every place of the compiler that can refuse a source, found in its text, and which of them a source reaches.

A place is (file, first line, last line) of the call that makes the error: `….error(…)`, `….at(…)`, `….whole(…)`,
`CompileError(…)`, `TooLarge(…)`.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import execution.compiler
from execution.compiler.errors import CompileError, TooLarge

SOURCES = Path(execution.compiler.__file__).parent
MAKERS = {"error", "at", "whole"}
CLASSES = {"CompileError", "TooLarge"}
PASSED_ON = {("errors.py", "error"), ("errors.py", "at"), ("errors.py", "whole"), ("errors.py", "on_line"),
             ("context.py", "error"), ("scan.py", "error"), ("__init__.py", "_located")}  # fmt: skip

Place = tuple[str, int, int]


@functools.cache
def places() -> dict[Place, str]:
    """Every place, with the text of its call."""
    found: dict[Place, str] = {}
    for path in sorted(SOURCES.glob("*.py")):
        text = path.read_text()
        for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)):
            if (path.name, function.name) in PASSED_ON:
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _makes(node):
                    found[path.name, node.lineno, node.end_lineno or 0] = ast.get_source_segment(text, node) or ""
    return found


def _makes(node: ast.Call) -> bool:
    match node.func:
        case ast.Attribute(attr=name):
            return name in MAKERS and len(node.args) >= 2
        case ast.Name(id=name):
            return name in CLASSES
    return False


@contextmanager
def reached() -> Iterator[set[tuple[str, int]]]:
    """(file, line) of what makes an error inside."""
    found: set[tuple[str, int]] = set()
    before = CompileError.__init__, TooLarge.__init__

    def watch(original):  # type: ignore[no-untyped-def]
        def init(self, *args):  # type: ignore[no-untyped-def]
            frame: FrameType | None = sys._getframe(1)
            while frame is not None:
                name = Path(frame.f_code.co_filename).name
                if (name, frame.f_code.co_name) not in PASSED_ON:
                    found.add((name, frame.f_lineno))
                    break
                frame = frame.f_back
            original(self, *args)

        return init

    CompileError.__init__, TooLarge.__init__ = map(watch, before)  # type: ignore[method-assign]
    try:
        yield found
    finally:
        CompileError.__init__, TooLarge.__init__ = before  # type: ignore[method-assign]


def text_of(place: Place) -> str:
    """The call that makes the error, on one line: what stays when lines move."""
    return " ".join(places()[place].split())


def hits(found: set[tuple[str, int]]) -> set[Place]:
    """Places among those that lie on the lines found."""
    return {
        place for place in places() if any(place[0] == name and place[1] <= line <= place[2] for name, line in found)
    }
