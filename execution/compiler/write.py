"""
The last stage: a module of the IR becomes the bytes of a WASM module, with what it needs of the runtime inside.

Same module, same bytes. Runtime functions are emitted only when used, in order of their names.
Shape of the result: `write_names` (imports), `write_flow` (functions), `write_entries` (exports).
"""

from __future__ import annotations

from collections.abc import Mapping

from execution.compiler.ir import Instruction, Module, Op, Runtime
from execution.compiler.ir_walk import walk
from execution.compiler.write_entries import write_entries
from execution.compiler.write_flow import write_function
from execution.compiler.write_names import GLOBAL, IMPORTED, MEMORIES, TAGS, Names, import_kernel
from execution.compiler.write_ops import needs_call
from execution.vm.core_wasm import Names as CoreNames
from execution.vm.runtime import emit_runtime, tables_of
from execution.wasm import ModuleBuilder, ValueType

_TAGS = {name: index for index, name in enumerate(TAGS)}
_CORE_NAMES = CoreNames(memories=MEMORIES, globals=GLOBAL, tags=_TAGS, functions=IMPORTED)


def write(module: Module, gas: Mapping[str, int], inline: bool = True) -> bytes:
    """
    The WASM module of a checked and charged module.

    Args:
        gas: the table `optimise` charged by; the runtime's own prices are taken from it.
        inline: write small functions out where they are called; without, a third of the bytes in half of the time.
    """
    builder = ModuleBuilder()
    names = import_kernel(builder, module.heap)
    _emit_runtime(names, tuple(i for function in module.functions for i in walk(function.body)), gas)
    for function in module.functions:
        params = _kinds(tuple(param.kind for param in function.params))
        names.own[function.name] = builder.declare(params, _kinds(function.results))
    for function in module.functions:
        body = write_function(names, function)
        builder.define(names.own[function.name], body.locals, body.code)
    write_entries(names, module)
    return builder.encode(inline)


def _kinds(kinds: tuple[str, ...]) -> list[ValueType]:
    """A word is one i64, a decimal two."""
    return ["i64"] * sum(1 if kind == "w" else 2 for kind in kinds)


def _emit_runtime(names: Names, instructions: tuple[Instruction, ...], gas: Mapping[str, int]) -> None:
    """Emit the barrier, and the containers and the arithmetic that the instructions use."""
    used = {"touch", "save", "restore", "start"}
    used |= {i.name for i in instructions if isinstance(i, Runtime) or (isinstance(i, Op) and needs_call(i))}
    tables = tables_of(used)
    if tables:
        names.builder.data(names.builder.memory(1, 1), tables)
    names.runtime.update(emit_runtime(names.builder, _CORE_NAMES, used, gas))
