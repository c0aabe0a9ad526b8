"""
Constant folding of typed expressions: module constants and defaults, with the exact meaning of ir.OPS.

Decimals are raw counts of 10⁻¹⁸. A fold that would be rejected at run time is a compile error with the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from execution.compiler import tree
from execution.mathematics import functions

SCALE = 10**18
WORD_MIN, WORD_MAX = -(2**63), 2**63 - 1
DECIMAL_MIN, DECIMAL_MAX = -(2**127), 2**127 - 1


class NotConstant(Exception):
    """The expression is not constant, or rejects: the text says which."""


def floor_ratio(a: int, b: int) -> int:
    if b == 0:
        raise NotConstant("division by zero")
    return a // b


def ceil_ratio(a: int, b: int) -> int:
    return -floor_ratio(-a, b)


def even_ratio(a: int, b: int) -> int:
    """a/b to the nearest integer, ties to even."""
    if b < 0:
        a, b = -a, -b
    quotient, rest = floor_ratio(a, b), a % b if b else 0
    return quotient + (2 * rest > b or (2 * rest == b and quotient % 2 == 1))


def root(a: int) -> int:
    if a < 0:
        raise NotConstant("invalid number")
    return isqrt(a * SCALE)


def computed(function: Callable[..., int], *args: int) -> int:
    """A function of `execution.mathematics`."""
    try:
        return function(*args)
    except functions.Refused as refused:
        raise NotConstant(refused.text) from None


FOLDS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul.w": lambda a, b: a * b,
    "mul.d": lambda a, b: even_ratio(a * b, SCALE),
    "mul_up.d": lambda a, b: ceil_ratio(a * b, SCALE),
    "mul_down.d": lambda a, b: floor_ratio(a * b, SCALE),
    "div.d": lambda a, b: even_ratio(a * SCALE, b),
    "div_up.d": lambda a, b: ceil_ratio(a * SCALE, b),
    "div_down.d": lambda a, b: floor_ratio(a * SCALE, b),
    "mul_div.d": lambda a, b, c: even_ratio(a * b, c),
    "mul_div_up.d": lambda a, b, c: ceil_ratio(a * b, c),
    "mul_div_down.d": lambda a, b, c: floor_ratio(a * b, c),
    "floordiv.w": floor_ratio,
    "floordiv.d": lambda a, b: floor_ratio(a, b) * SCALE,
    "mod": lambda a, b: a - floor_ratio(a, b) * b,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
    "div_int.w": lambda a, b: even_ratio(a * SCALE, b),
    "to_d.w": lambda a: a * SCALE,
    "floor.d": lambda a: a // SCALE,
    "ceil.d": lambda a: ceil_ratio(a, SCALE),
    "round.d": lambda a: even_ratio(a, SCALE),
    "sqrt.d": lambda a: root(a),
    "exp.d": lambda a: computed(functions.exp, a),
    "ln.d": lambda a: computed(functions.ln, a),
    "log2.d": lambda a: computed(functions.log2, a),
    "pow.d": lambda a, b: computed(functions.power, a, b),
    "norm_pdf.d": lambda a: computed(functions.norm_pdf, a),
    "norm_cdf.d": lambda a: computed(functions.norm_cdf, a),
    "norm_inv.d": lambda a: computed(functions.norm_inv, a),
    "erf.d": lambda a: computed(functions.erf, a),
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
    "not.w": lambda a: int(a == 0),
}
DECIMAL_RESULTS = frozenset({"div_int.w", "to_d.w"})
WORD_RESULTS = frozenset({"floor.d", "ceil.d", "round.d", "eq.d", "ne.d", "lt.d", "le.d", "gt.d", "ge.d"})


def fold(expression: tree.Expression) -> tuple[int, ...]:
    """
    The registers of a constant expression.

    Raises:
        NotConstant: it depends on state, arguments or context, or its evaluation rejects.
    """
    match expression:
        case tree.Literal(_, values):
            return values
        case tree.Join(_, items):
            return tuple(value for item in items for value in fold(item))
        case tree.Copy(_, value):
            return fold(value)
        case tree.Permute(_, items, places):
            folded = [fold(item) for item in items]
            return tuple(value for place in places for value in folded[place])
        case tree.Operation(_, name, args):
            return (fold_operation(name, tuple(fold(arg)[0] for arg in args)),)
        case tree.Choice(_, test, then, other):
            return fold(then) if fold(test)[0] else fold(other)
        case _:
            raise NotConstant("this is not a constant")


def fold_operation(name: str, args: tuple[int, ...]) -> int:
    """One operation of ir.OPS on numbers; NotConstant when it rejects or has no fold."""
    operation = FOLDS.get(name) or FOLDS.get(name.split(".")[0])
    if operation is None:
        raise NotConstant("this is not a constant")
    value = operation(*args)
    decimal = name in DECIMAL_RESULTS or (name.endswith(".d") and name not in WORD_RESULTS)
    low, high = (DECIMAL_MIN, DECIMAL_MAX) if decimal else (WORD_MIN, WORD_MAX)
    if not low <= value <= high:
        raise NotConstant("overflow")
    return value
