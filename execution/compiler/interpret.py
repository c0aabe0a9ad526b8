"""
The interpreter of the IR: a program that runs in Python, on the memories and kernel functions of a mirror.

The third leg beside CPython and WASM: same results, rejections, gas and bytes of state as the WASM that `write` makes
of the same module. Operations run on Python integers; containers are the runtime's own core Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from execution.compiler.interpret_arithmetic import Failure
from execution.compiler.interpret_blocks import Callee
from execution.compiler.interpret_kernel import read_word
from execution.compiler.interpret_steps import Ground, Watch
from execution.compiler.ir import Entry, Module
from execution.compiler.write_entries import TRADE
from execution.compiler.write_names import FLAG_KERNEL, FLAG_VIEW, STATE_PAGES_MAX
from execution.vm.core_mirror import WASM_PAGE_BYTES, Cell, Mirror
from execution.vm.kernel.places import CLASS
from execution.vm.runtime import program_mirror
from execution.vm.runtime.words import reason, reject

__all__ = ["Interpreted", "instantiate"]


class Interpreted:
    """A program instance: what the exports of its WASM module are, as methods, and its `mirror`."""

    def __init__(self, module: Module, gas: Mapping[str, int], mirror: Mirror, watch: Watch | None) -> None:
        self._module, self.mirror = module, mirror
        ground = Ground(mirror, gas, watch)
        self._entries = {entry.selector: entry for entry in module.entries}
        self._callees = {function.name: Callee(function) for function in module.functions}
        for function in module.functions:
            self._callees[function.name].decode(function, self._callees, ground)
        self._restore, self._start = (ground.function(name) for name in ("restore", "start"))

    def dispatch(self, selector: int, args: int, flags: int) -> None:
        """Run an entry on its packed arguments at scratch[args]; raises `reject` or `exhausted`."""
        entry = self._entries.get(selector & 0xFFFF_FFFF)
        if entry is None or not self._reachable(entry, flags):
            raise reject(reason("unknown entry"))
        try:
            self._callees[entry.function](args)
        except Failure as failure:
            raise reject(reason(failure.text)) from failure

    def _reachable(self, entry: Entry, flags: int) -> bool:
        if entry.hook and not flags & FLAG_KERNEL:
            return False
        if entry.view:
            return True
        if flags & FLAG_VIEW:
            return False
        if not entry.hook and entry.order + read_word(self.mirror.memories["scratch"], CLASS) > TRADE:
            raise reject(reason("order class"))
        return True

    def restore(self, page: int, source: int) -> None:
        """Copy undo[source] back over a page of state."""
        self._restore(page, source)

    def start(self) -> None:
        """Write the program record, journalled as any write."""
        self._start(self._module.heap)


def instantiate(
    module: Module,
    gas: Mapping[str, int],
    number: int,
    memories: Mapping[str, bytearray],
    cells: Mapping[str, Cell],
    functions: Mapping[str, Callable[..., Any]],
    watch: Watch | None = None,
) -> Interpreted:
    """
    A program instance on the kernel's memories, globals and functions, with state and marks of its own.

    Args:
        gas: the table the module was charged by; the runtime takes its own prices from it.
        number: the program's number, at least 1.
        functions: those of `write_names.FUNCTIONS`.
        watch: see `Ground`.
    """
    mirror = program_mirror(memories, cells, number, module.heap, STATE_PAGES_MAX * WASM_PAGE_BYTES)
    mirror.functions = functions
    return Interpreted(module, gas, mirror, watch)
