"""
Which function of the runtime stands for which name in the IR, with the constants it is generated with.

Used by `write`, which emits them into the program, and by the interpreter, which runs the same source in Python (the
barrier and the containers; arithmetic it does on its own).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from execution.vm.core import Bound, CoreFunction
from execution.vm.runtime import barrier, decimal, integer
from execution.vm.runtime.decimal import DOWN, HALF_EVEN, UP
from execution.vm.runtime.words import PRICES

Generated = tuple[CoreFunction[..., Any], Mapping[str, int]]

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
    "floor.d": (decimal.to_integer, DOWN),
    "ceil.d": (decimal.to_integer, UP),
    "round.d": (decimal.to_integer, HALF_EVEN),
}
_PLAIN: dict[str, CoreFunction[..., Any]] = {
    "floordiv.w": integer.floordiv,
    "mod.w": integer.mod,
    "floordiv.d": decimal.floordiv,
    "mod.d": decimal.mod,
    "sqrt.d": decimal.sqrt,
    "div_int.w": decimal.div_int,
}

# Operations of OPS that are calls.
OPERATIONS: Mapping[str, Generated] = MappingProxyType(
    {name: (function, {"MODE": mode}) for name, (function, mode) in _ROUNDED.items()}
    | {name: (function, {"MODE": HALF_EVEN}) for name, function in _PLAIN.items()}
)

BARRIER: Mapping[str, CoreFunction[..., Any]] = MappingProxyType(
    {"save": barrier.save, "touch": barrier.touch, "start": barrier.start, "restore": barrier.restore}
)


def prices(gas: Mapping[str, int]) -> dict[str, int]:
    """What the runtime charges by itself, as constants of generation."""
    return {name: gas[name] for name in PRICES}


def container_function(name: str) -> Bound[..., Any] | CoreFunction[..., Any]:
    """The specialised container function of an IR name, as "map_find.k3.v4"."""
    from execution.vm.runtime.containers import find

    return find(name)
