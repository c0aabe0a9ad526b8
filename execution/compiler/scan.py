"""
The pre-scan: bounds the text before Python's own parser sees it.

A single pass over characters, without recursion and without regular expressions. What passes has bounded nesting,
lines, numbers and statements, so parsing and every later walk over the tree need a bounded stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from execution.compiler import limits
from execution.compiler.errors import CompileError, Source

OPENING, CLOSING = "([{", ")]}"
OPERATORS = frozenset("+-*/%<>=!&|^~@:.,")
COUNTED = frozenset("+-*/%<>.!&|^~@=")
WORD_OPERATORS = frozenset({"and", "or", "not", "in", "is", "if", "else", "lambda", "await", "for", "yield"})
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
DIGITS = frozenset("0123456789")
NAME = LETTERS | DIGITS
_NAME_TEXT = "".join(sorted(NAME))
ODD = {
    "\t": ("a tab", "indent with four spaces"),
    "\f": ("a form feed", "remove it"),
    "\r": ("a carriage return", "end lines with a line feed only"),
    "\0": ("a null byte", "remove it"),
    "\\": ("a backslash", "continue lines inside brackets; strings have no escapes"),
    ";": ("a semicolon", "write one statement a line"),
    "$": ("a dollar sign", "remove it"),
    "?": ("a question mark", "write `x if c else y`"),
    "`": ("a backtick", "remove it"),
}


@dataclass(slots=True)
class _Scan:
    source: Source
    at: int = 0
    line: int = 1
    line_start: int = 0
    brackets: list[tuple[str, int, int]] = field(default_factory=list)  # with line and column
    operators: int = 0
    tokens: int = 0
    elifs: int = 0

    def error(self, wrong: str, instead: str) -> CompileError:
        return self.source.error(self.line, self.at - self.line_start + 1, wrong, instead)

    def new_line(self) -> None:
        self.line += 1
        self.line_start = self.at + 1
        if not self.brackets:
            self.operators = self.tokens = 0


def scan(source: Source) -> None:
    """
    Refuse a text beyond the bounds of `limits` or with characters the language does not have.

    Raises:
        CompileError: located at the first offence.
    """
    _check_lines(source)
    state = _Scan(source)
    text = source.text
    while state.at < len(text):
        character = text[state.at]
        if character == "\n":
            state.new_line()
            state.at += 1
        elif character == " ":
            state.at += 1
        elif character == "#":
            end = text.find("\n", state.at)
            state.at = len(text) if end < 0 else end
        elif character in "\"'":
            _string(state, character)
        elif character in LETTERS:
            _name(state)
        elif character in DIGITS:
            _number(state)
        else:
            _punctuation(state, character)
    if state.brackets:
        bracket, line, column = state.brackets[-1]
        raise source.error(line, column, f"`{bracket}` is never closed", "close it")


def _check_lines(source: Source) -> None:
    if len(source.text) > limits.FILE_BYTES_MAX:
        raise source.whole(
            f"the file is longer than {limits.FILE_BYTES_MAX} bytes", "split it into modules of the bundle"
        )
    for number, line in enumerate(source.text.split("\n"), 1):
        if not (line.isascii() and line.isprintable()):
            raise _odd(source, number, line)
        if len(line) > limits.LINE_CHARACTERS_MAX:
            raise source.error(
                number, 1, f"the line is longer than {limits.LINE_CHARACTERS_MAX} characters", "break it up"
            )
        if len(line) - len(line.lstrip(" ")) > limits.INDENT_SPACES_MAX:
            raise source.error(number, 1, "the indentation is too deep", "move the inner part to a method of its own")


def _odd(source: Source, number: int, line: str) -> CompileError:
    """The refusal of a line's first character that is none of printable ASCII."""
    column, character = next(found for found in enumerate(line, 1) if not " " <= found[1] <= "~")
    wrong, instead = ODD.get(character, (f"the character U+{ord(character):04X}", "use printable ASCII only"))
    return source.error(number, column, f"{wrong} is not part of the language", instead)


def _count(state: _Scan, operators: int) -> None:
    state.operators += operators
    state.tokens += 1
    if state.operators > limits.OPERATORS_MAX:
        raise state.error(f"the statement has more than {limits.OPERATORS_MAX} operators", "use intermediate names")
    if state.tokens > limits.TOKENS_MAX:
        raise state.error(f"the statement has more than {limits.TOKENS_MAX} parts", "use intermediate names")


def _string(state: _Scan, quote: str) -> None:
    """Skip a string; three quotes may span lines. A backslash is refused wherever it stands."""
    text, start = state.source.text, state.at
    _count(state, 0)
    long = text.startswith(quote * 3, start)
    end = text.find(quote * 3 if long else quote, start + (3 if long else 1))
    stop = text.find("\n", start)
    if end < 0 or (not long and 0 <= stop < end):
        raise state.error("the string is never closed", "close it on the same line")
    backslash = text.find("\\", start, end)
    if backslash >= 0:
        _advance(state, backslash)
        raise state.error("a backslash is not part of the language", "strings have no escapes")
    if not long and end - start > limits.STRING_CHARACTERS_MAX:
        raise state.error(f"the string is longer than {limits.STRING_CHARACTERS_MAX} characters", "shorten it")
    _advance(state, end + (3 if long else 1))
    if state.at < len(text) and text[state.at] in NAME:
        raise state.error("a name directly after a string", "put a space between them")


def _advance(state: _Scan, target: int) -> None:
    """Move on to `target`, counting the lines of a long string without ending the statement."""
    text = state.source.text
    lines = text.count("\n", state.at, target)
    if lines:
        state.line += lines
        state.line_start = text.rfind("\n", 0, target) + 1
    state.at = target


def _end_of_name(text: str, start: int, most: int) -> int:
    """Where letters and digits end; where it is more than `most` of them, one more is looked at and no further."""
    ahead = text[start : start + most + 1]
    return start + len(ahead) - len(ahead.lstrip(_NAME_TEXT))


def _name(state: _Scan) -> None:
    text, start = state.source.text, state.at
    end = _end_of_name(text, start, limits.NAME_CHARACTERS_MAX)
    name = text[start:end]
    if end - start > limits.NAME_CHARACTERS_MAX:
        raise state.error(f"the name is longer than {limits.NAME_CHARACTERS_MAX} characters", "shorten it")
    if end < len(text) and text[end] in "\"'":
        raise state.error("a prefix before a string is not part of the language", "write a plain string")
    _count(state, 1 if name in WORD_OPERATORS else 0)
    if name in ("def", "class"):
        state.elifs = 0
    state.elifs += name == "elif" or (name == "case" and state.tokens == 1)
    if state.elifs > limits.ELIFS_MAX:
        raise state.error(
            f"the function has more than {limits.ELIFS_MAX} `elif` and `case`", "use a Map or split the function"
        )
    state.at = end


def _number(state: _Scan) -> None:
    text, start = state.source.text, state.at
    end = _end_of_name(text, start, limits.DIGITS_MAX)
    digits = text[start:end]
    if len(digits) > limits.DIGITS_MAX:
        raise state.error(f"the number has more than {limits.DIGITS_MAX} digits", "numbers are at most 64 bits long")
    if digits.strip("0123456789_"):
        raise state.error(f"`{digits}` is not a number of the language", "write decimal digits")
    if end < len(text) and text[end] == ".":
        raise _float(state)
    _count(state, 0)
    state.at = end


def _float(state: _Scan) -> CompileError:
    """The refusal of a float at hand, with the number as it is written where it has a fraction."""
    text, end = state.source.text, state.at
    while end < len(text) and (text[end] in NAME or text[end] == "."):
        end += 1
    whole, _, places = text[state.at : end].partition(".")
    number = f"{whole or 0}.{places or 0}"
    shown = number if number.replace(".", "", 1).isdecimal() and len(number) <= limits.DIGITS_MAX else "0.5"
    return state.error("a float is not part of the language", f'write Decimal("{shown}")')


def _punctuation(state: _Scan, character: str) -> None:
    text, at = state.source.text, state.at
    if character in OPENING:
        state.brackets.append((character, state.line, at - state.line_start + 1))
        if len(state.brackets) > limits.BRACKET_DEPTH_MAX:
            raise state.error(
                f"brackets are nested more than {limits.BRACKET_DEPTH_MAX} deep", "use intermediate names"
            )
    elif character in CLOSING:
        if not state.brackets or OPENING.index(state.brackets.pop()[0]) != CLOSING.index(character):
            raise state.error(f"`{character}` closes nothing", "remove it")
    elif character == "!" and text[at + 1 : at + 2] != "=":
        raise state.error("`!` is not part of the language", "write `not`")
    elif character == "." and text[at + 1 : at + 2] in DIGITS:
        raise _float(state)
    elif character in ODD or character not in OPERATORS:
        wrong, instead = ODD.get(character, (f"`{character}`", "remove it"))
        if character not in OPENING + CLOSING:
            raise state.error(f"{wrong} is not part of the language", instead)
    _count(state, 1 if character in COUNTED else 0)
    state.at += 1
