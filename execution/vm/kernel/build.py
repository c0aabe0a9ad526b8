"""
The kernel as a module: what it owns, shares and exports, emitted from its core Python into WASM.

Programs import memories, globals, tags and the functions of PROGRAM_EXPORTS from it; the host calls HOST_EXPORTS.
`MEMORIES` and `GLOBALS` are also what a mirror of the kernel under CPython is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execution.vm.core import CoreFunction
from execution.vm.core_wasm import Emitter, Names
from execution.vm.kernel import (
    administration,
    batch,
    creations,
    journal,
    outbox,
    places,
    requests,
    reversal,
    services,
    system,
    words,
)
from execution.vm.runtime import emit_runtime
from execution.vm.runtime.words import PRICES as RUNTIME_PRICES
from execution.wasm import ModuleBuilder, ValueType
from genesis.gas import instance_price

INTERFACE = 3
"""
Number of all that host and programs rely on: exports, memories, places in scratch and io, layout of the kernel's state.
Whoever changes one of them raises it, and drops from INTERFACES what this Tenor cannot run any more.
"""
INTERFACES = (INTERFACE,)
WASM_PAGE_BYTES = 1 << 16
STATE_PAGES_MAX = 16_384  # 1 GiB
MARKS_PAGES = 1024  # of 64 KiB: 8 bytes for each 128 of the largest state
UNDO_PAGES = 64  # at first; grows

MEMORIES: dict[str, tuple[int, int | None]] = {
    "scratch": (places.SCRATCH_BYTES // WASM_PAGE_BYTES, None),
    "undo": (UNDO_PAGES, None),
    "before": (UNDO_PAGES, None),
    "state": (1, STATE_PAGES_MAX),
    "marks": (MARKS_PAGES, MARKS_PAGES),
    "io": (places.IO_BYTES // WASM_PAGE_BYTES, None),
}
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
}
TAGS: dict[str, tuple[ValueType, ...]] = {"reject": ("i64",), "exhausted": ()}
TABLES = ("dispatch", "restore")

CONTAINERS = (
    "touch", "start", "mul.d", "map_find.k3.v27", "map_put.k3.v27", "list_at.v1", "list_push.v1", "map_find.k3.v2",
    "map_put.k3.v2",
    "map_find.k4.v1", "map_put.k4.v1", "map_find.k1.v60", "map_put.k1.v60", "map_put.k1.v1", "map_drop.k1.v1",
    "map_put.k2.v1",
    "map_drop.k2.v1", "omap_put.d.v2", "omap_drop.d.v2", "map_put.k4.v2", "map_drop.k4.v2", "map_put.k2.v4",
    "map_put.k1.v80", "map_drop.k1.v80",
    "map_find.k4.v3", "map_put.k4.v3", "map_drop.k4.v3", "omap_put.d.v1", "omap_drop.d.v1", "map_find.k1.v3",
    "map_put.k1.v3", "map_drop.k1.v3", "map_find.k1.v9", "map_put.k1.v9", "map_drop.k1.v9", "omap_find.d.v2",
    "omap_ceil.d.v2", "omap_after.d.v2", "map_find.k1.v8", "map_put.k1.v8", "map_drop.k1.v8", "map_find.k2.v18",
    "map_put.k2.v18", "map_drop.k2.v18", "queue_push.v10", "queue_pop.v10", "queue_free.v10",
)  # fmt: skip
"""Runtime functions of the kernel's own state, under the names `words` declares."""

PROGRAM_EXPORTS: dict[str, CoreFunction[..., Any]] = {
    "call": requests.call,
    "open_savepoint": journal.open_savepoint,
    "keep_savepoint": journal.keep_savepoint,
    "undo_savepoint": journal.undo_savepoint,
    "emit": outbox.emit,
    "at_end": outbox.at_end,
    "service": services.service,
}
HOST_EXPORTS: dict[str, CoreFunction[..., Any]] = {
    "init": batch.init,
    "open_block": batch.open_block,
    "run": batch.run,
    "recover": batch.recover,
    "sequence": batch.sequence,
    "before_length": reversal.before_length,
    "simulate_begin": reversal.simulate_begin,
    "simulate_end": reversal.simulate_end,
    "abandon": reversal.abandon,
    "rolled_back": reversal.rolled_back,
    "begin_system": system.begin_system,
    "system_call": system.system_call,
    "create_program": system.create_program,
    "pin": system.pin,
    "query": system.query,
    "creations": creations.creations,
    "take_creation": creations.take_creation,
    "tell_creation": creations.tell_creation,
    "upgrade_state": administration.upgrade_state,
    "upgrade_program": administration.upgrade_program,
    "tell_upgrade": administration.tell_upgrade,
}


def prices(table: Mapping[str, int]) -> dict[str, int]:
    """Of a chain's gas table, what kernel and runtime charge."""
    return {name: table[name] for name in (*RUNTIME_PRICES, *words.PRICES)} | {"instance": instance_price(table)}


def build_kernel(table: Mapping[str, int]) -> bytes:
    """The kernel's WASM for a gas table; equal tables give equal bytes."""
    builder = ModuleBuilder()
    memories = {name: builder.memory(*limits) for name, limits in MEMORIES.items()}
    variables = {name: builder.global_variable(kind, True, 0) for name, kind in GLOBALS.items()}
    tags = {name: builder.tag(kinds) for name, kinds in TAGS.items()}
    tables = {name: builder.table(places.PROGRAMS_MAX, places.PROGRAMS_MAX) for name in TABLES}
    inner = variables | {"self_index": builder.global_variable("i32", False, 0)}
    constants = prices(table)
    containers = emit_runtime(builder, Names(memories, inner, tags), CONTAINERS, constants)
    restore = emit_runtime(builder, Names(memories, inner, tags), ("restore",), constants)["restore"]
    known = {name.replace(".", "_"): index for name, index in containers.items()}
    emitter = Emitter(builder, Names(memories, inner, tags, tables, known))
    for name, function in (PROGRAM_EXPORTS | HOST_EXPORTS).items():
        builder.export(name, "function", emitter.function(function, **constants))
    builder.export("restore_line", "function", restore)
    builder.export("interface", "global", builder.global_variable("i32", False, INTERFACE))
    for kind, group in (("memory", memories), ("global", variables), ("tag", tags), ("table", tables)):
        for name, index in group.items():
            builder.export(f"{name}_table" if kind == "table" else name, kind, index)
    return builder.encode()
