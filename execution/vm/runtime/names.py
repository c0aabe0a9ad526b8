"""What a name of the IR stands for: a core function and its constants of generation."""

from __future__ import annotations

from typing import Any

from execution.vm.core import CoreFunction
from execution.vm.runtime import barrier, decimal, integer
from execution.vm.runtime.decimal import DOWN, HALF_EVEN, UP

Resolved = tuple[CoreFunction[..., Any], dict[str, int]]

_PLAIN: dict[str, CoreFunction[..., Any]] = {
    "touch": barrier.touch,
    "save": barrier.save,
    "restore": barrier.restore,
    "start": barrier.start,
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
    "sqrt.d": decimal.sqrt,
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


def resolve(name: str) -> Resolved:
    """KeyError when the runtime has no such function."""
    if name in _PLAIN:
        return _PLAIN[name], {}
    function, mode = _ROUNDED[name]
    return function, {"MODE": mode}
