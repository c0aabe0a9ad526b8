"""
The outside of a program module: what it imports from the kernel ("k"), in which order, and under which indices.

Everything a program shares with the kernel is named here and nowhere else in the compiler; offsets in scratch are the
kernel's own (`places`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from execution.compiler.ir import SERVICES
from execution.wasm import Instruction, ModuleBuilder, ValueType

Code = list[Instruction]

KERNEL = "k"
SCRATCH, UNDO, BEFORE, STATE, MARKS, TABLES = range(6)
MEMORIES = {"scratch": SCRATCH, "undo": UNDO, "before": BEFORE, "state": STATE, "marks": MARKS, "tables": TABLES}
STATE_PAGES_MAX = 16_384  # of 64 KiB: 1 GiB
MARKS_PAGES = 1024  # of 64 KiB: 8 bytes for each 128 of the largest state

GLOBALS: dict[str, ValueType] = {
    "gas": "i64",
    "mark": "i64",
    "block_mark": "i64",
    "undo_top": "i32",
    "before_top": "i32",
    "sp": "i32",
    "frame": "i32",
    "owed": "i64",
    "paying": "i32",
    "self_index": "i32",
}
GLOBAL = {name: index for index, name in enumerate(GLOBALS)}
TAGS: dict[str, tuple[ValueType, ...]] = {"reject": ("i64",), "exhausted": ()}
REJECT, EXHAUSTED = range(2)

FUNCTIONS: dict[str, tuple[ValueType, ...]] = {
    "call": ("i64", "i64", "i64", "i32", "i32", "i32", "i32", "i64", "i32"),
    "open_savepoint": (),
    "keep_savepoint": (),
    "undo_savepoint": (),
    "emit": ("i32", "i32", "i32"),
    "at_end": ("i32", "i64", "i64", "i64"),
    "service": ("i32", "i32"),
}
IMPORTED = {name: index for index, name in enumerate(FUNCTIONS)}
SERVICE_NUMBERS = {name: number for number, name in enumerate(SERVICES)}

FLAG_VIEW = 1  # of `call` and `dispatch`
FLAG_KERNEL = 2  # of `dispatch`: the kernel itself calls


@dataclass(slots=True)
class Names:
    """Function indices of the module being written: runtime (by IR name), the module's own; IMPORTED before them."""

    builder: ModuleBuilder
    runtime: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)


def import_kernel(builder: ModuleBuilder, heap: int) -> Names:
    """Import everything, define and export the program's own memories."""
    names = Names(builder)
    for name in ("scratch", "undo", "before"):
        builder.import_memory(KERNEL, name, 1)
    for name, kind in GLOBALS.items():
        builder.import_global(KERNEL, name, kind, mutable=name != "self_index")
    for name, parameters in TAGS.items():
        builder.import_tag(KERNEL, name, parameters)
    for name, parameters in FUNCTIONS.items():
        builder.import_function(KERNEL, name, parameters, ())
    builder.export("state", "memory", builder.memory(-(-heap // 65_536), STATE_PAGES_MAX))
    builder.export("marks", "memory", builder.memory(MARKS_PAGES, MARKS_PAGES))
    return names
