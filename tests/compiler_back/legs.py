"""Two ways to run a module of the IR on the stub kernel: `WasmLeg` in wasmtime, `PythonLeg` in the interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import wasmtime

from execution.compiler.gas import GAS
from execution.compiler.interpret import instantiate
from execution.compiler.ir import Module
from execution.compiler.write import write
from execution.compiler.write_names import GLOBALS, TAGS
from execution.vm.core_mirror import Cell, Mirror
from execution.vm.core_wasm import Emitter, Names
from execution.wasm import ModuleBuilder
from tests.compiler_back import kernel_stub as stub

SCRATCH_BYTES = 0x40000
START_GAS = 10**6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves behind: status and reason, gas left, result words, the log, the journal's tops, the state."""

    status: int
    reason: int
    gas: int
    results: bytes
    log: bytes
    tops: tuple[int, ...]
    state: bytes


class Leg(Protocol):
    def run(self, selector: int, args: bytes, gas: int, flags: int = 0) -> Outcome: ...


def _outcome(scratch: bytes | bytearray, tops: dict[str, int], state: bytes | bytearray) -> Outcome:
    def word(address: int) -> int:
        return int.from_bytes(scratch[address : address + 8], "little", signed=True)

    log = bytes(scratch[stub.LOG : stub.LOG + word(stub.LOG_TOP)])
    results = bytes(scratch[stub.ARGS : stub.ARGS + 512])
    others = tuple(value for name, value in sorted(tops.items()) if name != "gas")
    return Outcome(word(stub.STATUS), word(stub.STATUS + 8), tops["gas"], results, log, others, bytes(state))


class PythonLeg:
    """The interpreter, and the stub kernel under CPython."""

    def __init__(self, module: Module) -> None:
        self._cells = {name: Cell(0) for name in GLOBALS if name != "self_index"}
        self._memories = {name: bytearray(0x10000) for name in ("undo", "before")}
        self._memories["scratch"] = bytearray(SCRATCH_BYTES)
        tables = {
            "dispatch": lambda _, *args: self.program.dispatch(*args),
            "restore": lambda _, *args: self.program.restore(*args),
        }
        kernel = Mirror(self._memories, self._cells, tables)
        functions = {name: kernel.function(function) for name, function in stub.FUNCTIONS.items()}
        self.program = instantiate(module, GAS, 1, self._memories, self._cells, functions)
        self._run = functions["run"]
        self._cells["gas"].value, self._cells["mark"].value = START_GAS, 1
        self.program.start()

    def run(self, selector: int, args: bytes, gas: int, flags: int = 0) -> Outcome:
        scratch = self._memories["scratch"]
        scratch[stub.ARGS : stub.ARGS + 512] = args.ljust(512, b"\0")
        self._run(selector, flags, gas)
        tops = {name: cell.value for name, cell in self._cells.items()}
        return _outcome(scratch, tops, self.program.mirror.memories["state"])

    def poke(self, address: int, data: bytes) -> None:
        self._memories["scratch"][address : address + len(data)] = data


def kernel_wasm() -> bytes:
    """The stub kernel with everything a program imports."""
    builder = ModuleBuilder()
    memories = {"scratch": builder.memory(4), "undo": builder.memory(1), "before": builder.memory(1)}
    tags = {name: builder.tag(parameters) for name, parameters in TAGS.items()}
    names = {name: builder.global_variable(kind, True, 0) for name, kind in GLOBALS.items() if name != "self_index"}
    index = builder.global_variable("i32", False, 1)
    tables = {name: builder.table(2, 2) for name in ("dispatch", "restore")}
    emitter = Emitter(builder, Names(memories, names, tags, tables))
    for kind, found in (
        ("memory", memories),
        ("tag", tags),
        ("global", {**names, "self_index": index}),
        ("table", tables),
    ):
        for name, number in found.items():
            builder.export(name, kind, number)
    for name, function in stub.FUNCTIONS.items():
        builder.export(name, "function", emitter.function(function))
    return builder.encode()


def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_wide_arithmetic = True
    config.wasm_multi_memory = True
    return wasmtime.Engine(config)


ENGINE = engine()
KERNEL = wasmtime.Module(ENGINE, kernel_wasm())


class WasmLeg:
    """The written module and the stub kernel in wasmtime."""

    def __init__(self, module: Module) -> None:
        self._store = wasmtime.Store(ENGINE)
        kernel = wasmtime.Instance(self._store, KERNEL, [])
        linker = wasmtime.Linker(ENGINE)
        linker.define_instance(self._store, "k", kernel)
        program = linker.instantiate(self._store, wasmtime.Module(ENGINE, write(module, GAS)))
        self._kernel = cast(Any, kernel.exports(self._store))
        self._program = cast(Any, program.exports(self._store))
        for name in ("dispatch", "restore"):
            self._kernel[name].set(self._store, 1, self._program[name])
        self._kernel["gas"].set_value(self._store, START_GAS)
        self._kernel["mark"].set_value(self._store, 1)
        self._program["start"](self._store)

    def run(self, selector: int, args: bytes, gas: int, flags: int = 0) -> Outcome:
        scratch = self._kernel["scratch"]
        scratch.write(self._store, args.ljust(512, b"\0"), stub.ARGS)
        signed = selector - (1 << 32) if selector >= 1 << 31 else selector
        self._kernel["run"](self._store, signed, flags, gas)
        tops = {name: self._kernel[name].value(self._store) for name in GLOBALS if name != "self_index"}
        state = self._program["state"]
        return _outcome(scratch.read(self._store), tops, state.read(self._store))

    def poke(self, address: int, data: bytes) -> None:
        self._kernel["scratch"].write(self._store, data, address)
