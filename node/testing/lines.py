"""
Coverage by line: which statements of a program's functions ran under CPython.

    lines = Lines()
    lines.follow([path])
    with lines.watched():
        …                                   # run the program
    lines.report()                          # per file: statements, those that ran, those that did not

A statement counts by the line it begins on. A debugger that is tracing already is left alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class FileLines:
    """statements: lines on which a function's statements begin. missing: those that never ran."""

    path: Path
    statements: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def percent(self) -> float:
        """Of the statements that ran, with one place; 100 for a file without any."""
        if not self.statements:
            return 100.0
        return round(100 * (1 - len(self.missing) / len(self.statements)), 1)


class Lines:
    """Lines that ran, by file. Nothing is traced but between `watched` and its end, and only files followed."""

    def __init__(self) -> None:
        self._ran: dict[str, set[int]] = {}

    def follow(self, paths: Iterable[Path]) -> None:
        """Note lines of these files from now on."""
        for path in paths:
            self._ran.setdefault(str(path), set())

    @contextmanager
    def watched(self) -> Iterator[None]:
        before = sys.gettrace()
        if before is not None:
            yield
            return
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)

    @staticmethod
    @contextmanager
    def unwatched() -> Iterator[None]:
        """The same shape, noting nothing."""
        yield

    def report(self) -> tuple[FileLines, ...]:
        """Per file followed, in order of path."""
        rows = []
        for name, ran in sorted(self._ran.items()):
            statements = statement_lines(Path(name).read_text(encoding="utf-8"))
            rows.append(FileLines(Path(name), statements, tuple(line for line in statements if line not in ran)))
        return tuple(rows)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        ran = self._ran.get(frame.f_code.co_filename)
        if ran is None:
            return None

        def line(inner: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                ran.add(inner.f_lineno)
            return line

        return line


def statement_lines(source: str) -> tuple[int, ...]:
    """Lines on which statements of functions begin, docstrings left out, ascending."""
    lines: set[int] = set()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            lines.update(_inside(function))
    return tuple(sorted(lines))


def _inside(function: ast.FunctionDef) -> Iterator[int]:
    for node in ast.walk(function):
        if not isinstance(node, ast.stmt) or isinstance(node, DEFINITIONS):
            continue
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        declaration = isinstance(node, ast.AnnAssign) and node.value is None
        if not docstring and not declaration:
            yield node.lineno
