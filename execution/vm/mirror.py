"""
Kernel and programs under CPython: the same kernel source on bytearrays, programs interpreted from their IR.

For tests and for reading along: what a Machine does in WASM a Mirror does slowly, with the same bytes in every
memory, the same gas and the same roots but for the code hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from execution.compiler.interpret import Interpreted, instantiate
from execution.compiler.interpret_steps import Watch
from execution.compiler.ir import Module
from execution.vm.chain import Chain
from execution.vm.core_mirror import WASM_PAGE_BYTES, Cell, follow
from execution.vm.core_mirror import Mirror as Memories
from execution.vm.genesis import MakePlan
from execution.vm.host import Code
from execution.vm.kernel import build
from execution.vm.runtime import mirror_runtime

Restore = Callable[[int, int], Any]


class MirrorHost:
    """`host.Host` on bytearrays. modules: optimised IR of each program, by the code hash of its WASM."""

    def __init__(
        self,
        gas_table: Mapping[str, int],
        modules: Mapping[bytes, Module],
        wasm: bytes | None = None,
        watch: Watch | None = None,
    ) -> None:
        """
        wasm: the chain's kernel; it gives its hash alone here, for what is run is this Tenor's source. watch: counts
        the blocks that programs enter.
        """
        self._gas, self._modules, self._watch = gas_table, modules, watch
        self.kernel = build.build_kernel(gas_table) if wasm is None else wasm
        self.kernel_hash = sha256(self.kernel).digest()
        memories = {name: bytearray(pages * WASM_PAGE_BYTES) for name, (pages, _) in build.MEMORIES.items()}
        self._cells = {name: Cell(0) for name in build.GLOBALS}
        inner = {**self._cells, "self_index": Cell(0)}
        limits = {name: most for name, (_, most) in build.MEMORIES.items() if most is not None}
        constants = build.prices(gas_table)
        runtime = mirror_runtime(Memories(memories, inner, {}, limits), (*build.CONTAINERS, "restore"), constants)
        functions: dict[str, Callable[..., Any]] = {name.replace(".", "_"): run for name, run in runtime.items()}
        functions |= {"dispatch": self._dispatch, "restore": self._restore}
        kernel = Memories(memories, inner, functions, limits)
        self._memories: list[Mapping[str, bytearray]] = [memories]
        self._programs: list[Interpreted | None] = [None]
        self._kernel_restore: Restore = runtime["restore"]
        self._calls = {name: kernel.function(run, **constants) for name, run in build.HOST_EXPORTS.items()}
        self._exports = {name: kernel.function(run, **constants) for name, run in build.PROGRAM_EXPORTS.items()}

    def call(self, name: str, *arguments: int) -> int:
        return int(self._calls[name](*arguments) or 0)

    def add(self, code: Code) -> int:
        self.call("begin_system")
        number = len(self._programs)
        program = self._instantiate(code, number)
        self._programs.append(program)
        self._memories.append(program.mirror.memories)
        program.start()
        return number

    def replace(self, number: int, code: Code) -> object:
        before = self._programs[number]
        state = bytes(self._memories[number]["state"])
        self._put(number, self._instantiate(code, number))
        self.write(number, "state", 0, state)
        return before

    def reinstate(self, number: int, before: object) -> None:
        assert isinstance(before, Interpreted), "`replace` gave it"
        self._put(number, before)

    def _instantiate(self, code: Code, number: int) -> Interpreted:
        shared = {name: self._memories[0][name] for name in ("scratch", "undo", "before")}
        module = self._modules[code.code_hash]
        return instantiate(module, self._gas, number, shared, self._cells, self._exports, self._watch)

    def _put(self, number: int, program: Interpreted) -> None:
        """In place of the one there, with as much memory."""
        size = len(self._memories[number]["state"])
        self._programs[number] = program
        self._memories[number] = program.mirror.memories
        self.write(number, "state", size, b"")

    def drop(self, count: int) -> None:
        del self._programs[count:], self._memories[count:]

    def read(self, program: int, memory: str, offset: int, size: int) -> bytes:
        return bytes(self._memories[program][memory][offset : offset + size]).ljust(size, b"\x00")

    def state(self, program: int) -> memoryview:
        return memoryview(self._memories[program]["state"])

    def write(self, program: int, memory: str, offset: int, data: bytes) -> None:
        target = self._memories[program][memory]
        missing = offset + len(data) - len(target)
        if missing > 0:
            target.extend(bytes(-(-missing // WASM_PAGE_BYTES) * WASM_PAGE_BYTES))
            follow(self._memories[program], memory)
        target[offset : offset + len(data)] = data

    def _dispatch(self, number: int, selector: int, args: int, flags: int) -> None:
        program = self._programs[number]
        assert program is not None, "the kernel calls no program 0"
        program.dispatch(selector, args, flags)

    def _restore(self, number: int, page: int, source: int) -> None:
        program = self._programs[number]
        if program is None:
            self._kernel_restore(page, source)
        else:
            program.restore(page, source)


class Mirror(Chain):
    """`Executor` under CPython. modules, watch: as MirrorHost takes them."""

    def __init__(self, plan: MakePlan, modules: Mapping[bytes, Module], watch: Watch | None = None) -> None:
        super().__init__(lambda spec, kernel: MirrorHost(spec.gas, modules, kernel, watch), plan)
