"""
Borrows and storage paths, as mypy is told of them by `mypy_plugin`.

Containers and records are reached by paths: a field that is one is never assigned, neither is stored as a value, copied
out by `get` or `pop`, made by a call, a member of a struct, or a parameter or result of an entry. Each message is the
one that the compiler gives for the same line. Local names, parameters and results of internal functions are borrows,
and stay allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mypy.errorcodes import ErrorCode
from mypy.nodes import (
    AssignmentStmt,
    CallExpr,
    ClassDef,
    Context,
    Decorator,
    Expression,
    FuncDef,
    NameExpr,
    RefExpr,
    TypeInfo,
    Var,
)
from mypy.plugin import ClassDefContext, FunctionContext, MethodContext
from mypy.types import CallableType, Instance, TupleType, Type, UnboundType, UnionType, get_proper_type

TENOR = ErrorCode("tenor", "Rules of Tenor's language", "Tenor")
RECORD = "execution.lang.struct.Record"
PROGRAM = "execution.lang.program.Program"
OWNERS = {PROGRAM, RECORD}
VALUES = {"execution.lang.struct.Struct", "execution.lang.struct.Event"}
ENTRIES = {f"execution.lang.program.{name}" for name in ("external", "view", "hook", "invariant", "migrate")}
MAPS = {"execution.lang.containers.Map", "execution.lang.containers.OrderedMap"}
LISTS = {"execution.lang.listing.List", "execution.lang.queue.Queue"}
CONTAINERS = MAPS | LISTS
COPIES = {"get", "pop", "append", "__setitem__"}
MAKERS = {"create", "obtain", "add"}
INSTEAD = {
    "get": "test `k in m`, then use m[k]",
    "pop": "use `del m[k]`",
    "append": "write l.add() and fill it",
    "__setitem__": "write m.create(key) or m.obtain(key) and fill it",
}


def container_hook(fullname: str) -> Callable[[MethodContext], Type] | None:
    """Of a method of a container."""
    owner, _, name = fullname.rpartition(".")
    if owner not in CONTAINERS or name not in COPIES | MAKERS:
        return None
    return lambda ctx: _container_method(ctx, name)


def class_hook(fullname: str) -> Callable[[ClassDefContext], None] | None:
    """Of a class with this base."""
    if fullname in OWNERS:
        return _owner_class
    return _value_class if fullname in VALUES else None


def _container_method(ctx: MethodContext, name: str) -> Type:
    container = get_proper_type(ctx.type)
    if isinstance(container, Instance) and container.args:
        held = container.args[-1]
        if name in COPIES and _in_storage(held):
            _say(ctx, f"{_spoken(name)}, this container holds {_title(held)}; {INSTEAD[name]}")
        if name in MAKERS and not _in_storage(held):
            what = "l.append(v)" if name == "add" else "m[k] = v"
            _say(ctx, f"`{name}` makes records and containers, this container holds {_title(held)}; write {what}")
    return ctx.default_return_type


def _spoken(name: str) -> str:
    return "what is stored in place is never assigned" if name == "__setitem__" else f"`{name}` copies values"


def record_made(ctx: FunctionContext) -> Type:
    _say(ctx, f"a record {_title(ctx.default_return_type)} exists only in a container; write m.create(key)")
    return ctx.default_return_type


# Classes


def _owner_class(ctx: ClassDefContext) -> None:
    """Programs and records: fields that are containers cannot be assigned, entries take and give flat values."""
    for statement, target, of in _declared(ctx.cls):
        if isinstance(target.node, Var) and _in_storage(of):
            target.node.is_final = statement.is_final_def = True
    for function in _entries(ctx.cls):
        described = function.type
        if isinstance(described, CallableType):
            for of in (*described.arg_types, described.ret_type):
                if _written_storage(ctx, of):
                    _say_class(ctx, f"{_title(of)} cannot enter or leave a program; pass flat values", function)


def _written_storage(ctx: ClassDefContext, of: Type) -> bool:
    """As `_in_storage`, of an annotation whose names are not bound yet."""
    if not isinstance(of, UnboundType):
        return _in_storage(of)
    symbol = ctx.api.lookup_qualified(of.name, of, suppress_errors=True)
    named = symbol.node if symbol is not None else None
    if isinstance(named, TypeInfo) and (named.fullname in CONTAINERS or named.has_base(RECORD)):
        return True
    return any(_written_storage(ctx, argument) for argument in of.args)


def _value_class(ctx: ClassDefContext) -> None:
    for _, target, of in _declared(ctx.cls):
        if _in_storage(of):
            _say_class(ctx, f"a member of type {_title(of)} is not possible in a struct; use a flat type", target)


def _declared(cls: ClassDef) -> Iterator[tuple[AssignmentStmt, NameExpr, Type]]:
    for statement in cls.defs.body:
        if isinstance(statement, AssignmentStmt) and statement.type is not None:
            for target in statement.lvalues:
                if isinstance(target, NameExpr):
                    yield statement, target, statement.type


def _entries(cls: ClassDef) -> Iterator[FuncDef]:
    """Methods that are called from outside; `create` is one without a decorator."""
    for statement in cls.defs.body:
        if isinstance(statement, FuncDef) and statement.name == "create":
            yield statement
        if isinstance(statement, Decorator) and any(_named(one) in ENTRIES for one in statement.original_decorators):
            yield statement.func


def _named(decorator: Expression) -> str:
    called = decorator.callee if isinstance(decorator, CallExpr) else decorator
    return called.fullname if isinstance(called, RefExpr) else ""


# Types


def _in_storage(of: Type) -> bool:
    """Whether the type is a container or a record, or holds one: Optional, tuple."""
    proper = get_proper_type(of)
    if isinstance(proper, UnionType):
        return any(_in_storage(item) for item in proper.items)
    if isinstance(proper, TupleType):
        return any(_in_storage(item) for item in proper.items)
    return isinstance(proper, Instance) and (proper.type.fullname in CONTAINERS or proper.type.has_base(RECORD))


def _title(of: Type) -> str:
    if isinstance(of, UnboundType):
        inside = ", ".join(map(_title, of.args))
        return f"{of.name}[{inside}]" if inside else of.name
    proper = get_proper_type(of)
    if not isinstance(proper, Instance):
        return str(proper)
    inside = ", ".join(_title(argument) for argument in proper.args)
    return f"{proper.type.name}[{inside}]" if inside else proper.type.name


def _say(ctx: MethodContext | FunctionContext, text: str) -> None:
    ctx.api.fail(text, ctx.context, code=TENOR)


def _say_class(ctx: ClassDefContext, text: str, where: Context) -> None:
    ctx.api.fail(text, where, code=TENOR)
