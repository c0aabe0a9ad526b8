"""
Array and BoundedList: written out, indexed, changed in place, copied.

One name stands for a sequence that can change. A local that is made by `Array(…)`, `copy()` or a call is such a name,
and no second one may see its changes; parameters, loop variables, members of structs and what containers hold are
frozen, and so is a local that names one of them; a field of the program or of a record is changed in place, and copied
before it is used as a value.
"""

from __future__ import annotations

import ast

from execution.compiler import limits, tree
from execution.compiler import types as t
from execution.compiler.context import Context

SEQUENCES = ("Array", "BoundedList")
LIST_METHODS = ("append", "pop", "clear", "copy")


def written_out(context: Context, node: ast.Call, name: str, expected: t.Type | None) -> tree.Expression:
    """`Array(…)` or `BoundedList(…)`, where the type is known."""
    of = expected.item if isinstance(expected, t.OptionalType) else expected
    if not isinstance(of, t.ArrayType) or of.bounded != (name == "BoundedList"):
        raise context.error(
            node, f"which {name} this is cannot be seen here", f"write `name: {name}[int, 8] = {name}()`"
        )
    if node.keywords:
        raise context.error(node, f"`{name}` takes no keywords", "give the values in order")
    count = len(node.args)
    if count and _is_large(of):
        raise context.error(node, f"{of} is too large to be written out", "leave it empty and fill it in a loop")
    if count > of.count or (0 < count < of.count and not of.bounded):
        instead = f"give at most {of.count}" if of.bounded else f"give {of.count}, or none for zeros"
        raise context.error(node, f"{count} values where {of} has {of.count} places", instead)
    items = [tree.Literal(t.INT, (count,))] if of.bounded else list[tree.Expression]()
    items += [context.check(arg, of.item) for arg in node.args]
    if count < of.count:
        rest = t.ArrayType(of.item, of.count - count, False)
        items.append(tree.Literal(rest, (0,) * len(t.kinds(rest))))
    if all(isinstance(item, tree.Literal) for item in items):
        numbers = tuple(value for item in items if isinstance(item, tree.Literal) for value in item.values)
        return tree.Copy(of, tree.Literal(of, numbers))
    return tree.Copy(of, tree.Join(of, tuple(items)))


def used_as_value(context: Context, node: ast.expr, value: tree.Expression) -> None:
    """A sequence stands where a value is taken: one that lies in a field could change meanwhile, and is refused."""
    if isinstance(value, tree.Place) and value.live:
        name = ast.unparse(node)
        raise context.error(node, f"`{name}` is changed in place and is no value", f"write {name}.copy()")
    if _is_large(value.type) and not isinstance(value, tree.Copy):
        wrong = f"{value.type} has more than {limits.MOVED_WORDS_MAX} words and is not moved as a whole"
        raise context.error(node, wrong, "work on it where it is, element by element")
    if isinstance(node, ast.Name) and node.id in context.owned:
        context.moved.add(node.id)


def _is_large(of: t.Type) -> bool:
    return isinstance(of, t.ArrayType) and of.count * t.words(of.item) > limits.MOVED_WORDS_MAX


def is_fresh(value: tree.Expression) -> bool:
    """Whether no other name stands for the sequence."""
    return isinstance(value, (tree.Copy, tree.Call, tree.CallProgram))


def _is_owned(context: Context, value: tree.Expression) -> bool:
    return isinstance(value, tree.Local) and any(context.names[name] == value.slot for name in context.owned)


def _aliases(context: Context, value: tree.Expression) -> bool:
    """Whether an Optional value holds a sequence that a local may change."""
    match value:
        case tree.Join(_, items):
            return any(_aliases(context, item) for item in items)
        case tree.Choice(_, _, then, other):
            return _aliases(context, then) or _aliases(context, other)
        case _:
            return isinstance(value.type, t.ArrayType) and _is_owned(context, value)


def check_named(context: Context, name: str, value: tree.Expression, target: ast.AST, source: ast.AST) -> None:
    """A local is about to be given a value: a sequence that is made here is its own from then on."""
    of = value.type.item if isinstance(value.type, t.OptionalType) else value.type
    if not isinstance(of, t.ArrayType):
        return
    fresh = is_fresh(value)
    if not fresh and (_aliases(context, value) or name in context.owned):
        raise context.error(source, "this would be a second name for a sequence", "write `.copy()` behind it")
    if fresh and of is value.type:
        own(context, name, target)


def own(context: Context, name: str, target: ast.AST) -> None:
    """The local is the one name of a sequence from here on; one that was frozen before stays so."""
    if name in context.iterated:
        raise context.error(target, f"`{name}` is iterated here", "assign it after the loop")
    if name not in context.names:
        context.owned.add(name)


def check_frozen(context: Context, name: str, target: ast.AST) -> None:
    """A loop or a case is about to name a value: not by the name of a sequence that can change."""
    if name in context.owned:
        raise context.error(target, f"`{name}` is a sequence of its own", "use another name")


def check_returned(context: Context, values: tuple[tree.Expression, ...], node: ast.AST) -> None:
    """Results: sequences that are made here, each once."""
    seen: list[tree.Expression] = []
    for value in values:
        if not isinstance(value.type, t.ArrayType) or is_fresh(value):
            continue
        if not _is_owned(context, value) or value in seen:
            raise context.error(node, "this sequence has another name", "write `.copy()` behind it")
        seen.append(value)


def element(context: Context, node: ast.Subscript, sequence: tree.Expression) -> tree.Expression:
    """`sequence[index]`."""
    of = sequence.type
    assert isinstance(of, t.ArrayType)
    since = len(context.killed)
    index = _index(context, node, of)
    _hold(context, sequence, since, node)
    return tree.Element(of.item, sequence, index, _is_live(context, sequence), node.lineno)


def _index(context: Context, node: ast.Subscript, of: t.ArrayType) -> tree.Expression:
    index = context.check(node.slice, t.INT)
    if isinstance(index, tree.Literal) and not 0 <= index.values[0] < of.count:
        instead = "count from the end with len(…) - 1" if index.values[0] < 0 else f"the last is {of.count - 1}"
        raise context.error(node.slice, f"{of} has no place {index.values[0]}", instead)
    return index


def _hold(context: Context, sequence: tree.Expression, since: int, node: ast.AST) -> None:
    if isinstance(sequence, tree.Place) and sequence.base is not None:
        context.hold(sequence.base, since, node)


def _is_live(context: Context, sequence: tree.Expression) -> bool:
    return (isinstance(sequence, tree.Place) and sequence.live) or _is_owned(context, sequence)


def changed_in_place(context: Context, sequence: tree.Expression, node: ast.AST) -> None:
    """The sequence is written: a local of this function's own, or a field."""
    if isinstance(sequence, tree.Place) and sequence.live:
        context.write(node)
    elif not _is_owned(context, sequence):
        raise context.error(node, "this sequence is frozen", "change a copy: `mine = ….copy()`, then store that")


def store_element(
    context: Context, node: ast.Assign, target: ast.Subscript, sequence: tree.Expression, value: tree.Expression
) -> tree.Statement:
    """`sequence[index] = value`."""
    of = sequence.type
    assert isinstance(of, t.ArrayType)
    since = len(context.killed)
    index = _index(context, target, of)
    _hold(context, sequence, since, node)
    changed_in_place(context, sequence, target)
    return tree.StoreElement(sequence, index, context.convert(value, of.item, node.value), node.lineno)


def length(context: Context, node: ast.Call, sequence: tree.Expression) -> tree.Expression:
    """`len(sequence)`: a constant for an Array."""
    of = sequence.type
    assert isinstance(of, t.ArrayType)
    if of.bounded:
        if isinstance(sequence, tree.Place):
            return tree.Place(t.INT, sequence.base, sequence.offset, node.lineno)
        return tree.Part(t.INT, sequence, 0)
    if not isinstance(sequence, (tree.Local, tree.Place, tree.Part, tree.Literal)):
        raise context.error(node, f"the length of {of} is {of.count}", "write the number, or name the sequence first")
    return tree.Literal(t.INT, (of.count,))


def method(context: Context, node: ast.Call, name: str, sequence: tree.Expression) -> tree.Expression:
    """`sequence.name(…)`."""
    of = sequence.type
    assert isinstance(of, t.ArrayType)
    known = LIST_METHODS if of.bounded else ("copy",)
    if name not in known:
        raise context.error(node, f"{of} has no method `{name}`", f"it has {', '.join(known)}")
    count = 1 if name == "append" else 0
    if node.keywords or len(node.args) != count:
        raise context.error(node, f"`{name}` takes {count} plain arguments", "add or remove some")
    if name == "copy" and _is_large(of):
        raise context.error(node, f"{of} is too large to be copied at once", "copy it element by element")
    if name == "copy":
        return tree.Copy(of, sequence)
    return _resize(context, node, name, sequence, of)


def _resize(context: Context, node: ast.Call, name: str, sequence: tree.Expression, of: t.ArrayType) -> tree.Expression:
    owner = node.func.value if isinstance(node.func, ast.Attribute) else node
    since = len(context.killed)
    value = context.check(node.args[0], of.item) if name == "append" else None
    _hold(context, sequence, since, node)
    changed_in_place(context, sequence, node)
    if isinstance(owner, ast.Name):
        if owner.id in context.iterated:
            raise context.error(node, f"`{owner.id}` is iterated here", f"loop over {owner.id}.copy()")
        if name == "pop" and owner.id in context.moved:
            raise context.error(
                node, f"`{owner.id}` is used before it changes in this statement", "split the statement"
            )
    else:
        context.change(of, node)
    if name == "pop":
        return tree.TakeLast(of.item, sequence, node.lineno)
    return tree.Resize(t.NONE, sequence, value, node.lineno)
