"""The harmless program around what is hostile."""

from __future__ import annotations

WORDS = (
    "Account, Decimal, Duration, Enum, Event, List, Map, Optional, OrderedMap, Outcome, Program, ProgramRef, Quote, "
    "Record, Rejected, Struct, Symbol, Timestamp, at_end, block, emit, external, hook, require, tx, view"
)
IMPORTS = "".join(f"from execution.lang import {word}\n" for word in WORDS.split(", "))
FIELDS = (
    "a: int",
    "b: int",
    "d: Decimal",
    "e: Decimal",
    "m: Map[int, int]",
    "o: OrderedMap[int, Decimal]",
    "l: List[int]",
    "x: Map[Account, Decimal]",
)
FILE_BYTES = 64 * 1024


def module(definitions: str = "", fields: tuple[str, ...] = FIELDS, methods: str = "") -> str:
    """A file with a program P."""
    body = "".join(f"    {field}\n" for field in fields)
    return f"{IMPORTS}\n{definitions}\nclass P(Program):\n{body}\n{methods}"


def indent(text: str, spaces: int) -> str:
    return "".join(f"{' ' * spaces}{line}\n" for line in text.split("\n"))


def method(statements: str, head: str = "def f(self, n: int, q: Decimal) -> None:", kind: str = "external") -> str:
    """One method with these statements."""
    decorator = f"    @{kind}\n" if kind else ""
    return f"{decorator}    {head}\n{indent(statements, 8)}\n"


def body(statements: str, definitions: str = "", fields: tuple[str, ...] = FIELDS, more: str = "") -> str:
    """A program whose entry f(n, q) has these statements; `more`: further methods."""
    return module(definitions, fields, method(statements) + more)


def filled(line: str, definitions: str = "", fields: tuple[str, ...] = FIELDS, more: str = "") -> str:
    """A program whose entry repeats a line until the file is full; {i} in it counts."""
    return body(repeated(line, FILE_BYTES - len(body("", definitions, fields, more)), 9), definitions, fields, more)


def repeated(text: str, room: int, margin: int = 1) -> str:
    """Copies of a text, numbered by {i}, that fit; margin: characters added for each line."""
    copies: list[str] = []
    used = 0
    while True:
        copy = text.replace("{i}", str(len(copies)))
        used += len(copy) + margin * (copy.count("\n") + 1)
        if used > room:
            return "\n".join(copies)
        copies.append(copy)
