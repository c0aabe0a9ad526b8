"""
pdb in a program: stop at a line of its file, under CPython, with the program's own lines and locals.

`breakpoint()` is no word of the language, so breakpoints are set from outside: here, or in any debugger by file and
line. Programs from disk keep their paths when they are loaded with the language's arithmetic.
"""

from __future__ import annotations

import pdb  # noqa: T100 - what this file is for
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genesis.errors import Invalid


@contextmanager
def debugged(file: Path, line: int) -> Iterator[None]:
    """
    Run what follows under pdb; it stops, and asks for commands on stdin, whenever it comes to the line.

    Raises:
        Invalid: the line holds no statement.
    """
    debugger = pdb.Pdb(nosigint=True)
    wrong = debugger.set_break(str(file.resolve()), line)
    if wrong:
        raise Invalid(f"{file} cannot stop at line {line}: {wrong}; name a line of a function.", "bad_argument")
    before = sys.gettrace()
    debugger.reset()
    debugger.botframe = sys._getframe()
    debugger.set_continue()  # not at the next line, but at the breakpoint
    sys.settrace(debugger.trace_dispatch)
    try:
        yield
    finally:
        sys.settrace(before)
