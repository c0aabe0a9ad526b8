"""
The default gas table: units for every operation of the IR; one unit is about one nanosecond on a 3 GHz core.

A chain takes its table from its spec; this one fills the spec of a new chain. Costs that depend on the data (pages
saved, probes, nodes walked) are charged by the runtime as they arise; here stands what a call of it costs at least.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from execution.compiler.ir import OPS

# Operations of OPS that take more than one unit.
_OPS = {
    "mul.w": 2,
    "floordiv.w": 9,
    "mod.w": 9,
    "add.d": 2,
    "sub.d": 2,
    "mul.d": 15,
    "mul_up.d": 15,
    "mul_down.d": 15,
    "div.d": 60,
    "div_up.d": 60,
    "div_down.d": 60,
    "mul_div.d": 60,
    "mul_div_up.d": 60,
    "mul_div_down.d": 60,
    "floordiv.d": 50,
    "mod.d": 50,
    "neg.d": 2,
    "abs.d": 2,
    "min.d": 2,
    "max.d": 2,
    "sqrt.d": 600,
    "div_int.w": 40,
    "to_d.w": 2,
    "floor.d": 15,
    "ceil.d": 15,
    "round.d": 15,
}

# Every other instruction, by the word it has in the text form.
_INSTRUCTIONS = {
    "load": 1,
    "store": 1,
    "touch": 2,
    "scratch_load": 1,
    "scratch_store": 1,
    "context": 2,
    "call": 4,
    "invoke": 120,
    "emit": 60,
    "at_end": 60,
    "service": 100,
    "reject": 150,
    "if": 1,
    "scope": 0,
    "loop": 1,
    "leave": 0,
    "try": 120,
    "keep": 10,
    "return": 1,
    "word": 1,  # each word packed or unpacked by invoke, emit and service
}

# Calls of the runtime, by kind and operation, whatever their shape; what they walk and save comes on top.
_RUNTIME = {
    "map_find": 25,
    "map_put": 60,
    "map_drop": 80,
    "omap_find": 40,
    "omap_put": 100,
    "omap_drop": 120,
    "omap_ceil": 40,
    "omap_floor": 40,
    "list_at": 8,
    "list_push": 25,
    "list_pop": 20,
    "container_free": 60,
    "runtime": 60,  # any other
}

# What the runtime charges as it goes.
_PRICES = {
    "touch_page": 600,  # a page saved under a new mark: 2 KiB copied now, its share of hashing and storing later
    "probe": 3,  # each slot of an index looked at beyond the fourth
    "zero_word": 1,  # each word given back
}

GAS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(OPS, 1)
    | _OPS
    | _INSTRUCTIONS
    | _PRICES
    | {f"runtime:{name}": units for name, units in _RUNTIME.items()}
)
