"""
Containers: subscripts, `in`, and the methods of Map, OrderedMap, List and Queue.

Each method is checked to one `Item` or `Query`; what adds or removes keys, and what storage dies by it, is told to the
context.
"""

from __future__ import annotations

import ast

from execution.compiler import check_sequences as sequences
from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.context import Context
from execution.compiler.scope import Word

Container = t.Container
KEYED = {"after", "before", "ceiling", "floor"}
MAP_METHODS = ("get", "pop", "create", "obtain", "first", "last", "after", "before", "clear")
ORDERED_METHODS = ("ceiling", "floor")
LIST_METHODS = ("append", "add", "pop", "clear", "first", "after")
QUEUE_METHODS = ("push", "pop", "first", "clear")


def key_type(of: Container) -> t.Type:
    return of.key if isinstance(of, t.MapType) else t.INT


def as_container(context: Context, node: ast.expr, value: tree.Expression) -> Container:
    """The type of a value that must be a container."""
    if not isinstance(value.type, t.CONTAINERS):
        raise context.error(node, f"{value.type} is not a container", "use a Map, OrderedMap, List or Queue")
    return value.type


def subscript(context: Context, node: ast.Subscript) -> tree.Expression:
    """`container[key]`; rejects "missing key" or "index out of range" at run time."""
    if isinstance(node.value, ast.Name) and node.value.id not in context.names:
        entity = context.find(node.value.id, node.value)
        if isinstance(entity, Word):
            raise context.error(node, f"`{node.value.id}[…]` is a type, not a value", "declare it as a field")
    container = context.borrow(node.value)
    if isinstance(container.type, t.ArrayType):
        return sequences.element(context, node, container)
    of = as_container(context, node.value, container)
    if isinstance(of, t.QueueType):
        raise context.error(node, "a Queue has no places", "use first() and pop(), or a List")
    since = len(context.killed)
    key = context.check(node.slice, key_type(of))
    context.hold(container, since, node)
    return tree.Item(t.value_of(of), container, key, "find", node.lineno)


def contains(context: Context, node: ast.Compare, key: tree.Expression, right: ast.expr) -> tree.Expression:
    """`key in container`: the key is evaluated first."""
    container = context.borrow(right)
    if isinstance(container.type, (t.ArrayType, t.ListType, t.QueueType)):
        raise context.error(node, "`in` looks up keys of maps", "loop over the values")
    of = as_container(context, right, container)
    assert isinstance(of, t.MapType)
    return tree.Query(t.BOOL, "contains", container, (context.convert(key, of.key, node.left),), node.lineno)


def length(context: Context, node: ast.Call) -> tree.Expression:
    container = context.borrow(node.args[0])
    if isinstance(container.type, t.ArrayType):
        return sequences.length(context, node, container)
    as_container(context, node.args[0], container)
    return tree.Query(t.INT, "length", container, (), node.lineno)


def removed(context: Context, container: tree.Expression, of: Container, node: ast.AST) -> None:
    """An entry of the container goes away, with all that is nested in it."""
    context.change(of, node)
    context.kill(t.inside(t.value_of(of)), getattr(node, "lineno", 0))


def delete(context: Context, node: ast.Subscript) -> tree.Expression:
    """`del container[key]`."""
    container = context.borrow(node.value)
    if isinstance(container.type, (t.ArrayType, t.ListType, t.QueueType)):
        wrong = f"an item of {container.type} is not deleted"
        raise context.error(node, wrong, "only pop() removes one; a Map deletes by key")
    of = as_container(context, node.value, container)
    assert isinstance(of, t.MapType)
    since = len(context.killed)
    key = context.check(node.slice, of.key)
    context.hold(container, since, node)
    removed(context, container, of, node)
    return tree.Query(t.NONE, "drop", container, (key,), node.lineno)


def method(context: Context, node: ast.Call, name: str, container: tree.Expression, of: Container) -> tree.Expression:
    """`container.name(…)`."""
    if isinstance(of, t.QueueType):
        return _queue_method(context, node, name, container, of)
    known = LIST_METHODS if isinstance(of, t.ListType) else MAP_METHODS + (ORDERED_METHODS if of.ordered else ())
    if name in ("items", "descending", "keys", "values"):
        raise context.error(node, f"`.{name}()` stands only after `in` of a for loop", "for key, value in m.items():")
    if name not in known:
        raise context.error(node, f"{of} has no method `{name}`", f"one of {', '.join(known)}")
    if node.keywords:
        raise context.error(node, f"`{name}` takes no keywords", "give plain arguments")
    if isinstance(of, t.ListType):
        return _list_method(context, node, name, container, of)
    return _map_method(context, node, name, container, of)


def _count(context: Context, node: ast.Call, low: int, high: int) -> None:
    if not low <= len(node.args) <= high:
        expected = str(low) if low == high else f"{low} or {high}"
        raise context.error(node, f"{len(node.args)} arguments where {expected} are expected", "add or remove some")


def _list_method(
    context: Context, node: ast.Call, name: str, container: tree.Expression, of: t.ListType
) -> tree.Expression:
    flat, since = t.is_flat(of.item), len(context.killed)
    if name == "append":
        _count(context, node, 1, 1)
        if not flat:
            raise context.error(node, f"{of.item} is not appended", "write `item = l.add()` and fill it")
        value = context.check(node.args[0], of.item)
        context.hold(container, since, node)
        context.change(of, node)
        return tree.Query(t.NONE, "append", container, (value,), node.lineno)
    if name == "after":
        _count(context, node, 1, 1)
        key = context.check(node.args[0], t.INT)
        context.hold(container, since, node)
        return tree.Query(t.OptionalType(t.INT), "after", container, (key,), node.lineno)
    _count(context, node, 0, 0)
    if name == "first":
        return tree.Query(t.OptionalType(t.INT), "first", container, (), node.lineno)
    if name == "add":
        if flat:
            raise context.error(node, f"`add` makes a record, this is a list of {of.item}", "write append(value)")
        context.change(of, node)
        return tree.Query(of.item, "add", container, (), node.lineno)
    removed(context, container, of, node)
    return tree.Query(of.item if name == "pop" and flat else t.NONE, name, container, (), node.lineno)


def _queue_method(
    context: Context, node: ast.Call, name: str, container: tree.Expression, of: t.QueueType
) -> tree.Expression:
    if name not in QUEUE_METHODS:
        raise context.error(node, f"{of} has no method `{name}`", f"one of {', '.join(QUEUE_METHODS)}")
    if node.keywords:
        raise context.error(node, f"`{name}` takes no keywords", "give plain arguments")
    _count(context, node, int(name == "push"), int(name == "push"))
    if name == "first":
        return tree.Query(t.OptionalType(_optional(context, node, of.item)), "first", container, (), node.lineno)
    since = len(context.killed)
    args = tuple(context.check(arg, of.item) for arg in node.args)
    context.hold(container, since, node)
    context.change(of, node)
    return tree.Query(of.item if name == "pop" else t.NONE, name, container, args, node.lineno)


def _map_method(
    context: Context, node: ast.Call, name: str, container: tree.Expression, of: t.MapType
) -> tree.Expression:
    if name in ("first", "last", "clear"):
        _count(context, node, 0, 0)
        if name == "clear":
            removed(context, container, of, node)
            return tree.Query(t.NONE, "clear", container, (), node.lineno)
        return tree.Query(t.OptionalType(_optional(context, node, of.key)), name, container, (), node.lineno)
    _count(context, node, 1, 2 if name == "get" else 1)
    since = len(context.killed)
    key = context.check(node.args[0], of.key)
    if name in KEYED:
        context.hold(container, since, node)
        return tree.Query(t.OptionalType(_optional(context, node, of.key)), name, container, (key,), node.lineno)
    if name in ("create", "obtain"):
        if t.is_flat(of.value):
            raise context.error(
                node, f"`{name}` makes records and containers, this map holds {of.value}", "write m[k] = v"
            )
        context.hold(container, since, node)
        context.change(of, node)
        return tree.Item(of.value, container, key, name, node.lineno)
    if not t.is_flat(of.value):
        instead = "test `k in m`, then use m[k]" if name == "get" else "use `del m[k]`"
        raise context.error(node, f"`{name}` copies values, this map holds {of.value}", instead)
    if name == "pop":
        context.hold(container, since, node)
        removed(context, container, of, node)
        return tree.Query(of.value, "pop", container, (key,), node.lineno)
    if len(node.args) == 2:
        default = context.check(node.args[1], of.value)
        context.hold(container, since, node)
        return tree.Query(of.value, "get_default", container, (key, default), node.lineno)
    context.hold(container, since, node)
    return tree.Query(t.OptionalType(_optional(context, node, of.value)), "get", container, (key,), node.lineno)


def _optional(context: Context, node: ast.AST, item: t.Type) -> t.Type:
    if isinstance(item, t.OptionalType):
        raise context.error(node, f"the result would be Optional[{item}]", "test `k in m`, then use m[k]")
    return item
