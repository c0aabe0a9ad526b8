"""
Where a program failed: a stack of its source lines with the values of locals, taken while they still stand.

    with Stack() as stack:
        …                         # run programs under CPython
    stack.of(refusal)             # frames from the outside in

Values are described when the exception passes, before anything is undone.
"""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

from execution.lang.containers import Map
from execution.lang.listing import List
from execution.lang.program import Program
from execution.lang.queue import Queue
from execution.lang.rejection import Rejected
from execution.lang.rewriting import MARK, PREFIX
from execution.lang.struct import Record, kinds_of

VALUE_CHARACTERS = 200
MEMBERS_DEPTH = 2
LINES_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class StackFrame:
    """program: name of its class, "" in a function outside of one. locals: values as text, by name."""

    program: str
    function: str
    module: str
    line: int
    source: str
    locals: dict[str, str]


class Endless(Exception):
    """So many lines ran that only gas would have ended it."""


class Stack:
    """Traces programs while it is entered; an exception that passes through a program leaves its frames here."""

    def __init__(self) -> None:
        self._frames: list[tuple[BaseException, list[StackFrame]]] = []
        self._before: Any = None
        self._lines = 0

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.settrace(self._before)

    def of(self, error: BaseException) -> tuple[StackFrame, ...]:
        """Frames that an exception passed, the outermost first; none when it came from no program."""
        found = next((frames for seen, frames in reversed(self._frames) if seen is error), [])
        return tuple(reversed(found))

    def of_reason(self, word: int) -> tuple[StackFrame, ...]:
        """Frames of the last refusal for a reason."""
        found = [error for error, _ in self._frames if isinstance(error, Rejected) and error.reason.word == word]
        return self.of(found[-1]) if found else ()

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_globals.get(MARK) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception":
            self._note(frame, argument[1])
        self._lines += 1
        if self._lines > LINES_MAX:
            raise Endless
        return self._line

    def _note(self, frame: FrameType, error: BaseException) -> None:
        if not self._frames or self._frames[-1][0] is not error:
            self._frames.append((error, []))
        self._frames[-1][1].append(_described(frame))


def _described(frame: FrameType) -> StackFrame:
    code = frame.f_code
    values = {name: value for name, value in frame.f_locals.items() if not name.startswith((PREFIX, "__"))}
    owner = values.pop("self", None)
    return StackFrame(
        type(owner).__name__ if isinstance(owner, Program) else "",
        code.co_name,
        str(frame.f_globals.get("__name__", "")),
        frame.f_lineno,
        linecache.getline(code.co_filename, frame.f_lineno).strip(),
        {name: described(value) for name, value in values.items()},
    )


def described(value: Any, depth: int = MEMBERS_DEPTH) -> str:
    """A local's value for people: storage by its size, records by their members, all cut to a bearable length."""
    if isinstance(value, (Map, List, Queue)):
        text = f"{type(value).__name__} of {len(value)}"
    elif isinstance(value, Record):
        members = kinds_of(type(value)) if depth else {}
        inside = ", ".join(f"{name}={described(getattr(value, name), depth - 1)}" for name in members)
        text = f"{type(value).__name__}({inside or '…'})"
    else:
        text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"
