"""
Failure as a program sees it: a reason, and the exception that carries it.

A reason is one word, the first 8 bytes of SHA-256 of its text read as a little-endian signed integer, so it is the
same word in every program and in WASM. The text travels along under CPython for people; comparison looks at the word
only.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from execution.lang.kinds import Kind, ValueKind

OVERFLOW = "overflow"
DIVISION_BY_ZERO = "division by zero"
MISSING_KEY = "missing key"
KEY_EXISTS = "key exists"
EMPTY = "empty"
INDEX = "index out of range"
LIST_FULL = "list is full"
OUT_OF_GAS = "out of gas"
CALL_DEPTH = "call depth"
ON_THE_STACK = "on the stack"
UNKNOWN_PROGRAM = "unknown program"
UNKNOWN_ENTRY = "unknown entry"
ORDER_CLASS = "order class"
BAD_ARGUMENT = "bad argument"
CHANGED_WHILE_ITERATING = "changed while iterating"
READ_ONLY = "read only"
NOT_AUTHORISED = "not authorised"
INVALID_NUMBER = "invalid number"
NO_PRICE = "no price"
TOO_MANY_PROGRAMS = "too many programs"
TOO_MANY_CROSSINGS = "too many crossings"


class Reason:
    """One signed 64-bit word; `text` is for people and "" when only the word is known."""

    __slots__ = ("text", "word")

    def __init__(self, word: int, text: str = "") -> None:
        self.word = word
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reason) and other.word == self.word

    def __hash__(self) -> int:
        return hash(self.word)

    def __repr__(self) -> str:
        return f"reason({self.text!r})" if self.text else f"Reason({self.word})"

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("reason", Reason, Reason(0), lambda value: value.word, Reason)


def reason(text: str) -> Reason:
    """The reason word of a text; equal texts give equal words in every program."""
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return Reason(int.from_bytes(digest[:8], "little", signed=True), text)


class Rejected(Exception):
    """A refusal: undoes the transaction, or the savepoint of the `try` that catches it."""

    def __init__(self, why: str | Reason) -> None:
        self.reason = reason(why) if isinstance(why, str) else why
        super().__init__(self.reason.text or hex(self.reason.word))


def require(condition: bool, why: str) -> None:
    """Go on only when the condition holds, else raise Rejected(why)."""
    if not condition:
        raise Rejected(why)


def reject(why: str) -> NoReturn:
    """raise Rejected(why), as an expression."""
    raise Rejected(why)
