"""
The meaning of every operation of OPS, in Python integers: exact, or a Failure with its reason text.

What the constant folder and the interpreter run. Written apart from the runtime that the WASM calls, so that each
checks the other. Words are in [−2⁶³, 2⁶³), decimals in [−2¹²⁷, 2¹²⁷) counting 10⁻¹⁸.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isqrt
from types import MappingProxyType

from execution.compiler.ir import OPS
from execution.mathematics import functions

ONE = 10**18
WORD_MIN, WORD_MAX = -(1 << 63), (1 << 63) - 1
DECIMAL_MIN, DECIMAL_MAX = -(1 << 127), (1 << 127) - 1
_U64 = (1 << 64) - 1

Meaning = Callable[..., int]


class Failure(Exception):
    """An operation rejects its operands; `text` is the built-in reason."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def signed(value: int) -> int:
    """The low 64 bits as a signed word."""
    return ((value + (1 << 63)) & _U64) - (1 << 63)


def word(value: int) -> int:
    """The value when it fits a word; else Failure overflow."""
    if WORD_MIN <= value <= WORD_MAX:
        return value
    raise Failure("overflow")


def decimal(value: int) -> int:
    """The raw value when it fits a decimal; else Failure overflow."""
    if DECIMAL_MIN <= value <= DECIMAL_MAX:
        return value
    raise Failure("overflow")


def divide_floor(a: int, b: int) -> int:
    """Floor of a / b; Failure when b is 0."""
    if b == 0:
        raise Failure("division by zero")
    return a // b


def divide_ceil(a: int, b: int) -> int:
    """Ceiling of a / b; Failure when b is 0."""
    return -divide_floor(-a, b)


def divide_even(a: int, b: int) -> int:
    """a / b rounded to the nearest, ties to even; Failure when b is 0."""
    quotient = divide_floor(a, b)
    twice, divisor = 2 * abs(a - quotient * b), abs(b)
    return quotient + (twice > divisor or (twice == divisor and quotient & 1))


def _modulo(a: int, b: int) -> int:
    if b == 0:
        raise Failure("division by zero")
    return a % b


def _sqrt(a: int) -> int:
    if a < 0:
        raise Failure("invalid number")
    return isqrt(a * ONE)


def _function(function: Meaning) -> Meaning:
    """A function of `execution.mathematics` as the meaning of an operation."""

    def meaning(*args: int) -> int:
        try:
            return function(*args)
        except functions.Refused as refused:
            raise Failure(refused.text) from None

    return meaning


def _join(low: int, high: int) -> int:
    return (low & _U64) | (high << 64)


_WORDS: dict[str, Meaning] = {
    "copy.w": lambda a: a,
    "add.w": lambda a, b: word(a + b),
    "sub.w": lambda a, b: word(a - b),
    "mul.w": lambda a, b: word(a * b),
    "floordiv.w": lambda a, b: word(divide_floor(a, b)),
    "mod.w": _modulo,
    "neg.w": lambda a: word(-a),
    "abs.w": lambda a: word(abs(a)),
    "min.w": min,
    "max.w": max,
    "address.w": lambda a, b: signed(a + b),
    "div_int.w": lambda a, b: decimal(divide_even(a * ONE, b)),
    "to_d.w": lambda a: a * ONE,
    "not.w": lambda a: int(a == 0),
    "and.w": lambda a, b: a & b,
    "or.w": lambda a, b: a | b,
}

_DECIMALS: dict[str, Meaning] = {
    "copy.d": lambda a: a,
    "add.d": lambda a, b: decimal(a + b),
    "sub.d": lambda a, b: decimal(a - b),
    "mul.d": lambda a, b: decimal(divide_even(a * b, ONE)),
    "mul_up.d": lambda a, b: decimal(divide_ceil(a * b, ONE)),
    "mul_down.d": lambda a, b: decimal(a * b // ONE),
    "div.d": lambda a, b: decimal(divide_even(a * ONE, b)),
    "div_up.d": lambda a, b: decimal(divide_ceil(a * ONE, b)),
    "div_down.d": lambda a, b: decimal(divide_floor(a * ONE, b)),
    "mul_div.d": lambda a, b, c: decimal(divide_even(a * b, c)),
    "mul_div_up.d": lambda a, b, c: decimal(divide_ceil(a * b, c)),
    "mul_div_down.d": lambda a, b, c: decimal(divide_floor(a * b, c)),
    "floordiv.d": lambda a, b: decimal(divide_floor(a, b) * ONE),
    "mod.d": _modulo,
    "neg.d": lambda a: decimal(-a),
    "abs.d": lambda a: decimal(abs(a)),
    "min.d": min,
    "max.d": max,
    "sqrt.d": _sqrt,
    "exp.d": _function(functions.exp),
    "ln.d": _function(functions.ln),
    "log2.d": _function(functions.log2),
    "pow.d": _function(functions.power),
    "norm_pdf.d": _function(functions.norm_pdf),
    "norm_cdf.d": _function(functions.norm_cdf),
    "norm_inv.d": _function(functions.norm_inv),
    "erf.d": _function(functions.erf),
    "floor.d": lambda a: word(a // ONE),
    "ceil.d": lambda a: word(divide_ceil(a, ONE)),
    "round.d": lambda a: word(divide_even(a, ONE)),
    "low.d": signed,
    "high.d": lambda a: a >> 64,
    "join.d": _join,
}

_COMPARISONS: dict[str, Meaning] = {
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
}

MEANING: Mapping[str, Meaning] = MappingProxyType(
    _WORDS | _DECIMALS | {f"{name}.{kind}": meaning for name, meaning in _COMPARISONS.items() for kind in "wd"}
)
assert MEANING.keys() == OPS.keys()
