"""What a next version may change in state, and what it is told when it changes more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution.compiler import compile_ir
from execution.compiler.abi import Abi
from execution.compiler.growth import difference
from execution.compiler.layout import GROWTH_BYTES, heap_start

HEAD = """from execution.lang import (
    Account, Array, Decimal, Enum, List, Map, Optional, OrderedMap, Program, ProgramRef, Queue, Record, Struct, external
)


class E(Enum):
    A = 0
    B = 1


class S(Struct):
    a: int
    e: E


class R(Record):
    a: int
    m: Map[Account, S]


class V(Program):
"""
FIELDS = """    a: int
    s: S
    o: Optional[S]
    x: Array[int, 3]
    m: Map[int, R]
    t: OrderedMap[Decimal, E]
    l: List[S]
    q: Queue[int]
"""
ENTRY = """
    @external
    def f(self) -> None:
        self.a = 1
"""
SOURCE = HEAD + FIELDS + ENTRY


def abi(text: str) -> Abi:
    return compile_ir({"p.py": text}, "p.py")[1]


def room() -> int:
    return heap_start(tuple((name, of) for name, of, _ in abi(SOURCE).fields))


def after(old: str, new: str) -> str:
    assert old in SOURCE
    return difference(abi(SOURCE), abi(SOURCE.replace(old, new)), room())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    q: Queue[int]\n", "    q: Queue[int]\n    b: int\n    c: Map[int, int]\n"),
        ("    B = 1\n", "    B = 1\n    C = 2\n"),
        ("self.a = 1", "self.a = 2"),
    ],
)
def test_what_goes_on(old: str, new: str) -> None:
    assert after(old, new) == ""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("    q: Queue[int]\n", "", "the field `q` is missing"),
        ("    a: int\n    s: S\n", "    s: S\n    a: int\n", "field 1 is `s`, it was `a`"),
        ("    q: Queue[int]\n", "    p: Queue[int]\n", "field 8 is `p`, it was `q`"),
        (
            "    x: Array[int, 3]",
            "    x: Array[int, 4]",
            "`x` is of type Array[int, 4], it was Array[int, 3]",
        ),
        ("    t: OrderedMap[Decimal, E]", "    t: Map[Decimal, E]", "`t` is of type Map"),
        ("    q: Queue[int]", "    q: Queue[Decimal]", "`q` is of type Queue[Decimal], it was Queue[int]"),
        ("    a: int\n    e: E\n", "    a: int\n    e: E\n    z: int\n", "`s` is of type S, it was S of other members"),
        ("    a: int\n    e: E\n", "    b: int\n    e: E\n", "`s` is of type S, it was S of other members"),
        (
            "    a: int\n    m: Map",
            "    a: Decimal\n    m: Map",
            "`m` is of type Map[int, R], it was Map[int, R] of",
        ),
        ("    A = 0\n    B = 1\n", "    B = 0\n    A = 1\n", "`s` is of type S, it was S of other members"),
    ],
)
def test_what_does_not(old: str, new: str, why: str) -> None:
    assert why in after(old, new)


def test_new_fields_have_room_that_the_first_version_left() -> None:
    old, more = abi(SOURCE), "".join(f"    m{n}: Map[int, int]\n" for n in range(GROWTH_BYTES // 128 + 8))
    why = difference(old, abi(SOURCE.replace("    q: Queue[int]\n", f"    q: Queue[int]\n{more}")), room())
    assert "ends at byte" in why and f"room up to {room()}" in why


def test_a_reference_is_an_address_through_whatever_interface() -> None:
    first, second = (HEAD + f"    p: ProgramRef[{name}]\n" + ENTRY.replace("a = 1", "f()") for name in ("V", "V"))
    old, new = abi(first.replace("self.f()", "return")), abi(second.replace("self.f()", "return"))
    assert difference(old, replace(new, name="W"), 1 << 16) == ""
