"""A program module with nothing but runtime functions, in wasmtime, and the same functions over a mirror."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from typing import Any

import wasmtime

from execution.vm.core import CoreFunction
from execution.vm.core_mirror import Cell, Mirror
from execution.vm.core_wasm import Emitter, Names
from execution.vm.runtime import emit_runtime, mirror_runtime, program_mirror, tables_of
from execution.vm.runtime.barrier import LINE_RECORD_BYTES
from execution.wasm import ModuleBuilder

PRICES = {"touch_line": 60, "dirty_page": 3_000, "probe": 5, "zero_word": 1}
STATE_MAX = 512 << 20
VARIABLES = {
    "gas": "i64",
    "mark": "i64",
    "block_mark": "i64",
    "undo_top": "i32",
    "before_top": "i32",
    "owed": "i64",
    "paying": "i32",
}
START = {"gas": 1 << 50, "mark": 2, "block_mark": 1, "undo_top": 0, "before_top": 0, "owed": 0, "paying": 0}


class Wasm:
    """The module, instantiated; `call` by name of the runtime function or of an extra core function."""

    def __init__(
        self, functions: Sequence[str], extra: Sequence[CoreFunction[..., Any]] = (), data_pages: int = 16
    ) -> None:
        builder = ModuleBuilder()
        memories = {
            "state": builder.memory(1, STATE_MAX >> 16),
            "marks": builder.memory(STATE_MAX >> 7 << 3 >> 16),
            "undo": builder.memory(1),
            "before": builder.memory(1),
            "data": builder.memory(data_pages),
            "tables": builder.memory(1),
        }
        builder.data(memories["tables"], tables_of(functions))
        variables = {name: builder.global_variable(kind, True, START[name]) for name, kind in VARIABLES.items()}
        variables["self_index"] = builder.global_variable("i32", False, 3)
        names = Names(memories, variables, {"reject": builder.tag(("i64",)), "exhausted": builder.tag(())})
        emitter = Emitter(builder, names)
        exported = emit_runtime(builder, names, functions, PRICES)
        exported |= {function.name: emitter.function(function, **PRICES) for function in extra}
        for name, index in exported.items():
            builder.export(name, "function", index)
        for name, index in memories.items():
            builder.export(name, "memory", index)
        for name, index in variables.items():
            builder.export(name, "global", index)
        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.wasm_wide_arithmetic = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.module = builder.encode()
        self.exports = wasmtime.Instance(self.store, wasmtime.Module(engine, self.module), []).exports(self.store)

    def call(self, name: str, *arguments: int) -> Any:
        return self.exports[name](self.store, *arguments)

    def get(self, name: str) -> int:
        return int(self.exports[name].value(self.store))

    def put(self, name: str, value: int) -> None:
        kind = wasmtime.Val.i64 if VARIABLES[name] == "i64" else wasmtime.Val.i32
        self.exports[name].set_value(self.store, kind(value))

    def read(self, memory: str, start: int, end: int) -> bytes:
        base = ctypes.addressof(self.exports[memory].data_ptr(self.store).contents)
        assert end <= self.exports[memory].data_len(self.store)
        return ctypes.string_at(base + start, end - start)

    def write(self, memory: str, start: int, data: bytes) -> None:
        self.exports[memory].write(self.store, data, start)


class Twin:
    """The mirror with the same start."""

    def __init__(self, functions: Sequence[str]) -> None:
        self.cells = {name: Cell(value) for name, value in START.items()}
        shared = {"undo": bytearray(1 << 16), "before": bytearray(1 << 16)}
        self.mirror: Mirror = program_mirror(shared, self.cells, 3, 1 << 16, STATE_MAX)
        self.functions: dict[str, Callable[..., Any]] = mirror_runtime(self.mirror, functions, PRICES)

    def call(self, name: str, *arguments: int) -> Any:
        return self.functions[name](*arguments)

    def undo(self, start: int) -> None:
        """Take back the lines journalled from there on, the newest first; needs "restore" among the functions."""
        top = self.cells["undo_top"]
        while top.value > start:
            top.value -= LINE_RECORD_BYTES
            (line,) = struct.unpack_from("<I", self.mirror.memories["undo"], top.value + 4)
            self.call("restore", line, top.value + 8)
