"""
Comparisons: each pushes an i32 truth value, which `write_ops` widens and an If takes as it is.

A decimal is less when its high word is, or when they are equal and its low word is, unsigned.
"""

from __future__ import annotations

from execution.compiler.ir import Const, Operand
from execution.compiler.write_body import Body

_WORDS = {"eq": "i64.eq", "ne": "i64.ne", "lt": "i64.lt_s", "le": "i64.le_s", "gt": "i64.gt_s", "ge": "i64.ge_s"}
TRUTHS = frozenset({f"{name}.{kind}" for name in _WORDS for kind in "wd"} | {"not.w"})


def write_truth(body: Body, name: str, args: tuple[Operand, ...]) -> None:
    """Push the i32 truth value of an operation of TRUTHS."""
    if name == "not.w":
        body.low(args[0])
        body.add("i64.eqz")
        return
    relation, _, kind = name.partition(".")
    left, right = args
    if kind == "w":
        body.low(left)
        body.low(right)
        body.add(_WORDS[relation])
    elif relation in ("eq", "ne"):
        _equal(body, left, right)
        if relation == "ne":
            body.add("i32.eqz")
    elif relation in ("lt", "ge"):
        _less(body, left, right)
        if relation == "ge":
            body.add("i32.eqz")
    else:
        _less(body, right, left)
        if relation == "le":
            body.add("i32.eqz")


def write_condition(body: Body, condition: Operand) -> None:
    """Push a truth value in a register as an i32."""
    body.low(condition)
    body.const(0)
    body.add("i64.ne")


def _equal(body: Body, left: Operand, right: Operand) -> None:
    body.low(left)
    body.low(right)
    body.add("i64.xor")
    body.high(left)
    body.high(right)
    body.add("i64.xor", "i64.or", "i64.eqz")


def _less(body: Body, left: Operand, right: Operand) -> None:
    body.high(left)
    body.high(right)
    body.add("i64.lt_s")
    if isinstance(right, Const) and right.value & ((1 << 64) - 1) == 0:
        return  # no low word is below zero
    body.low(left)
    body.low(right)
    body.add("i64.lt_u")
    body.high(left)
    body.high(right)
    body.add("i64.eq", "i32.and", "i32.or")
