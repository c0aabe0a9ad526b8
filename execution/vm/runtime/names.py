"""What a name of the IR stands for: a core function and its constants of generation."""

from __future__ import annotations

from typing import Any

from execution.mathematics.tables import EDGE_END, EXP_END, LOG_END, TAIL_END
from execution.vm.core import CoreFunction
from execution.vm.layout import ENTRY_BYTES_MAX, Shape, node_capacity
from execution.vm.runtime import (
    barrier,
    decimal,
    hash_map,
    hashing,
    integer,
    item_list,
    math_log,
    math_normal,
    math_power,
    math_root,
    ordered_map,
    ordered_walk,
    queue,
)
from execution.vm.runtime.decimal import DOWN, HALF_EVEN, UP

Resolved = tuple[CoreFunction[..., Any], dict[str, int]]

_PLAIN: dict[str, CoreFunction[..., Any]] = {
    "touch": barrier.touch,
    "save": barrier.save,
    "restore": barrier.restore,
    "start": barrier.start,
    "sha256": hashing.digest,
    "add.w": integer.add,
    "sub.w": integer.sub,
    "mul.w": integer.mul,
    "floordiv.w": integer.floordiv,
    "mod.w": integer.mod,
    "neg.w": integer.neg,
    "abs.w": integer.absolute,
    "min.w": integer.minimum,
    "max.w": integer.maximum,
    "add.d": decimal.add,
    "sub.d": decimal.sub,
    "neg.d": decimal.neg,
    "abs.d": decimal.absolute,
    "min.d": decimal.minimum,
    "max.d": decimal.maximum,
    "floordiv.d": decimal.floordiv,
    "mod.d": decimal.mod,
    "sqrt.d": math_root.sqrt,
    "to_d.w": decimal.to_decimal,
}

_ROUNDED: dict[str, tuple[CoreFunction[..., Any], int]] = {
    "mul.d": (decimal.mul, HALF_EVEN),
    "mul_up.d": (decimal.mul, UP),
    "mul_down.d": (decimal.mul, DOWN),
    "div.d": (decimal.div, HALF_EVEN),
    "div_up.d": (decimal.div, UP),
    "div_down.d": (decimal.div, DOWN),
    "mul_div.d": (decimal.mul_div, HALF_EVEN),
    "mul_div_up.d": (decimal.mul_div, UP),
    "mul_div_down.d": (decimal.mul_div, DOWN),
    "div_int.w": (decimal.div_int, HALF_EVEN),
    "floor.d": (decimal.to_integer, DOWN),
    "ceil.d": (decimal.to_integer, UP),
    "round.d": (decimal.to_integer, HALF_EVEN),
}

_MATHEMATICS: dict[str, Resolved] = {
    "exp.d": (math_power.exp, {}),
    "pow.d": (math_power.power, {}),
    "norm_pdf.d": (math_power.norm_pdf, {}),
    "ln.d": (math_log.raw_logarithm, {"SCALE": math_log.LN}),
    "log2.d": (math_log.raw_logarithm, {"SCALE": math_log.LOG2}),
    "norm_cdf.d": (math_normal.norm_cdf, {"DOUBLED": 0}),
    "norm_inv.d": (math_normal.norm_inv, {}),
    "erf.d": (math_normal.erf, {"DOUBLED": 1}),
}

TABLES_END: dict[str, int] = {
    "exp.d": EXP_END,
    "norm_pdf.d": EXP_END,
    "ln.d": LOG_END,
    "log2.d": LOG_END,
    "pow.d": LOG_END,
    "norm_cdf.d": TAIL_END,
    "erf.d": TAIL_END,
    "norm_inv.d": EDGE_END,
}
"""Bytes of the tables that a module has to hold for each function that reads them."""

_CONTAINERS: dict[str, CoreFunction[..., Any]] = {
    "map_find": hash_map.map_find,
    "map_put": hash_map.map_put,
    "map_drop": hash_map.map_drop,
    "map_free": hash_map.map_free,
    "omap_find": ordered_map.omap_find,
    "omap_put": ordered_map.omap_put,
    "omap_drop": ordered_map.omap_drop,
    "omap_free": ordered_map.omap_free,
    "omap_ceil": ordered_walk.omap_ceil,
    "omap_floor": ordered_walk.omap_floor,
    "omap_after": ordered_walk.omap_after,
    "omap_before": ordered_walk.omap_before,
    "omap_lowest": ordered_walk.omap_lowest,
    "omap_highest": ordered_walk.omap_highest,
    "omap_next": ordered_walk.omap_next,
    "omap_previous": ordered_walk.omap_previous,
    "list_at": item_list.list_at,
    "list_push": item_list.list_push,
    "list_pop": item_list.list_pop,
    "list_free": item_list.list_free,
    "queue_push": queue.queue_push,
    "queue_pop": queue.queue_pop,
    "queue_next": queue.queue_next,
    "queue_free": queue.queue_free,
}


def parse_shape(name: str) -> Shape:
    """The shape in a container function's name: "map_find.k3.v4", "omap_ceil.d.v9", "list_at.v2"."""
    operation, *parts = name.split(".")
    value_words = int(parts[-1].removeprefix("v"))
    match operation.split("_")[0], parts[0]:
        case "map", key:
            return Shape("map", int(key.removeprefix("k")), False, value_words)
        case "omap", "d":
            return Shape("omap", 2, True, value_words)
        case "omap", "k1":
            return Shape("omap", 1, False, value_words)
        case "queue", _:
            return Shape("queue", 0, False, value_words)
        case "list", _:
            return Shape("list", 0, False, value_words)
    raise KeyError(f"{name}: the key of an ordered map is one word (k1) or a decimal (d)")


def _container(name: str) -> Resolved:
    shape = parse_shape(name)
    assert shape.entry_bytes <= ENTRY_BYTES_MAX, f"{name}: an entry of {shape.entry_bytes} bytes does not fit a page"
    constants = {"K": shape.key_words, "E": shape.entry_bytes}
    if shape.kind == "omap":
        constants["N"] = node_capacity(shape.key_words)
    return _CONTAINERS[name.split(".")[0]], constants


def resolve(name: str) -> Resolved:
    """KeyError when the runtime has no such function."""
    if name in _PLAIN:
        return _PLAIN[name], {}
    if name.split(".")[0] in _CONTAINERS:
        return _container(name)
    if name in _MATHEMATICS:
        return _MATHEMATICS[name]
    function, mode = _ROUNDED[name]
    return function, {"MODE": mode}
