"""Core Python means the same in WASM and under CPython; what is not core Python is refused with a line."""

from __future__ import annotations

import random
from typing import Any

import pytest
import wasmtime

from execution.vm.core import CoreError, CoreFunction, core, i32, i64
from execution.vm.core_mirror import Cell, Mirror
from execution.vm.core_wasm import Emitter, Names
from execution.wasm import ModuleBuilder
from tests.vm import core_samples as samples

EDGES = (0, 1, 2, 3, -1, -2, 63, 64, 1 << 31, (1 << 31) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63), 0x123456789ABCDEF)


class Both:
    """One function in both machines."""

    def __init__(self, function: CoreFunction[..., Any], **constants: int) -> None:
        builder = ModuleBuilder()
        memories = {"left": builder.memory(1), "right": builder.memory(1)}
        variables = {
            "counter": builder.global_variable("i64", True, 0),
            "small": builder.global_variable("i32", True, 0),
        }
        tags = {"reject": builder.tag(("i64",)), "exhausted": builder.tag(())}
        index = Emitter(builder, Names(memories, variables, tags)).function(function, **constants)
        builder.export("run", "function", index)
        for name, number in memories.items():
            builder.export(name, "memory", number)
        for name, number in variables.items():
            builder.export(name, "global", number)
        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.wasm_wide_arithmetic = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, wasmtime.Module(engine, builder.encode()), []).exports(self.store)
        self.mirror = Mirror(
            {"left": bytearray(1 << 16), "right": bytearray(1 << 16)}, {"counter": Cell(0), "small": Cell(0)}
        )
        self.run = self.mirror.function(function, **constants)

    def agree(self, *arguments: int) -> int:
        expected = self.run(*arguments)
        assert self.exports["run"](self.store, *arguments) == expected
        return int(expected)


def test_operations_agree() -> None:
    both = Both(samples.mixture)
    numbers = random.Random(1)
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += [(numbers.getrandbits(64) - (1 << 63), numbers.getrandbits(numbers.randint(1, 63))) for _ in range(300)]
    for a, b in pairs:
        both.agree(a, b)


def test_loops_agree() -> None:
    both = Both(samples.collatz)
    assert both.agree(27) == 121
    for n in (1, 2, 3, 5, 7, 97, -5):
        both.agree(n)


def test_words_and_constants_of_generation() -> None:
    assert Both(samples.weigh, K=3).agree(1, 2, 3) == 1 * 31 * 31 + 2 * 31 + 3
    assert Both(samples.weigh, K=2).agree(5, 6) == -(5 * 31 + 6)
    assert Both(samples.caller, K=1).agree(7) == (7 + 5 + 6) * 3


def test_memories_and_globals_agree() -> None:
    both = Both(samples.bytes_about)
    for address, value in ((0, -2), (100, 0x1122334455667788), (1000, 77)):
        both.agree(address, value)
    for name in ("left", "right"):
        memory = both.exports[name]
        assert memory.read(both.store, 0, 1 << 16) == both.mirror.memories[name]
    for name in ("counter", "small"):
        assert both.exports[name].value(both.store) == both.mirror.globals[name].value


def test_exceptions_agree() -> None:
    both = Both(samples.catcher)
    assert [both.agree(kind) for kind in (0, 1, 2, 5)] == [2000, 165, 7, 2015]


@core()
def no_return(a: i64) -> i64:
    while a:
        a = a - 1


@core()
def mixed_types(a: i64, b: i32) -> i64:
    return a + b


@core()
def retyped(a: i64) -> i64:
    a = i32(a)
    return 1


@core()
def floats(a: i64) -> i64:
    return a / 2


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (no_return, "without a return"),
        (mixed_types, "operands are"),
        (retyped, "a is i64, the value is i32"),
        (floats, "Div is not core Python"),
    ],
)
def test_what_is_not_core_python_is_refused(function: CoreFunction[..., Any], text: str) -> None:
    with pytest.raises(CoreError, match=text) as error:
        Mirror({}).function(function)
    assert "line" in str(error.value)
