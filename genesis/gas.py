"""
The default gas table: units per operation. One unit is about 0.4 nanoseconds.

Measured by `tenor bench gas`, which does each of these in every way that makes a difference and tells nanoseconds per
unit; the dearest should stay below three times the median. A price is that of the worst case
(containers beyond the processor's caches, operands of full width), rounded. The cheapest are overpriced because a
unit is the least there is. Names are those of the compiler's IR (`execution/compiler/ir.py`) and of what kernel and
runtime charge as it arises. A chain takes its table from its spec, never from here.
"""

from __future__ import annotations

from collections.abc import Mapping

_CHEAP = (
    "copy.w copy.d add.w sub.w neg.w abs.w min.w max.w address.w low.d high.d join.d eq.w ne.w lt.w le.w gt.w ge.w "
    "eq.d ne.d lt.d le.d gt.d ge.d not.w and.w or.w add.d sub.d neg.d to_d.w"
)
_OPERATIONS = dict.fromkeys(_CHEAP.split(), 1) | {
    "mul.w": 2, "floordiv.w": 9, "mod.w": 9, "abs.d": 2, "min.d": 3, "max.d": 3,
    "mul.d": 15, "mul_up.d": 15, "mul_down.d": 15, "floor.d": 15, "ceil.d": 15, "round.d": 15,
    "div_int.w": 18, "floordiv.d": 27, "mod.d": 22,
    "div.d": 35, "div_up.d": 35, "div_down.d": 35, "mul_div.d": 45, "mul_div_up.d": 45, "mul_div_down.d": 45,
    "sqrt.d": 45, "exp.d": 50, "ln.d": 55, "log2.d": 55, "pow.d": 95, "norm_pdf.d": 45, "norm_cdf.d": 40,
    "norm_inv.d": 350, "erf.d": 40,
}  # fmt: skip

_INSTRUCTIONS = {
    "load": 1, "store": 1, "touch": 2, "scratch_load": 1, "scratch_store": 1, "context": 1, "call": 4, "invoke": 50,
    "emit": 60, "at_end": 60, "service": 300, "reject": 300, "if": 1, "scope": 0, "loop": 1, "leave": 0, "try": 170,
    "keep": 10, "return": 1,
    "word": 1,  # each word packed or unpacked by invoke, emit and service
    "link": 170,  # a step from an entry to the next: the processor waits for memory
    "service:quote": 60, "service:invariants": 60, "service:derive": 20, "service:schedule": 600,
}  # fmt: skip

_RUNTIME = {
    "runtime:map_find": 40, "runtime:map_put": 80, "runtime:map_drop": 130, "runtime:omap_find": 50,
    "runtime:omap_put": 120, "runtime:omap_drop": 120, "runtime:omap_ceil": 70, "runtime:omap_floor": 70,
    "runtime:omap_after": 70, "runtime:omap_before": 70, "runtime:omap_lowest": 70, "runtime:omap_highest": 70,
    "runtime:omap_next": 90, "runtime:omap_previous": 90,  # an entry as far away as along a link, but known ahead
    "runtime:list_at": 10, "runtime:list_push": 25, "runtime:list_pop": 20,
    "runtime:container_free": 60, "runtime:runtime": 60,
}  # fmt: skip

_KERNEL = {
    "touch_line": 80,  # first write to 128 bytes under a mark: their copy for undo
    "dirty_page": 8_000,  # first write to a page in a block: its copy for rollback, its hash, its share of a checkpoint
    "probe": 5,  # each slot looked at beyond the fourth; a level of an ordered map is 20
    "zero_word": 1,  # each word zeroed by a deletion
    "emit_base": 1_800,  # an event: record, hash, store
    "emit_word": 15,
    "transaction_base": 30_000,  # packing, sequence, receipt; the signature is checked beside, on other cores
    "call_base": 500,  # each call of a transaction
    "argument_word": 5,
    "hook_base": 2_500,  # made due, taken in its turn, paid by the purse: 1.5 to 2.3 µs, a crossing's the dearest
    "sha256_block": 500,  # each 64 bytes hashed, padding included
    "deploy_base": 2_000_000,
    "deploy_byte": 30,  # each byte of source, compiled by every validator
}

GAS_TABLE: tuple[tuple[str, int], ...] = tuple(sorted((_OPERATIONS | _INSTRUCTIONS | _RUNTIME | _KERNEL).items()))


def instance_price(table: Mapping[str, int]) -> int:
    """Of a program that a program creates: its memories and its place in the tree, but nothing to compile."""
    return table["deploy_base"] // 4
