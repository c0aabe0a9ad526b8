"""
Calls: constructors, functions and methods of the bundle, other programs, built-ins and methods of values.

Arguments are evaluated from left to right as written, keywords included; they are brought into the order of the
parameters after.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from execution.compiler import limits, suggest, tree
from execution.compiler import types as t
from execution.compiler.check_builtins import BUILTINS, constructor, value_method
from execution.compiler.check_containers import method as container_method
from execution.compiler.check_sequences import method as sequence_method
from execution.compiler.context import Context
from execution.compiler.scope import Constant, FunctionName, Parameter, ProgramName, Signature, TypeName, Word
from execution.compiler.selector import selector

SPECIAL: dict[str, t.Type] = {"gas": t.INT, "world": t.WORLD}
CREATION: dict[str, t.Type] = {"gas": t.INT, "program_admin": t.ACCOUNT}
KERNEL_TARGET = tree.Literal(t.ACCOUNT, (-1, -1, -1))
"""No account has these words: a call there asks the kernel for a program (`vm/kernel/requests.py`)."""


def check_call(context: Context, node: ast.Call) -> tree.Expression:
    """Any call that gives a value, or is a statement of its own."""
    match node.func:
        case ast.Name(id=name) if name in context.names:
            raise context.error(node, f"`{name}` is a value, not a function", "call a function or a method")
        case ast.Name(id=name):
            return _call_name(context, node, name)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _call_self(context, node, name)
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner not in context.names:
            entity = context.find(owner, node.func)
            if isinstance(entity, Word):
                return constructor(context, node, f"{entity.name}.{name}")
            if not isinstance(entity, Constant):
                raise context.error(node, f"`{owner}.{name}` is not callable", "call a method of a value")
            return _call_value(context, node, name, entity.value)
        case ast.Attribute(value=owner_node, attr=name):
            return _call_value(context, node, name, context.borrow(owner_node))
        case ast.Subscript(value=ast.Name(id="ProgramRef")):
            of = context.shared.bundle.type_of(context.module, node.func)
            if len(node.args) != 1 or node.keywords:
                raise context.error(node, "ProgramRef[…] takes one account", "ProgramRef[Bank](account)")
            return tree.Part(of, context.check(node.args[0], t.ACCOUNT), 0)
    raise context.error(node, "this cannot be called", "call a function, a method or a constructor")


def _call_name(context: Context, node: ast.Call, name: str) -> tree.Expression:
    entity = context.find(name, node.func)
    if isinstance(entity, Word):
        if entity.name == "create_like":
            return _create_like(context, node)
        if entity.name not in BUILTINS:
            return constructor(context, node, entity.name)
        return BUILTINS[entity.name](context, node)
    if isinstance(entity, FunctionName):
        return _call_function(context, node, entity.signature)
    if isinstance(entity, TypeName) and isinstance(entity.type, t.StructType):
        return struct(context, node, entity.type)
    if isinstance(entity, TypeName) and isinstance(entity.type, t.RecordType):
        raise context.error(
            node, f"a record {name} exists only in a container", "write m.create(key), m.obtain(key) or l.add()"
        )
    instead = f"write ProgramRef[{name}](account)" if isinstance(entity, ProgramName) else "use its members"
    raise context.error(node, f"`{name}` is not callable", instead)


def struct(context: Context, node: ast.Call, of: t.StructType) -> tree.Expression:
    """A constructor, positional or by keyword; every member is given."""
    parameters = [Parameter(name, kind, None) for name, kind in of.fields]
    items, places = arguments(context, node, str(of), parameters)
    return _arranged(of, items, places)


def _arranged(of: t.Type, items: tuple[tree.Expression, ...], places: tuple[int, ...]) -> tree.Expression:
    if places == tuple(range(len(items))):
        if all(isinstance(item, tree.Literal) for item in items):
            return tree.Literal(of, tuple(v for item in items if isinstance(item, tree.Literal) for v in item.values))
        return tree.Join(of, items)
    return tree.Permute(of, items, places)


def arguments(
    context: Context,
    node: ast.Call,
    name: str,
    parameters: Sequence[Parameter],
    special: dict[str, t.Type] | None = None,
) -> tuple[tuple[tree.Expression, ...], tuple[int, ...]]:
    """
    (values in source order, for each parameter the index of its value). Defaults come last; special keywords are left
    in the
    values at the place where they stand.
    """
    items: list[tree.Expression] = []
    since: list[int] = []
    given: dict[str, int] = {}
    named: list[tuple[str, t.Type, ast.expr]] = []
    if len(node.args) > len(parameters):
        raise context.error(node, f"`{name}` takes {len(parameters)} arguments, not {len(node.args)}", "remove some")
    named += [(p.name, p.type, value) for p, value in zip(parameters, node.args, strict=False)]
    types = {p.name: p.type for p in parameters} | (special or {})
    for keyword in node.keywords:
        if keyword.arg not in types:
            raise context.error(
                keyword, f"`{name}` has no parameter `{keyword.arg}`", f"it has {', '.join(types) or 'none'}"
            )
        named.append((keyword.arg, types[keyword.arg], keyword.value))
    for parameter, of, value in named:
        if parameter in given:
            raise context.error(node, f"`{parameter}` is given twice", "give it once")
        given[parameter] = len(items)
        items.append(context.check(value, of))
        since.append(len(context.killed))
    for item, start in zip(items, since, strict=True):
        context.hold(item, start, node)
    for p in parameters:
        if p.name not in given:
            if p.default is None:
                raise context.error(node, f"`{name}` needs `{p.name}`", f"give a value of type {p.type}")
            given[p.name] = len(items)
            items.append(p.default)
    return tuple(items), tuple(given[p.name] for p in parameters)


def _call_function(context: Context, node: ast.Call, signature: Signature) -> tree.Expression:
    items, places = arguments(context, node, signature.name, signature.parameters)
    effects = context.shared.effects_of(signature, context.module, node)
    if context.tolerating and effects.uncapped:
        raise context.error(
            node, f"`{signature.name}` calls another program without gas=", "cap every call inside `try`"
        )
    context.include(effects, node)
    packed = _arranged(t.TupleType(tuple(p.type for p in signature.parameters)), items, places)
    args = items if isinstance(packed, tree.Join) else (packed,)
    return tree.Call(signature.result, signature.function, args, node.lineno)


def _call_self(context: Context, node: ast.Call, name: str) -> tree.Expression:
    if context.signature is None or not context.signature.is_method:
        raise context.error(node, "`self` exists only in methods", "write a method, or pass what the function needs")
    signature = context.shared.program.methods.get(name)
    if signature is None:
        raise context.error(node, f"`self` has no method `{name}`", _instead_of_method(context, name))
    if signature.kind == "create":
        raise context.error(node, "`create` runs once, at deployment", "move the shared part to another method")
    if signature.kind == "migrate":
        raise context.error(node, f"`{name}` runs once, at an upgrade", "move the shared part to another method")
    return _call_function(context, node, signature)


def _instead_of_method(context: Context, name: str) -> str:
    if name in context.module.definitions:
        return f"write `{name}(…)`"
    like = suggest.nearest(name, context.shared.program.methods)
    return "define it, or write self.field.method(…)" if like is None else f"perhaps `self.{like}(…)`"


def _call_value(context: Context, node: ast.Call, name: str, value: tree.Expression) -> tree.Expression:
    if isinstance(value.type, t.CONTAINERS):
        return container_method(context, node, name, value, value.type)
    if isinstance(value.type, t.ArrayType):
        return sequence_method(context, node, name, value)
    if isinstance(value.type, t.ProgramType):
        return _call_program(context, node, name, value, value.type)
    if isinstance(value.type, t.StructType) and name == "replace":
        return _replace(context, node, value, value.type)
    return value_method(context, node, name, value)


def _replace(context: Context, node: ast.Call, value: tree.Expression, of: t.StructType) -> tree.Expression:
    if node.args:
        raise context.error(node, "`replace` takes keywords only", "write x.replace(member=value)")
    starts: dict[str, tuple[int, t.Type]] = {}
    start = 0
    for field, kind in of.fields:
        starts[field] = start, kind
        start += len(t.kinds(kind))
    changes = []
    for keyword in node.keywords:
        if keyword.arg not in starts:
            raise context.error(keyword, f"{of} has no member `{keyword.arg}`", f"it has {', '.join(starts)}")
        place, kind = starts[keyword.arg]
        changes.append((place, context.check(keyword.value, kind)))
    if len({place for place, _ in changes}) < len(changes):
        raise context.error(node, "a member is replaced twice", "replace it once")
    return tree.Replace(of, value, tuple(changes))


def _call_program(
    context: Context, node: ast.Call, name: str, target: tree.Expression, of: t.ProgramType
) -> tree.Expression:
    methods = context.shared.bundle.interface(of.module, of.name).methods
    signature = methods.get(name)
    if signature is None or signature.kind not in ("external", "view"):
        offered = [name for name, method in methods.items() if method.kind in ("external", "view")]
        instead = suggest.instead_of(name, offered, suggest.listed(offered))
        raise context.error(node, f"{of.name} offers no `{name}`", instead)
    view = signature.kind == "view"
    items, places = arguments(context, node, name, signature.parameters, SPECIAL)
    options = special_places(node, len(node.args))
    if "world" in options and not view:
        raise context.error(node, "`world` is for views only", "remove it, or call a view")
    if not view:
        context.write(node)
    context.call_out(node)
    if "gas" not in options:
        context.effects.uncapped = True
        if context.tolerating:
            raise context.error(node, "a call inside `try` has no gas cap", "add gas=50_000")
    number = selector(name, [p.type for p in signature.parameters])
    return tree.CallProgram(
        signature.result, target, number, items, places, options.get("gas"), options.get("world"), view, node.lineno
    )


def _create_like(context: Context, node: ast.Call) -> tree.Expression:
    """A new program from the code of one: what its `create` takes stands behind the template."""
    template = context.check(node.args[0]) if node.args else None
    if template is None or not isinstance(template.type, t.ProgramType):
        raise context.error(node, "`create_like` takes a program reference first", "create_like(self.option, strike)")
    of = template.type
    create = context.shared.bundle.interface(of.module, of.name).methods.get("create")
    parameters = create.parameters if create is not None and create.kind == "create" else ()
    types = [parameter.type for parameter in parameters]
    if sum(map(t.words, types)) > limits.CREATION_WORDS_MAX:
        wrong = f"`create` of {of.name} takes more than {limits.CREATION_WORDS_MAX} words"
        raise context.error(node, wrong, "create it with less, and give it the rest by an external")
    rest = ast.copy_location(ast.Call(node.func, node.args[1:], node.keywords), node)
    given, places = arguments(context, rest, f"create of {of.name}", parameters, CREATION)
    options = special_places(rest, len(rest.args), CREATION)
    items = [tree.Part(t.ACCOUNT, template, 0), tree.Literal(t.INT, (selector("create", types),)), *given]
    items += [tree.Literal(t.ACCOUNT, (0, 0, 0)), tree.Literal(t.INT, (limits.CREATE_GAS,))]
    context.effects.calls = True  # what the kernel refuses can be tolerated
    admin = 2 + options["program_admin"] if "program_admin" in options else len(items) - 2
    gas = 2 + options["gas"] if "gas" in options else len(items) - 1
    context.write(node)
    order = (0, admin, 1, *(2 + place for place in places))
    return tree.CallProgram(of, KERNEL_TARGET, 0, tuple(items), order, gas, None, False, node.lineno)


def special_places(node: ast.Call, positional: int, special: Collection[str] = SPECIAL.keys()) -> dict[str, int]:
    """Where keywords such as gas= and world= stand among the values of a call."""
    keywords = [keyword.arg for keyword in node.keywords]
    return {name: positional + keywords.index(name) for name in special if name in keywords}
