"""
The mypy plug-in: `plugins = ["execution.lang.mypy_plugin"]` in the section [tool.mypy].

What Python's type system cannot say: `Array[int, 4]` has a number among its types, `replace` of a Struct takes the
members of that Struct, and storage is reached by paths (`mypy_borrows`).
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT, FuncDef, TypeInfo
from mypy.plugin import (
    AnalyzeTypeContext,
    ClassDefContext,
    FunctionContext,
    MethodContext,
    MethodSigContext,
    Plugin,
)
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    LiteralType,
    RawExpressionType,
    Type,
    TypeOfAny,
    UnionType,
)
from mypy.types import get_proper_type as proper

from execution.lang.mypy_borrows import RECORD, class_hook, container_hook, record_made

SEQUENCES = ("execution.lang.sequences.Array", "execution.lang.sequences.BoundedList")
STRUCT = "execution.lang.struct.Struct"
DECIMAL = "execution.lang.decimal.Decimal"


class TenorPlugin(Plugin):
    """What mypy asks for, by full names."""

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        return _sequence if fullname in SEQUENCES else None

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        return _replace if fullname.endswith(".replace") else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return container_hook(fullname)

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        symbol = self.lookup_fully_qualified(fullname)
        made = symbol.node if symbol is not None else None
        return record_made if isinstance(made, TypeInfo) and made.has_base(RECORD) else None

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        return class_hook(fullname)


def _sequence(context: AnalyzeTypeContext) -> Type:
    """Array[T, 4] as a class of T and Literal[4]; a constant in place of the number fits every number."""
    found = context.api.named_type(_full_name(context), [])
    arguments = context.type.args
    if len(arguments) != 2:
        context.api.fail(f"{context.type.name} takes a type and a number", context.context)
        return AnyType(TypeOfAny.from_error)
    size: Type = AnyType(TypeOfAny.special_form)
    if isinstance(arguments[1], RawExpressionType) and isinstance(arguments[1].literal_value, int):
        size = LiteralType(arguments[1].literal_value, context.api.named_type("builtins.int", []))
    return found.copy_modified(args=[context.api.analyze_type(arguments[0]), size])


def _full_name(context: AnalyzeTypeContext) -> str:
    return next(name for name in SEQUENCES if name.endswith(f".{context.type.name.rpartition('.')[2]}"))


def _replace(context: MethodSigContext) -> FunctionLike:
    """`replace` with the members of the struct as keywords, all optional; an int for a Decimal becomes one."""
    of = proper(context.type)
    made = of.type.get_method("__init__") if isinstance(of, Instance) and of.type.has_base(STRUCT) else None
    head = proper(made.type) if isinstance(made, FuncDef) else None
    if not isinstance(head, CallableType) or None in head.arg_names[1:]:
        return context.default_signature
    integer = context.api.named_generic_type("builtins.int", [])
    types = [UnionType([kind, integer]) if _decimal(kind) else kind for kind in head.arg_types[1:]]
    names = head.arg_names[1:]
    return context.default_signature.copy_modified(
        arg_types=types,
        arg_names=names,
        arg_kinds=[ARG_NAMED_OPT] * len(names),
        ret_type=context.type,
        name=f"replace of {of.type.name}" if isinstance(of, Instance) else None,
    )


def _decimal(of: Type) -> bool:
    kind = proper(of)
    return isinstance(kind, Instance) and kind.type.fullname == DECIMAL


def plugin(_version: str) -> type[Plugin]:
    return TenorPlugin
