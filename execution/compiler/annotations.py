"""
Annotations: from the expression after a colon to a type, and from a `def` line to a signature.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from execution.compiler import limits
from execution.compiler import types as t
from execution.compiler.errors import Source
from execution.compiler.extent import check_extent
from execution.compiler.layout import shape
from execution.compiler.scope import Constant, Entity, Parameter, ProgramName, Signature, TypeName, Word
from execution.compiler.tree import Literal
from execution.vm.layout import ENTRY_BYTES_MAX

Find = Callable[[str, ast.AST], Entity]
Fold = Callable[[ast.expr, t.Type | None], Literal]

PLAIN: dict[str, t.Type] = {
    "bool": t.BOOL, "int": t.INT, "Decimal": t.DECIMAL, "Account": t.ACCOUNT, "Asset": t.ASSET, "Timestamp":
    t.TIMESTAMP,
    "Duration": t.DURATION, "Symbol": t.SYMBOL, "Feed": t.FEED, "Reason": t.REASON, "Quote": t.QUOTE,
    "Crossing": t.CROSSING, "Fill": t.FILL,
    "QuoteStatus": t.QUOTE_STATUS, "Outcome": t.OUTCOME, "World": t.WORLD, "Bytes32": t.BYTES32,
}  # fmt: skip
ENTRY_WORDS = ("external", "view", "hook", "invariant", "migrate")
GENERIC = {"Map": 2, "OrderedMap": 2, "List": 1, "Queue": 1, "Optional": 1, "ProgramRef": 1}


def build_type(find: Find, source: Source, node: ast.expr, depth: int = 0) -> t.Type:
    """
    The type an annotation means.

    Raises:
        CompileError: it means none, or a container whose key or value is not possible.
    """
    if depth > limits.TYPE_DEPTH_MAX:
        raise source.at(node, f"the type is nested more than {limits.TYPE_DEPTH_MAX} deep", "name its parts")
    match node:
        case ast.Constant(value=None):
            return t.NONE
        case ast.Name(id=name):
            entity = find(name, node)
            if isinstance(entity, TypeName):
                return entity.type
            if isinstance(entity, Word) and entity.name in PLAIN:
                return PLAIN[entity.name]
            if isinstance(entity, ProgramName):
                raise source.at(node, f"`{name}` is a program", f"write ProgramRef[{name}]")
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            entity = find(name, node)
            if isinstance(entity, Word):
                items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return _generic(find, source, node, entity.name, items, depth)
    raise source.at(
        node, "this is not a type of the language", "bool, int, Decimal, Account, … or an own Struct, Enum, Map[…]"
    )


def _generic(find: Find, source: Source, node: ast.expr, name: str, items: list[ast.expr], depth: int) -> t.Type:
    if name == "tuple":
        parts = tuple(build_type(find, source, item, depth + 1) for item in items)
        if not all(t.is_flat(part) or t.is_borrow(part) for part in parts):
            raise source.at(node, "a tuple inside a tuple is not possible", "return a struct")
        tupled = t.TupleType(parts)
        check_extent(source, node, tupled)
        return tupled
    if name in ("Array", "BoundedList"):
        return _sequence(find, source, node, name, items, depth)
    if GENERIC.get(name) != len(items):
        raise source.at(node, f"`{name}` does not take {len(items)} types", f"it takes {GENERIC.get(name, 0)}")
    if name == "ProgramRef":
        entity = find(items[0].id, items[0]) if isinstance(items[0], ast.Name) else None
        if not isinstance(entity, ProgramName):
            raise source.at(items[0], "ProgramRef takes a program class", "import the program's class")
        return t.ProgramType(entity.name, entity.module)
    types = [build_type(find, source, item, depth + 1) for item in items]
    if name == "Optional":
        if not t.is_flat(types[0]) or isinstance(types[0], t.OptionalType):
            raise source.at(items[0], f"Optional[{types[0]}] is not possible", "use a flat type that is not Optional")
        _check_moved(source, items[0], types[0])
        return t.OptionalType(types[0])
    _check_value(source, items[-1], types[-1])
    if name == "Queue":
        if not t.is_flat(types[0]):
            raise source.at(
                items[0], f"Queue[{types[0]}] is not possible", "queue flat values, or keys of a Map of records"
            )
        return _fitting(source, node, t.QueueType(types[0]))
    if name == "List":
        return _fitting(source, node, t.ListType(types[0]))
    _check_key(source, items[0], types[0], name == "OrderedMap")
    return _fitting(source, node, t.MapType(types[0], types[1], name == "OrderedMap"))


def _sequence(find: Find, source: Source, node: ast.expr, name: str, items: list[ast.expr], depth: int) -> t.Type:
    """Array[T, N] or BoundedList[T, N]: N a literal or a constant of the module."""
    if len(items) != 2:
        raise source.at(node, f"`{name}` takes a type and a number", f"write {name}[int, 8]")
    item, count = build_type(find, source, items[0], depth + 1), _count_of(find, items[1])
    if not t.is_flat(item) or (isinstance(item, t.StructType) and item.event):
        raise source.at(items[0], f"{name}[{item}, …] is not possible", "use a flat type; records belong in a List")
    if count is None or count < 1:
        raise source.at(items[1], "this is not a number of places", f"write {name}[{item}, 8], or name a constant")
    if count > limits.ARRAY_WORDS_MAX or count * t.words(item) > limits.ARRAY_WORDS_MAX:
        wrong = f"{name}[{item}, {count}] has more than {limits.ARRAY_WORDS_MAX} words"
        raise source.at(node, wrong, "use fewer places, or a List of the program")
    if t.words(item) > limits.MOVED_WORDS_MAX:
        raise source.at(items[0], f"{item} has more than {limits.MOVED_WORDS_MAX} words", "use smaller items")
    return t.ArrayType(item, count, name == "BoundedList")


def _check_moved(source: Source, node: ast.AST, of: t.Type) -> None:
    """What is passed as a whole is small; a large sequence stays where it is."""
    parts = of.items if isinstance(of, t.TupleType) else (of,)
    for part in parts:
        if isinstance(part, t.ArrayType) and t.words(part.item) * part.count > limits.MOVED_WORDS_MAX:
            wrong = f"{part} has more than {limits.MOVED_WORDS_MAX} words and is not moved as a whole"
            raise source.at(node, wrong, "work on it where it is, element by element")


def _count_of(find: Find, node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return value
        case ast.Name(id=name):
            entity = find(name, node)
            if isinstance(entity, Constant) and entity.value.type == t.INT:
                return entity.value.values[0]
    return None


def _fitting(source: Source, node: ast.expr, of: t.Container) -> t.Type:
    check_extent(source, node, of)
    if shape(of).entry_bytes > ENTRY_BYTES_MAX:
        wrong = f"an entry of {of} has {shape(of).entry_bytes} bytes, at most {ENTRY_BYTES_MAX} fit a page"
        raise source.at(node, wrong, "split the record")
    return of


def _check_key(source: Source, node: ast.expr, key: t.Type, ordered: bool) -> None:
    if not t.is_flat(key) or (isinstance(key, t.StructType) and key.event):
        raise source.at(node, f"{key} cannot be a key", "use a flat type")
    if t.words(key) > limits.KEY_WORDS_MAX:
        raise source.at(node, f"the key has more than {limits.KEY_WORDS_MAX} words", "use a smaller struct")
    if ordered and not (key == t.DECIMAL or (t.words(key) == 1 and isinstance(key, (t.Scalar, t.EnumType)))):
        raise source.at(
            node, f"an OrderedMap cannot be ordered by {key}", "use an int, Decimal, Timestamp or another single number"
        )


def _check_value(source: Source, node: ast.expr, value: t.Type) -> None:
    if isinstance(value, t.StructType) and value.event:
        raise source.at(node, "an event is not stored", "store a struct and emit the event")
    if not (t.is_flat(value) or t.is_borrow(value)):
        raise source.at(node, f"{value} cannot be stored", "use a flat type, a Record or a container")
    if t.is_flat(value) and t.words(value) > limits.VALUE_WORDS_MAX:
        raise source.at(node, f"the value has more than {limits.VALUE_WORDS_MAX} words", "use a Record")


def build_signature(
    find: Find, fold: Fold, source: Source, module: str, node: ast.FunctionDef, owner: str | None
) -> Signature:
    """
    The typed head of a function (owner None) or method.

    Raises:
        CompileError: a missing or impossible annotation, decorator, default or parameter.
    """
    kind, order = _decorators(find, source, node, owner)
    arguments = list(node.args.args)
    if owner is not None:
        if not arguments or arguments[0].arg != "self" or arguments[0].annotation:
            raise source.at(node, "a method's first parameter is `self`", "write `def name(self, …)`")
        arguments = arguments[1:]
    parameters: list[Parameter] = []
    defaults: list[ast.expr | None] = [None] * (len(arguments) - len(node.args.defaults)) + list(node.args.defaults)
    for argument, default in zip(arguments, defaults, strict=True):
        if argument.annotation is None:
            raise source.at(argument, f"parameter `{argument.arg}` has no type", "write `name: Type`")
        if argument.arg in [p.name for p in parameters] or argument.arg == "self":
            raise source.at(argument, f"parameter `{argument.arg}` is defined twice", "rename one")
        of = build_type(find, source, argument.annotation)
        if of == t.NONE or isinstance(of, t.TupleType):
            raise source.at(argument, f"a parameter of type {of} is not possible", "use a flat type or a borrow")
        _check_moved(source, argument, of)
        if default is not None and kind not in ("internal", "function"):
            raise source.at(default, "a parameter of an entry has no default", "callers give every argument")
        parameters.append(Parameter(argument.arg, of, None if default is None else fold(default, of)))
    if node.returns is None:
        raise source.at(node, f"`{node.name}` has no result type", "write `-> None` or `-> Type`")
    result = build_type(find, source, node.returns)
    _check_moved(source, node.returns, result)
    signature = Signature(
        node.name, f"{owner or module}.{node.name}", module, tuple(parameters), result, kind, order, node
    )
    _check_entry(source, signature)
    return signature


def _decorators(find: Find, source: Source, node: ast.FunctionDef, owner: str | None) -> tuple[str, str]:
    """(kind, order class) of a function."""
    if owner is not None and node.name == "create":
        if node.decorator_list:
            raise source.at(node, "`create` has no decorator", "it runs once, when the program is deployed")
        return "create", "trade"
    if not node.decorator_list:
        return ("function" if owner is None else "internal"), "trade"
    decorator = node.decorator_list[0]
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    entity = find(name.id, name) if isinstance(name, ast.Name) else None
    word = entity.name if isinstance(entity, Word) else ""
    if owner is None or len(node.decorator_list) > 1 or word not in ENTRY_WORDS:
        raise source.at(
            decorator,
            "this decorator is not part of the language",
            "one of @external, @view, @hook, @invariant, @migrate on a method",
        )
    if not isinstance(decorator, ast.Call):
        return word, "trade"
    match decorator:
        case ast.Call(
            args=[],
            keywords=[ast.keyword(arg="order", value=ast.Constant(value="cancel" | "post_only" | "trade" as order))],
        ):
            if word == "external":
                return word, str(order)
    raise source.at(decorator, f"@{word} does not take this", 'write @external(order="cancel") or order="post_only"')


def _check_entry(source: Source, signature: Signature) -> None:
    """Parameters and result of an entry cross the border: flat and bounded; hooks and create have fixed heads."""
    types = [parameter.type for parameter in signature.parameters]
    results = list(signature.result.items) if isinstance(signature.result, t.TupleType) else [signature.result]
    if max(sum(len(t.kinds(of)) for of in types), sum(len(t.kinds(of)) for of in results)) > limits.INTERNAL_WORDS_MAX:
        wrong = f"more than {limits.INTERNAL_WORDS_MAX} words go in or come out"
        raise source.at(signature.node, wrong, "pass what is needed, or keep it in fields")
    if signature.kind in ("internal", "function"):
        return
    if signature.kind == "invariant":
        if types or signature.result != t.BOOL:
            wrong = "an invariant takes nothing and returns whether it holds"
            raise source.at(signature.node, wrong, f"def {signature.name}(self) -> bool")
        return
    for of in [*types, *results]:
        if not (t.is_flat(of) or of == t.NONE) or (isinstance(of, t.StructType) and of.event):
            raise source.at(signature.node, f"{of} cannot enter or leave a program", "pass flat values")
    if max(sum(t.words(of) for of in types), sum(t.words(of) for of in results)) > limits.PARAMETER_WORDS_MAX:
        raise source.at(signature.node, f"more than {limits.PARAMETER_WORDS_MAX} words cross the border", "pass less")
    if signature.kind == "hook" and (types not in [[of] for of in t.HANDED] or signature.result != t.OUTCOME):
        raise source.at(
            signature.node,
            "a hook takes a Quote, a Crossing, a Timestamp or a Fill and returns Outcome",
            "def name(self, quote: Quote) -> Outcome",
        )
    if signature.kind in ("create", "migrate") and signature.result != t.NONE:
        raise source.at(signature.node, f"`{signature.name}` returns nothing", "write `-> None`")
    if signature.kind == "view" and signature.result == t.NONE:
        raise source.at(signature.node, "a view returns something", "give it a result type")
