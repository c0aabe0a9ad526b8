"""The functions have the same bits in WASM, over the mirror, in the IR's interpreter and in the language."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from execution import lang
from execution.compiler.interpret_arithmetic import MEANING, Failure
from execution.lang import Decimal, Rejected
from execution.vm.core_types import instance, signature
from execution.vm.runtime.names import resolve
from execution.vm.runtime.words import reason, reject
from node.bench.math_points import FUNCTIONS, RAW_MAX, Arguments, points
from tests.vm.rig import PRICES, Twin, Wasm
from tests.vm.test_decimal import RECORD, REJECTED, driver

COUNT = 12_000
MIRRORED = 60
Outcome = int | str


def anything(chance: random.Random) -> int:
    value = chance.getrandbits(chance.randrange(1, 128))
    return max(min(value if chance.random() < 0.5 else -value, RAW_MAX), -RAW_MAX - 1)


def rows_of(name: str) -> list[Arguments]:
    """Half from the bench, its edges thinned out; half without regard for the domain."""
    chance = random.Random(name)
    inside = list(islice(points(name, COUNT * 10, 9), 0, None, 20))
    arity = len(inside[0])
    wild = [tuple(anything(chance) for _ in range(arity)) for _ in range(COUNT // 2)]
    if name == "pow":
        whole = [(anything(chance), chance.randrange(-40, 40) * 10**18) for _ in range(COUNT // 8)]
        return inside + wild + whole + [(-x, y) for x, y in inside[:: COUNT // 500]]
    extremes = [(0,), (1,), (-1,), (RAW_MAX,), (-RAW_MAX - 1,), (1 << 63,), (1 << 64,), (1 << 66,), (-(1 << 66),)]
    return inside + wild + extremes


def interpreted(name: str, row: Arguments) -> Outcome:
    try:
        return MEANING[f"{name}.d"](*row)
    except Failure as failure:
        return failure.text


def spoken(name: str, row: Arguments) -> Outcome:
    try:
        value: Decimal = getattr(lang, name)(*map(Decimal.from_raw, row))
    except Rejected as refused:
        return refused.reason.text
    return value.raw


def compiled(name: str, rows: list[Arguments]) -> Iterator[tuple[int, int]]:
    """Low and high words of each result; the reason and REJECTED where there is none."""
    operation = f"{name}.d"
    function, constants = resolve(operation)
    params, results = signature(instance(function, {**PRICES, **constants}))
    bound: Any = function.bind(**constants)
    rig = Wasm([operation], [driver(bound, len(params), len(results))], data_pages=-(-len(rows) * RECORD >> 16))
    rig.write("data", 0, b"".join(b"".join(map(image, row)).ljust(RECORD, b"\0") for row in rows))
    assert rig.call("drive", len(rows)) == len(rows)
    return struct.iter_unpack("<48xqq", rig.read("data", 0, len(rows) * RECORD))


def image(raw: int) -> bytes:
    return raw.to_bytes(16, "little", signed=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_world_has_the_same_bits(name: str) -> None:
    rows = rows_of(name)
    twin = Twin([f"{name}.d"])
    for number, (row, (low, high)) in enumerate(zip(rows, compiled(name, rows), strict=True)):
        outcome = interpreted(name, row)
        if isinstance(outcome, str):
            assert (low, high) == (reason(outcome), REJECTED), row
        else:
            assert (low & (1 << 64) - 1 | high << 64) == outcome, row
        if number % (len(rows) // MIRRORED) == 0:
            assert spoken(name, row) == outcome
            try:
                mirrored = twin.call(f"{name}.d", *struct.unpack(f"<{2 * len(row)}q", b"".join(map(image, row))))
            except reject as refused:
                mirrored = refused.value, REJECTED
            assert mirrored == (low, high), row
