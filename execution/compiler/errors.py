"""
What a programmer sees when a source is refused: file, line, column, the line itself, a caret, what is wrong, what to
write instead.

Every stage of the front raises `CompileError` and nothing else; it is an `Invalid`, the sender's fault.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from genesis.errors import Invalid

SHOWN_MAX = 120  # characters of a source line repeated in a message


class CompileError(Invalid):
    """A refused source. line and column count from 1; column 0 means the whole file."""

    def __init__(self, file: str, line: int, column: int, text: str, wrong: str, instead: str) -> None:
        self.file, self.line, self.column = file, line, column
        self.wrong, self.instead = wrong, instead
        where = f"{file}:{line}:{column}" if column else file
        shown = f"\n    {text}\n    {' ' * (column - 1)}^" if column and text and column <= SHOWN_MAX else ""
        super().__init__(f"{where}: {wrong}{shown}\n  instead: {instead}", "does_not_compile")


class TooLarge(Invalid):
    """A function or program beyond a bound that shows itself after the front; `compile_bundle` says where it stands."""

    def __init__(self, function: str, line: int, wrong: str, instead: str) -> None:
        self.function, self.line, self.wrong, self.instead = function, line, wrong, instead
        super().__init__(f"{function} (line {line}): {wrong}; {instead}", "does_not_compile")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a bundle and the way to point into it."""

    file: str
    text: str

    def error(self, line: int, column: int, wrong: str, instead: str) -> CompileError:
        """An error at a line and column counted from 1."""
        lines = self.text.split("\n")
        shown = lines[line - 1][:SHOWN_MAX] if 0 < line <= len(lines) else ""
        printable = "".join(c if " " <= c <= "~" else "?" for c in shown)
        return CompileError(self.file, line, column, printable, wrong, instead)

    def at(self, node: ast.AST, wrong: str, instead: str) -> CompileError:
        """An error at a node of this file's syntax tree."""
        return self.error(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, wrong, instead)

    def on_line(self, line: int, wrong: str, instead: str) -> CompileError:
        """An error about a line, shown at its first character; about the file when there is no such line."""
        lines = self.text.split("\n")
        if not 0 < line <= len(lines):
            return self.whole(wrong, instead)
        return self.error(line, len(lines[line - 1]) - len(lines[line - 1].lstrip(" ")) + 1, wrong, instead)

    def whole(self, wrong: str, instead: str) -> CompileError:
        """An error about the file as a whole."""
        return CompileError(self.file, 1, 0, "", wrong, instead)
