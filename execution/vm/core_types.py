"""
What both halves of the front share: instances of functions, their signatures, and how constants take a type.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from typing import Any

from execution.vm import core_tree as t
from execution.vm.core import Bound, CoreError, CoreFunction, Parameter
from execution.wasm import ValueType


def instance(function: CoreFunction[..., Any] | Bound[..., Any], constants: Mapping[str, int]) -> t.Instance:
    """The function with those of the constants that it depends on."""
    if isinstance(function, Bound):
        return instance(function.function, {**constants, **function.constants})
    missing = sorted(name for name in function.parameters() if name not in constants)
    if missing:
        raise CoreError(f"{function.name}: constants {missing} are not given")
    return function, tuple((name, constants[name]) for name in sorted(function.parameters()))


@cache
def signature(of: t.Instance) -> tuple[tuple[tuple[str, ValueType], ...], t.Kinds]:
    """Parameters, rows of words expanded to name_0, name_1 …, and result types."""
    function, constants = of
    params: list[tuple[str, ValueType]] = []
    for argument in function.tree.args.args:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        if annotation == "Words":
            count: Any = function.word_counts[argument.arg]
            count = dict(constants)[count.name] if isinstance(count, Parameter) else count
            params += [(f"{argument.arg}_{i}", "i64") for i in range(count)]
        elif annotation in ("i32", "i64"):
            params.append((argument.arg, annotation))
        else:
            raise CoreError(f"{function.name}: parameter {argument.arg} is i32, i64 or Words, not {annotation!r}")
    text = ast.unparse(function.tree.returns) if function.tree.returns else "None"
    text = text.removeprefix("tuple[").removesuffix("]")
    results = () if text == "None" else tuple(text.split(", "))
    if any(kind not in ("i32", "i64") for kind in results):
        raise CoreError(f"{function.name}: results are i32 or i64, not {text!r}")
    return tuple(params), results


def wrapped(value: int, kind: ValueType) -> int:
    bits = 32 if kind == "i32" else 64
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def coerce(expression: t.Expression, kind: ValueType) -> t.Expression:
    if isinstance(expression, t.Const) and not expression.kind:
        return t.Const(kind, wrapped(expression.value, kind))
    return expression


def to_i32(expression: t.Expression) -> t.Expression:
    expression = coerce(expression, "i32")
    if t.kinds_of(expression) == ("i32",):
        return expression
    return t.Operation(("i32",), "i32.wrap_i64", (expression,))


def to_i64(expression: t.Expression, extend: str) -> t.Expression:
    expression = coerce(expression, "i64")
    if t.kinds_of(expression) == ("i64",):
        return expression
    return t.Operation(("i64",), f"i64.extend_i32_{extend}", (expression,))
