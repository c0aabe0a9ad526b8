"""
The default gas table: units per operation, one unit being about one nanosecond on a 3 GHz core (measured on compiled
code).

Names are those of the compiler's IR (`execution/compiler/ir.py`) and of what kernel and runtime charge as it arises.
Page and event costs stand for hashing and storing, which cost more than executing. A chain takes its table from its
spec, never from here.
"""

from __future__ import annotations

from collections.abc import Mapping

_CHEAP = (
    "copy.w copy.d add.w sub.w neg.w abs.w min.w max.w address.w low.d high.d join.d eq.w ne.w lt.w le.w gt.w ge.w "
    "eq.d ne.d lt.d le.d gt.d ge.d not.w and.w or.w"
)
_OPERATIONS = dict.fromkeys(_CHEAP.split(), 1) | {
    "mul.w": 2, "floordiv.w": 9, "mod.w": 9,
    "add.d": 2, "sub.d": 2, "neg.d": 2, "abs.d": 2, "min.d": 2, "max.d": 2, "to_d.w": 2,
    "mul.d": 15, "mul_up.d": 15, "mul_down.d": 15, "floor.d": 15, "ceil.d": 15, "round.d": 15,
    "div_int.w": 40, "floordiv.d": 50, "mod.d": 50,
    "div.d": 60, "div_up.d": 60, "div_down.d": 60, "mul_div.d": 60, "mul_div_up.d": 60, "mul_div_down.d": 60,
    "sqrt.d": 40, "exp.d": 45, "ln.d": 50, "log2.d": 50, "pow.d": 85, "norm_pdf.d": 40, "norm_cdf.d": 30,
    "norm_inv.d": 260, "erf.d": 30,
}  # fmt: skip

_INSTRUCTIONS = {
    "load": 1, "store": 1, "touch": 2, "scratch_load": 1, "scratch_store": 1, "context": 2, "call": 4, "invoke": 120,
    "emit": 60, "at_end": 60, "service": 100, "reject": 150, "if": 1, "scope": 0, "loop": 1, "leave": 0, "try": 120,
    "keep": 10, "return": 1,
    "word": 1,  # each word packed or unpacked by invoke, emit and service
}  # fmt: skip

_RUNTIME = {
    "runtime:map_find": 25, "runtime:map_put": 60, "runtime:map_drop": 80, "runtime:omap_find": 40,
    "runtime:omap_put": 100, "runtime:omap_drop": 120, "runtime:omap_ceil": 40, "runtime:omap_floor": 40,
    "runtime:list_at": 8, "runtime:list_push": 25, "runtime:list_pop": 20,
    "runtime:container_free": 60, "runtime:runtime": 60,
}  # fmt: skip

_KERNEL = {
    "touch_line": 20,  # first write to 128 bytes under a mark: their copy for undo
    "dirty_page": 3_000,  # first write to a page in a block: its copy for rollback, its hash, its share of a checkpoint
    "probe": 5,  # each slot looked at beyond the fourth
    "zero_word": 1,  # each word zeroed by a deletion
    "emit_base": 150,  # an event: record, hash, store
    "emit_word": 10,
    "transaction_base": 30_000,  # decoding, signature, sequence, receipt
    "call_base": 500,  # each call of a transaction
    "argument_word": 5,
    "hook_base": 1_000,
    "sha256_block": 400,  # each 64 bytes hashed, padding included
    "deploy_base": 2_000_000,
    "deploy_byte": 30,  # each byte of source, compiled by every validator
}

GAS_TABLE: tuple[tuple[str, int], ...] = tuple(sorted((_OPERATIONS | _INSTRUCTIONS | _RUNTIME | _KERNEL).items()))


def instance_price(table: Mapping[str, int]) -> int:
    """Of a program that a program creates: its memories and its place in the tree, but nothing to compile."""
    return table["deploy_base"] // 4
