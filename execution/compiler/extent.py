"""
How large a type is when it is written out, members each time they occur: what every walk over it costs.

Types are bounded by this where they are built, so that no walk over one, here or later, is a bomb.
"""

from __future__ import annotations

import ast

from execution.compiler import limits
from execution.compiler import types as t
from execution.compiler.errors import Source


def extent(of: t.Type) -> tuple[int, int]:
    """(types it consists of, levels it is nested); what containers hold is included."""
    match of:
        case t.StructType(_, fields) | t.RecordType(_, fields):
            inner = [member for _, member in fields]
        case t.TupleType(items):
            inner = list(items)
        case t.OptionalType(item) | t.ListType(item) | t.QueueType(item) | t.ArrayType(item):
            inner = [item]
        case t.MapType(key, value):
            inner = [key, value]
        case _:
            return 1, 1
    found = [extent(member) for member in inner]
    return 1 + sum(parts for parts, _ in found), 1 + max((levels for _, levels in found), default=0)


def check_extent(source: Source, node: ast.AST, of: t.Type) -> None:
    """
    Refuse a type beyond the bounds of `limits`.

    Raises:
        CompileError: it is nested too deeply, or consists of too many types.
    """
    parts, levels = extent(of)
    if levels > limits.TYPE_LEVELS_MAX:
        raise source.at(node, f"types are nested more than {limits.TYPE_LEVELS_MAX} deep here", "flatten them")
    if parts > limits.TYPE_PARTS_MAX:
        raise source.at(node, f"the type consists of more than {limits.TYPE_PARTS_MAX} types", "split it")
