"""
The runtime: what every program module brings along. Arithmetic, containers, write barrier, all in core Python.

`emit_runtime` puts the functions asked for, and what they call, into a module under construction; `mirror_runtime`
gives the same functions as CPython callables over a Mirror. Names are those of the IR: "mul.d", "map_find.k3.v4",
"list_at.v2", and "touch" (address, bytes), "restore" (line, undo address), "start" (heap). Operands and results are
words; a decimal is two, low first; "restore" takes two i32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from execution.mathematics.tables import BLOB
from execution.vm import core_tree
from execution.vm.core_mirror import WASM_PAGE_BYTES, Cell, Mirror
from execution.vm.core_types import instance, signature
from execution.vm.core_wasm import Emitter, Names
from execution.vm.layout import LINE_BYTES, MARK_BYTES
from execution.vm.runtime.names import TABLES_END, resolve
from execution.wasm import ModuleBuilder, ValueType

__all__ = ["emit_runtime", "mirror_runtime", "program_mirror", "runtime_signature", "tables_of"]


def _instance(name: str, prices: Mapping[str, int]) -> core_tree.Instance:
    function, constants = resolve(name)
    return instance(function, {**prices, **constants})


def runtime_signature(name: str, prices: Mapping[str, int]) -> tuple[tuple[ValueType, ...], tuple[ValueType, ...]]:
    """Parameter and result types of a runtime function."""
    params, results = signature(_instance(name, prices))
    return tuple(kind for _, kind in params), results


def emit_runtime(
    builder: ModuleBuilder, names: Names, functions: Iterable[str], prices: Mapping[str, int]
) -> dict[str, int]:
    """
    Emit runtime functions into a module and return their function indices by name; KeyError for an unknown name.

    Args:
        names: indices of the memories state, marks, undo, before, the globals gas, mark, block_mark, undo_top,
            before_top, owed, paying, self_index and the tags reject, exhausted.
        prices: the chain's gas table; of it the names in PRICES are used.
    """
    emitter = Emitter(builder, names)
    return {name: emitter.instance(_instance(name, prices)) for name in sorted(functions)}


def tables_of(functions: Iterable[str]) -> bytes:
    """What the memory `tables` holds in a module with these functions; nothing when none of them reads it."""
    return BLOB[: max((TABLES_END.get(name, 0) for name in functions), default=0)]


def mirror_runtime(
    mirror: Mirror, functions: Iterable[str], prices: Mapping[str, int]
) -> dict[str, Callable[..., Any]]:
    """The functions over a mirror: ints in, an int, a tuple or None out; `words.reject`, `words.exhausted` raised."""
    return {name: mirror.instance(_instance(name, prices)) for name in functions}


def program_mirror(
    shared: Mapping[str, bytearray], variables: Mapping[str, Cell], self_index: int, state_bytes: int, state_max: int
) -> Mirror:
    """
    A program's memories as CPython sees them, zero-filled, sharing the kernel's memories and globals.

    Args:
        shared: "undo" and "before".
        variables: the kernel's globals but self_index.
        state_bytes: size at first; state_max: what it may grow to.
    """
    state = bytearray(-(-state_bytes // WASM_PAGE_BYTES) * WASM_PAGE_BYTES)
    marks = bytearray(len(state) // LINE_BYTES * MARK_BYTES)
    memories = {**shared, "state": state, "marks": marks, "tables": bytearray(BLOB)}
    limits = {"state": state_max // WASM_PAGE_BYTES}
    return Mirror(memories, {**variables, "self_index": Cell(self_index)}, {}, limits)
