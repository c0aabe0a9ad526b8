"""What is exactly at a bound of the language is taken, one more is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from execution.compiler import CompileError, check_bundle, limits

HEAD = """from execution.lang import (
    Array, Bytes32, Enum, Event, Program, ProgramRef, create_like, emit, external, sha256,
)


{before}class P(Program):
{fields}
{methods}
"""


def program(*methods: str, fields: str = "    a: int", before: str = "") -> str:
    return HEAD.format(before=before, fields=fields, methods="\n".join(f"    {line}" for line in methods))


def members(count: int) -> str:
    return "".join(f"    m{number}: int\n" for number in range(count))


def entry(*body: str, takes: str = "") -> tuple[str, ...]:
    return ("@external", f"def run(self{takes}) -> None:", *(f"    {line}" for line in body))


def chain(count: int) -> str:
    functions = [f"def f{n}(self) -> int:\n        return self.f{n + 1}()\n" for n in range(count - 2)]
    last = f"def f{count - 2}(self) -> int:\n        return 1\n"
    return program(*entry("self.a = self.f0()"), "", *functions, last)


def loops(depth: int) -> str:
    return program(
        *entry(*(f"{' ' * 4 * n}for i{n} in range(2):" for n in range(depth)), f"{' ' * 4 * depth}self.a += 1")
    )


def creation(words: int) -> str:
    create = (f"def create(self, w: Array[int, {words}]) -> None:", "    self.a = w[0]", "")
    return program(*create, *entry("create_like(p, w)", takes=f", p: ProgramRef[P], w: Array[int, {words}]"))


def hashed(words: int) -> str:
    return program(*entry("self.h = sha256(1, w)", takes=f", w: Array[int, {words - 1}]"), fields="    h: Bytes32")


def packed(words: int) -> str:
    return program(*entry("self.a = b", takes=f", w: Array[int, {words - 1}], b: int"))


def emitted(words: int) -> str:
    return program(*entry("emit(V(", *["1,"] * words, "))"), before=f"class V(Event):\n{members(words)}\n\n")


def fields(count: int) -> str:
    return program(*entry("self.m0 = 1"), fields=members(count))


def enumerated(count: int) -> str:
    names = "".join(f"    M{number} = {number}\n" for number in range(count))
    return program(*entry("self.e = E.M1"), fields="    e: E", before=f"class E(Enum):\n{names}\n\n")


def parameters(count: int) -> str:
    """`self` is one of them."""
    takes = "".join(f",\n        p{number}: int" for number in range(count - 1))
    return program(*entry("self.a = p0", takes=takes))


def local(count: int) -> str:
    return program(*entry(*(f"v{number} = 1" for number in range(count)), "self.a = v0"))


BOUNDS: tuple[tuple[Callable[[int], str], int, str], ...] = (
    (chain, limits.CALL_CHAIN_MAX, "functions deep"),
    (loops, limits.LOOP_DEPTH_MAX, "loops are nested more than"),
    (creation, limits.CREATION_WORDS_MAX, "`create` of P takes more than"),
    (hashed, limits.HASHED_WORDS_MAX, "more than 128 words"),
    (packed, limits.PARAMETER_WORDS_MAX, "words cross the border"),
    (emitted, limits.EVENT_WORDS_MAX, "the event has more than"),
    (fields, limits.FIELDS_MAX, "more than 128 members"),
    (enumerated, limits.ENUM_MEMBERS_MAX, "an enum has 1 to"),
    (parameters, limits.PARAMETERS_MAX, "more than 32 parameters"),
    (local, limits.LOCALS_MAX, "the function has more than"),
)


@pytest.mark.parametrize(("source", "most", "refusal"), BOUNDS, ids=[source.__name__ for source, *_ in BOUNDS])
def test_the_most_is_taken_and_one_more_is_not(source: Callable[[int], str], most: int, refusal: str) -> None:
    check_bundle({"p.py": source(most)}, "p.py")
    with pytest.raises(CompileError, match=refusal):
        check_bundle({"p.py": source(most + 1)}, "p.py")
