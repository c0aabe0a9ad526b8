"""
What the operators of an instrumented program mean: ints are signed 64-bit words, checked; other types keep their own
operators.

`int / int` is a Decimal, half to even. Failures: "overflow", "division by zero". Order of evaluation is Python's,
since every operator becomes one call with its operands in place; augmented assignment keeps its statement and wraps
its right side in an `Operand`, so that a target's container and key are evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

from execution.lang.ambient import engine
from execution.lang.decimal import DECIMAL, SCALE, Decimal, even_ratio, floor_ratio, raw_of, word
from execution.lang.entries import signature_of
from execution.lang.kinds import Kind, OptionalKind, TupleKind, kind_of
from execution.lang.rejection import DIVISION_BY_ZERO, Rejected
from execution.lang.sequences import SequenceKind


def _checked(value: Any) -> Any:
    return word(value) if type(value) is int else value


def add(a: Any, b: Any) -> Any:
    return _checked(a + b)


def subtract(a: Any, b: Any) -> Any:
    return _checked(a - b)


def multiply(a: Any, b: Any) -> Any:
    return _checked(a * b)


def divide(a: Any, b: Any) -> Any:
    if type(a) is int and type(b) is int:
        return Decimal.from_raw(even_ratio(a * SCALE, b))
    return a / b


def floor_divide(a: Any, b: Any) -> Any:
    if type(a) is int and type(b) is int:
        return word(floor_ratio(a, b))
    return a // b


def modulo(a: Any, b: Any) -> Any:
    if b == 0 and type(a) is int and type(b) is int:
        raise Rejected(DIVISION_BY_ZERO)
    return a % b


def power(a: int, b: int) -> int:
    """Constants only."""
    return word(a**b)


def negate(a: Any) -> Any:
    return _checked(-a)


def absolute(a: Any) -> Any:
    return _checked(abs(a))


def minimum(*values: Any) -> Any:
    return min(*_alike(values))


def maximum(*values: Any) -> Any:
    return max(*_alike(values))


def decimal(value: Any) -> Any:
    """The value of a local annotated Decimal or Optional[Decimal]."""
    return Decimal(value) if type(value) is int else value


def shaped(value: Any, annotation: Any) -> Any:
    """The value of a local annotated Array or BoundedList."""
    return _convert(kind_of(annotation), value)


def _alike(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(type(value) is Decimal for value in values):
        return tuple(decimal(value) for value in values)
    return values


class Operand:
    """The right side of an augmented assignment."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __radd__(self, left: Any) -> Any:
        return add(left, self.value)

    def __rsub__(self, left: Any) -> Any:
        return subtract(left, self.value)

    def __rmul__(self, left: Any) -> Any:
        return multiply(left, self.value)

    def __rtruediv__(self, left: Any) -> Any:
        return divide(left, self.value)

    def __rfloordiv__(self, left: Any) -> Any:
        return floor_divide(left, self.value)

    def __rmod__(self, left: Any) -> Any:
        return modulo(left, self.value)


def savepoint() -> AbstractContextManager[None]:
    """Around the body of `try … except Rejected`."""
    return engine().savepoint()


def typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Convert ints to Decimals where a parameter or the result is declared so, and give sequences their type."""
    plan: list[tuple[tuple[str, ...], dict[str, Kind], Kind | None]] = []

    @wraps(function)
    def converted(*arguments: Any, **keywords: Any) -> Any:
        if not plan:
            plan.append(_plan(function))
        names, kinds, result = plan[0]
        values = [_convert(kinds.get(name), value) for name, value in zip(names, arguments, strict=False)]
        named = {name: _convert(kinds.get(name), value) for name, value in keywords.items()}
        return _convert(result, function(*values, *arguments[len(names) :], **named))

    return converted


def _plan(function: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Kind], Kind | None]:
    parameters, result = signature_of(function)
    count = function.__code__.co_argcount
    names = function.__code__.co_varnames[:count]
    kinds = {name: kind for name, kind in parameters.items() if _converts(kind)}
    return names, kinds, result if _converts(result) else None


def _converts(kind: Kind) -> bool:
    if isinstance(kind, OptionalKind):
        return _converts(kind.inner)
    if isinstance(kind, TupleKind):
        return any(_converts(member) for member in kind.members)
    return kind is DECIMAL or isinstance(kind, SequenceKind)


def _convert(kind: Kind | None, value: Any) -> Any:
    if isinstance(kind, TupleKind):
        return tuple(_convert(member, item) for member, item in zip(kind.members, value, strict=True))
    if isinstance(kind, SequenceKind):
        return kind.fresh(value)
    if isinstance(kind, OptionalKind) and value is not None:
        return _convert(kind.inner, value)
    if kind is None or not _converts(kind) or raw_of(value) is None:
        return value
    return decimal(value)
