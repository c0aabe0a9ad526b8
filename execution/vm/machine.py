"""
Kernel and programs as WASM instances: the only file that imports wasmtime.

One engine and one cache of compiled modules per process, one store per machine. Memories never move once made (the
default reservation), so their base addresses are taken once and bytes pass by memmove. Whoever runs a Machine gives
its thread a native stack well above STACK_BYTES (`threading.stack_size(64 << 20)` before starting it) and stays on
that thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import wasmtime

from execution.vm.chain import Chain
from execution.vm.genesis import MakePlan
from execution.vm.host import Code, Trapped
from execution.vm.kernel import build
from execution.vm.layout import HEAP_TOP, STATE_BYTES_MAX
from genesis.errors import Corrupt, Invalid

STACK_BYTES = 2 << 20
"""
Native stack of one call into WASM: 16 programs of at most 64 KiB of frames, twice over. Also the most that wasmtime
takes.
"""
WASM_PAGE_BYTES = 1 << 16
LARGE_PAGE_BYTES = 2 << 20
LARGE_PROGRAMS = 8
"""
The first ones, which are the chain's own, get large pages from the beginning of their memories; unless somebody runs
chains of a few small programs, each of which would take 4 MiB and a millisecond to zero them.
"""
COPY_BYTES = 1 << 20
PROGRAM_MEMORIES = ("state", "marks")

_LIBC = ctypes.CDLL(None)
_MADV_HUGEPAGE = 14


@lru_cache(maxsize=1)
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    config.wasm_wide_arithmetic = True
    config.wasm_multi_memory = True
    config.wasm_bulk_memory = True
    config.max_wasm_stack = STACK_BYTES
    return wasmtime.Engine(config)


@lru_cache(maxsize=1)
def _ahead() -> dict[bytes, bytes]:
    """Machine code that this process was given, by the SHA-256 of the WASM it was made of."""
    return {}


def give_machine_code(made: Mapping[bytes, bytes]) -> None:
    """
    Spare this process the compiling of some modules.

    Args:
        made: by the SHA-256 of its WASM what `machine_code` gave. It runs unchecked, so it comes from where the
            sources come from. What another wasmtime or another processor made is left alone and compiled anew.
    """
    _ahead().update(made)


def machine_code(wasm: bytes) -> bytes:
    """What `compiled` makes, as bytes for wasmtime of this version on a processor like this one."""
    return bytes(compiled(wasm).serialize())


@lru_cache(maxsize=256)
def compiled(wasm: bytes) -> wasmtime.Module:
    """The machine code of a module; kept, for chains that create, drop and replay the same programs."""
    made = _ahead().get(sha256(wasm).digest())
    if made is not None:
        with suppress(wasmtime.WasmtimeError):
            return wasmtime.Module.deserialize(_engine(), made)
    return wasmtime.Module(_engine(), wasm)


def run_alone(text: str, size: int) -> bytes:
    """Run a module of WASM's text form that imports nothing: so many bytes of its memory after its export `run`."""
    store = wasmtime.Store(_engine())
    exports: Any = wasmtime.Instance(store, wasmtime.Module(_engine(), text), []).exports(store)
    exports["run"](store)
    return bytes(exports["memory"].read(store, 0, size))


def _advise_large_pages(base: int, small: bool) -> None:
    """
    Ask the kernel for 2 MiB pages where a memory will grow: state is read at random, and half of the time would go into
    address translation. Advice only; where there are none, nothing changes.

    small: not for the beginning; a program would take 2 MiB and milliseconds to zero them, however little it keeps.
    """
    if hasattr(_LIBC, "madvise"):
        start = (base // LARGE_PAGE_BYTES + 1) * LARGE_PAGE_BYTES if small else base
        _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(base + STATE_BYTES_MAX - start), _MADV_HUGEPAGE)


class _Memory:
    """A linear memory and where it lies."""

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory, small: bool = False) -> None:
        self._store, self._memory = store, memory
        self.base = ctypes.addressof(memory.data_ptr(store).contents)
        _advise_large_pages(self.base, small)

    def read(self, offset: int, size: int) -> bytes:
        return ctypes.string_at(self.base + offset, size)

    def size(self) -> int:
        return self._memory.data_len(self._store)

    def reach(self, size: int) -> None:
        """Grow until the memory has so many bytes; what is new is zero."""
        missing = size - self.size()
        if missing > 0:
            self._grow(-(-missing // WASM_PAGE_BYTES))

    def write(self, offset: int, data: bytes) -> None:
        self.reach(offset + len(data))
        ctypes.memmove(self.base + offset, data, len(data))

    def _grow(self, pages: int) -> None:
        self._memory.grow(self._store, pages)
        if ctypes.addressof(self._memory.data_ptr(self._store).contents) != self.base:
            raise Corrupt("A WASM memory moved when it grew; the engine relies on memories that stay in place.")


@dataclass(frozen=True, slots=True)
class _Instance:
    """A program, or the kernel, which has its functions elsewhere."""

    memories: dict[str, _Memory]
    dispatch: Any = None
    restore: Any = None
    start: Any = None


def _kernel_exports(store: wasmtime.Store, wasm: bytes) -> Any:
    """The instance's exports, once its interface is known to be one that this Tenor speaks."""
    try:
        module = compiled(wasm)
        found: dict[str, Any] = {item.name: item.type for item in module.exports}
        exports = wasmtime.Instance(store, module, []).exports(store)
    except wasmtime.WasmtimeError as error:
        raise Invalid(f"These bytes are no kernel: {error}", "bad_kernel") from error
    stated: Any = exports["interface"] if "interface" in found else None
    number = stated.value(store) if isinstance(stated, wasmtime.Global) else None
    spoken = ", ".join(map(str, build.INTERFACES))
    if number not in build.INTERFACES:
        raise Invalid(
            f"The chain's kernel has interface {number}, this Tenor speaks {spoken}; use a Tenor that speaks both.",
            "kernel_interface",
        )
    return exports


def check_kernel(wasm: bytes) -> None:
    """Raise Invalid unless the bytes are a kernel that this Tenor can run."""
    _kernel_exports(wasmtime.Store(_engine()), wasm)


class WasmHost:
    """`host.Host` on wasmtime."""

    def __init__(
        self, gas_table: Mapping[str, int], kernel: bytes | None = None, large_programs: int = LARGE_PROGRAMS
    ) -> None:
        """Raises Invalid "bad_kernel", or "kernel_interface" for a kernel of another interface."""
        self._store = wasmtime.Store(_engine())
        self._large_programs = large_programs
        self.kernel = build.build_kernel(gas_table) if kernel is None else kernel
        self.kernel_hash = sha256(self.kernel).digest()
        self._kernel = _kernel_exports(self._store, self.kernel)
        self._functions: dict[str, Any] = {name: self._kernel[name] for name in build.HOST_EXPORTS}
        self._tables: dict[str, Any] = {name: self._kernel[f"{name}_table"] for name in build.TABLES}
        memories = {name: self._memory(self._kernel, name) for name in build.MEMORIES}
        self._instances = [_Instance(memories)]
        self._tables["restore"].set(self._store, 0, self._kernel["restore_line"])

    def call(self, name: str, *arguments: int) -> int:
        try:
            return int(self._functions[name](self._store, *arguments) or 0)
        except wasmtime.Trap as trap:
            if trap.trap_code == wasmtime.TrapCode.STACK_OVERFLOW:
                raise Corrupt(f"The native stack ran out in {name}: {trap.message}") from trap
            raise Trapped(trap.message) from trap
        except wasmtime.WasmtimeError as error:
            raise Corrupt(f"The kernel's {name} failed outside WASM: {error}") from error

    def add(self, code: Code) -> int:
        number = len(self._instances)
        self.call("begin_system")
        made = self._instantiate(code, number)
        self._instances.append(made)
        self._enter(number, made)
        made.start(self._store)
        return number

    def replace(self, number: int, code: Code) -> object:
        before = self._instances[number]
        made = self._instantiate(code, number)
        top = int.from_bytes(before.memories["state"].read(HEAP_TOP, 8), "little")
        for at in range(0, top, COPY_BYTES):
            made.memories["state"].write(at, before.memories["state"].read(at, min(COPY_BYTES, top - at)))
        self._put(number, made)
        return before

    def reinstate(self, number: int, before: object) -> None:
        assert isinstance(before, _Instance), "`replace` gave it"
        self._put(number, before)

    def drop(self, count: int) -> None:
        for number in range(count, len(self._instances)):
            for table in self._tables.values():
                table.set(self._store, number, None)
        del self._instances[count:]

    def _instantiate(self, code: Code, number: int) -> _Instance:
        module = compiled(code.wasm)
        exports = wasmtime.Instance(self._store, module, self._imports(module, number)).exports(self._store)
        small = number > self._large_programs
        memories = {name: self._memory(exports, name, small) for name in PROGRAM_MEMORIES}
        return _Instance(memories, exports["dispatch"], exports["restore"], exports["start"])

    def _put(self, number: int, instance: _Instance) -> None:
        """In place of the one there, with as much memory: what the block's journal names can be read."""
        instance.memories["state"].reach(self._instances[number].memories["state"].size())
        self._instances[number] = instance
        self._enter(number, instance)

    def _enter(self, number: int, instance: _Instance) -> None:
        """Into the tables by which the kernel reaches it."""
        self._tables["dispatch"].set(self._store, number, instance.dispatch)
        self._tables["restore"].set(self._store, number, instance.restore)

    def read(self, program: int, memory: str, offset: int, size: int) -> bytes:
        return self._instances[program].memories[memory].read(offset, size)

    def state(self, program: int) -> memoryview:
        base = self._instances[program].memories["state"].base
        return memoryview((ctypes.c_ubyte * STATE_BYTES_MAX).from_address(base)).cast("B")

    def write(self, program: int, memory: str, offset: int, data: bytes) -> None:
        self._instances[program].memories[memory].write(offset, data)

    def _memory(self, exports: Any, name: str, small: bool = False) -> _Memory:
        return _Memory(self._store, exports[name], small)

    def _imports(self, module: wasmtime.Module, number: int) -> list[Any]:
        """What the module asks of "k": the kernel's exports, and its own number."""
        kind = wasmtime.GlobalType(wasmtime.ValType.i32(), False)
        own = wasmtime.Global(self._store, kind, wasmtime.Val.i32(number))
        return [own if item.name == "self_index" else self._kernel[str(item.name)] for item in module.imports]


class Machine(Chain):
    """`Executor` on WASM."""

    def __init__(self, plan: MakePlan, large_programs: int = LARGE_PROGRAMS) -> None:
        super().__init__(lambda spec, kernel: WasmHost(spec.gas, kernel, large_programs), plan)
