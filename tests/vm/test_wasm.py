"""The encoder: what it writes is valid WASM and means what was asked; what is not on the list is refused."""

from __future__ import annotations

import pytest
import wasmtime

from execution.wasm import INSTRUCTIONS, ModuleBuilder, encode_instruction, signed, unsigned


def instantiate(module: bytes) -> tuple[wasmtime.Store, wasmtime.Instance]:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_wide_arithmetic = True
    config.wasm_multi_memory = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    return store, wasmtime.Instance(store, wasmtime.Module(engine, module), [])


def test_leb128_of_the_edges() -> None:
    assert unsigned(0) == b"\0" and unsigned(127) == b"\x7f" and unsigned(128) == b"\x80\x01"
    assert signed(-1) == b"\x7f" and signed(63) == b"\x3f" and signed(64) == b"\xc0\0" and signed(-64) == b"\x40"


def test_wide_product_and_multi_value() -> None:
    builder = ModuleBuilder()
    body = [("local.get", 0), ("local.get", 1), ("i64.mul_wide_s",)]
    builder.export("wide", "function", builder.function(("i64", "i64"), ("i64", "i64"), (), body))
    store, instance = instantiate(builder.encode())
    assert instance.exports(store)["wide"](store, -(1 << 62), 6) == [-(1 << 63), -2]


def test_a_throw_is_caught_with_its_value() -> None:
    builder = ModuleBuilder()
    tag = builder.tag(("i64",))
    thrower = builder.function((), (), (), [("i64.const", 77), ("throw", tag)])
    body = [
        ("block", ("i64",)),
        ("try_table", (), ((tag, 0),)),
        ("call", thrower),
        ("end",),
        ("i64.const", 1),
        ("end",),
    ]
    builder.export("caught", "function", builder.function((), ("i64",), (), body))
    store, instance = instantiate(builder.encode())
    assert instance.exports(store)["caught"](store) == 77


def test_memories_tables_and_globals_have_their_own_index_spaces() -> None:
    builder = ModuleBuilder()
    first, second = builder.memory(1), builder.memory(1, 2)
    table = builder.table(4)
    counter = builder.global_variable("i64", True, 5)
    builder.export("table", "table", table)
    seven = builder.function((), ("i64",), (), [("i64.const", 7)])
    builder.export("seven", "function", seven)
    body = [
        ("i32.const", 8),
        ("global.get", counter),
        ("i64.store", first, 8),
        ("i32.const", 64),
        ("i32.const", 16),
        ("i32.const", 8),
        ("memory.copy", second, first),
        ("i32.const", 0),
        ("i64.load", second, 64),
        ("i32.const", 2),
        ("call_indirect", builder.type((), ("i64",)), table),
        ("i64.add",),
    ]
    builder.export("sum", "function", builder.function((), ("i64",), (), body))
    store, instance = instantiate(builder.encode())
    exports = instance.exports(store)
    exports["table"].set(store, 2, exports["seven"])
    assert exports["sum"](store) == 12


@pytest.mark.parametrize("name", ["unreachable", "f64.add", "i64.trunc_f64_s"])
def test_an_instruction_off_the_list_is_refused(name: str) -> None:
    assert name not in INSTRUCTIONS
    with pytest.raises(AssertionError, match="not on the list"):
        encode_instruction((name,))


def test_imports_after_definitions_are_refused() -> None:
    builder = ModuleBuilder()
    builder.memory(1)
    with pytest.raises(AssertionError, match="imports of a memory"):
        builder.import_memory("k", "scratch", 1)
