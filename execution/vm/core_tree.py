"""
The typed tree of a core Python function: what `core_front` makes of the source and both back ends read.

Names are resolved, constants of generation put in, types known. Operations carry the names of WASM instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from execution.vm.core import CoreFunction, Extern, Tag
from execution.wasm import ValueType

Kinds = tuple[ValueType, ...]
Instance = tuple[CoreFunction[..., Any], tuple[tuple[str, int], ...]]


@dataclass(frozen=True, slots=True)
class Const:
    """kind "" while no context has decided; then it counts as i64."""

    kind: ValueType
    value: int


@dataclass(frozen=True, slots=True)
class Get:
    kind: ValueType
    name: str


@dataclass(frozen=True, slots=True)
class GetGlobal:
    kind: ValueType
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A WASM instruction on its operands; memories are the memory immediates of a bulk instruction."""

    kinds: Kinds
    name: str
    args: tuple[Expression, ...]
    memories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """Always an i64; bits 8, 16, 32 are zero-extended. The address is an i32."""

    bits: int
    memory: str
    address: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    kinds: Kinds
    target: Instance | Extern
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """Evaluates the condition, then only one of the two."""

    kind: ValueType
    condition: Expression
    then: Expression
    other: Expression


Expression = Const | Get | GetGlobal | Operation | Load | Call | Choose


@dataclass(frozen=True, slots=True)
class Assign:
    """One name for each result; values are all computed before the first is assigned."""

    names: tuple[str, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class SetGlobal:
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Store:
    """value is an i64 for every width."""

    bits: int
    memory: str
    address: Expression
    offset: int
    value: Expression


@dataclass(frozen=True, slots=True)
class Do:
    """Evaluate and drop the results."""

    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    condition: Expression
    then: Block
    other: Block


@dataclass(frozen=True, slots=True)
class While:
    """condition None: for ever. step runs after the body and on `continue`."""

    condition: Expression | None
    body: Block
    step: Block


@dataclass(frozen=True, slots=True)
class Jump:
    """kind: "break" or "continue" of the innermost loop."""

    kind: str


@dataclass(frozen=True, slots=True)
class Return:
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Throw:
    tag: type[Tag]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Handler:
    """name: the local that takes the tag's word, "" when it has none or nobody asks."""

    tag: type[Tag]
    name: str
    body: Block


@dataclass(frozen=True, slots=True)
class Try:
    body: Block
    handlers: tuple[Handler, ...]


Statement = Assign | SetGlobal | Store | Do | If | While | Jump | Return | Throw | Try
Block = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """local_kinds: the locals after the parameters, in order of first assignment; zero at first."""

    name: str
    params: tuple[tuple[str, ValueType], ...]
    results: Kinds
    local_kinds: tuple[tuple[str, ValueType], ...]
    body: Block


def kinds_of(expression: Expression) -> Kinds:
    match expression:
        case Operation(kinds) | Call(kinds):
            return kinds
        case Load():
            return ("i64",)
        case Const() | Get() | GetGlobal() | Choose():
            return (expression.kind or "i64",)


def falls_through(block: Sequence[Statement]) -> bool:
    """Whether control can reach the end of the block."""
    for statement in block:
        match statement:
            case Return() | Throw() | Jump():
                return False
            case If(_, then, other) if not falls_through(then) and not falls_through(other):
                return False
            case While(None, body) if not _breaks(body):
                return False
            case Try(body, handlers) if not falls_through(body) and not any(falls_through(h.body) for h in handlers):
                return False
    return True


def _breaks(block: Sequence[Statement]) -> bool:
    """Whether a break of the loop around the block occurs in it."""
    for statement in block:
        match statement:
            case Jump("break"):
                return True
            case If(_, then, other) if _breaks(then) or _breaks(other):
                return True
            case Try(body, handlers) if _breaks(body) or any(_breaks(handler.body) for handler in handlers):
                return True
    return False
