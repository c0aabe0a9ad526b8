"""Every arithmetic operation equals exact Python integers, in WASM and in the mirror, failures included."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest

from execution.vm.core import CoreFunction, Memory, core, i64, load64, store64
from execution.vm.core_types import instance, signature
from execution.vm.runtime.names import resolve
from execution.vm.runtime.words import DIVISION_BY_ZERO, INVALID_NUMBER, OVERFLOW, reject
from tests.vm.rig import PRICES, Twin, Wasm

DATA = Memory("data")
ONE = 10**18
RECORD = 64  # six operand words, then two result words
REJECTED = 0x7777777777777777

D_MIN, D_MAX = -(1 << 127), (1 << 127) - 1
W_MIN, W_MAX = -(1 << 63), (1 << 63) - 1


class Refused(Exception):
    pass


def half_even(n: int, d: int) -> int:
    q, r = divmod(n, d)  # floor
    double = 2 * abs(r) - abs(d)
    return q + (double > 0 or (double == 0 and q % 2 == 1))


def down(n: int, d: int) -> int:
    return n // d


def up(n: int, d: int) -> int:
    return -(-n // d)


def nonzero(value: int) -> int:
    if value == 0:
        raise Refused(DIVISION_BY_ZERO)
    return value


def root(a: int) -> int:
    if a < 0:
        raise Refused(INVALID_NUMBER)
    return math.isqrt(a * ONE)


MODEL: dict[str, Callable[..., int]] = {
    "add.d": lambda a, b: a + b,
    "sub.d": lambda a, b: a - b,
    "neg.d": lambda a: -a,
    "abs.d": abs,
    "min.d": min,
    "max.d": max,
    "mul.d": lambda a, b: half_even(a * b, ONE),
    "mul_up.d": lambda a, b: up(a * b, ONE),
    "mul_down.d": lambda a, b: down(a * b, ONE),
    "div.d": lambda a, b: half_even(a * ONE, nonzero(b)),
    "div_up.d": lambda a, b: up(a * ONE, nonzero(b)),
    "div_down.d": lambda a, b: down(a * ONE, nonzero(b)),
    "mul_div.d": lambda a, b, c: half_even(a * b, nonzero(c)),
    "mul_div_up.d": lambda a, b, c: up(a * b, nonzero(c)),
    "mul_div_down.d": lambda a, b, c: down(a * b, nonzero(c)),
    "floordiv.d": lambda a, b: a // nonzero(b) * ONE,
    "mod.d": lambda a, b: a % nonzero(b),
    "sqrt.d": root,
    "div_int.w": lambda a, b: half_even(a * ONE, nonzero(b)),
    "to_d.w": lambda a: a * ONE,
    "floor.d": lambda a: down(a, ONE),
    "ceil.d": lambda a: up(a, ONE),
    "round.d": lambda a: half_even(a, ONE),
    "add.w": lambda a, b: a + b,
    "sub.w": lambda a, b: a - b,
    "mul.w": lambda a, b: a * b,
    "floordiv.w": lambda a, b: a // nonzero(b),
    "mod.w": lambda a, b: a % nonzero(b),
    "neg.w": lambda a: -a,
    "abs.w": abs,
    "min.w": min,
    "max.w": max,
}


def expected(name: str, wide: bool, operands: tuple[int, ...]) -> int | Refused:
    try:
        value = MODEL[name](*operands)
    except Refused as refused:
        return refused
    low, high = (D_MIN, D_MAX) if wide else (W_MIN, W_MAX)
    return value if low <= value <= high else Refused(OVERFLOW)


def driver(operation: CoreFunction[..., Any], words: int, results: int) -> CoreFunction[..., Any]:
    """A loop over records in `data`, chosen by shape."""

    @core()
    def drive(count: i64) -> i64:
        done = 0
        while done < count:
            p = done * RECORD
            high = 0
            try:
                if words == 1:
                    if results == 1:
                        low = operation(load64(DATA, p))
                    else:
                        low, high = operation(load64(DATA, p))
                if words == 2:
                    if results == 1:
                        low = operation(load64(DATA, p), load64(DATA, p + 8))
                    else:
                        low, high = operation(load64(DATA, p), load64(DATA, p + 8))
                if words == 4:
                    low, high = operation(
                        load64(DATA, p), load64(DATA, p + 8), load64(DATA, p + 16), load64(DATA, p + 24)
                    )
                if words == 6:
                    low, high = operation(
                        load64(DATA, p),
                        load64(DATA, p + 8),
                        load64(DATA, p + 16),
                        load64(DATA, p + 24),
                        load64(DATA, p + 32),
                        load64(DATA, p + 40),
                    )
            except reject as refused:
                low = refused.value
                high = REJECTED
            store64(DATA, p + 48, low)
            store64(DATA, p + 56, high)
            done += 1
        return done

    return drive


def operand(numbers: random.Random, wide: bool) -> int:
    bits = numbers.choice(
        (3, 20, 40, 60, 62, 63, 64, 65, 90, 110, 126, 127) if wide else (2, 10, 31, 32, 33, 50, 62, 63)
    )
    low, high = (D_MIN, D_MAX) if wide else (W_MIN, W_MAX)
    match numbers.randrange(8):
        case 0:
            value = numbers.choice(
                (0, 1, -1, ONE, -ONE, ONE // 2, low, high, low + 1, high - 1, 1 << 63, 1 << 64, ONE * 3)
            )
        case 1:
            value = (1 << bits) + numbers.randint(-2, 2)
        case 2:
            value = numbers.randrange(1, 1000) * ONE // numbers.choice((1, 2, 4, 8))
        case _:
            value = numbers.getrandbits(bits)
    if numbers.random() < 0.5:
        value = -value
    return min(max(value, low), high)


@pytest.mark.parametrize("name", MODEL)
def test_equals_exact_integers(name: str) -> None:
    function, constants = resolve(name)
    params, kinds = signature(instance(function, {**PRICES, **constants}))
    takes_decimals = name.endswith(".d")
    arity = len(params) // (2 if takes_decimals else 1)
    bound: Any = function.bind(**constants)
    rig = Wasm([name], [driver(bound, len(params), len(kinds))], data_pages=21)
    twin = Twin([name])
    numbers = random.Random(name)
    count = 20_000
    rows = [tuple(operand(numbers, takes_decimals) for _ in range(arity)) for _ in range(count)]
    size = 16 if takes_decimals else 8
    packed = b"".join(
        b"".join(value.to_bytes(size, "little", signed=True) for value in row).ljust(RECORD, b"\0") for row in rows
    )
    rig.write("data", 0, packed)
    assert rig.call("drive", count) == count
    results = struct.iter_unpack("<48xqq", rig.read("data", 0, count * RECORD))
    for number, (row, (low, high)) in enumerate(zip(rows, results)):
        wanted = expected(name, len(kinds) == 2, row)
        if isinstance(wanted, Refused):
            assert (low, high) == (wanted.args[0], REJECTED), row
        elif len(kinds) == 2:
            assert (low & (1 << 64) - 1 | high << 64) == wanted, row
        else:
            assert low == wanted, row
        if number < 150:
            words = struct.unpack_from(f"<{len(params)}q", packed, number * RECORD)
            try:
                mirrored = twin.call(name, *words)
            except reject as refused:
                assert (refused.value, REJECTED) == (low, high)
            else:
                assert mirrored == ((low, high) if len(kinds) == 2 else low)
