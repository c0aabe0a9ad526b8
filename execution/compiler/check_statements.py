"""
Statements without a body: assignments, deletions, returns, failures, and calls for their effect.

A value is evaluated before the place it goes to, as in Python; an augmented assignment evaluates its place first,
once.
"""

from __future__ import annotations

import ast

from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.arithmetic import binary
from execution.compiler.check_builtins import handler, reason_of
from execution.compiler.check_containers import delete, key_type
from execution.compiler.check_expressions import member
from execution.compiler.check_sequences import (
    changed_in_place,
    check_named,
    check_returned,
    own,
    store_element,
)
from execution.compiler.context import Context, is_field
from execution.compiler.scope import Word
from execution.compiler.selector import selector

Statements = list[tree.Statement]


def assign(context: Context, node: ast.Assign | ast.AnnAssign) -> Statements:
    """`target = value`, `a, b = value`, `name: Type = value`."""
    if isinstance(node, ast.AnnAssign):
        return _annotated(context, node)
    if len(node.targets) != 1:
        raise context.error(node, "one assignment has one target", "write one statement for each")
    target = node.targets[0]
    match target:
        case ast.Name():
            value = context.check(node.value, _expected(context, target))
            return [_assign_name(context, target, value, node.value)]
        case ast.Tuple(elts=elements):
            return _assign_tuple(context, node, elements)
        case ast.Attribute():
            return [_store_member(context, node, target)]
        case ast.Subscript():
            return [_store_item(context, node, target)]
    raise context.error(node, "this is not assigned to", "assign to a local, a field or an item")


def _expected(context: Context, target: ast.Name) -> t.Type | None:
    """Only an Optional local converts what it is given; other locals must be given their own type."""
    slot = context.names.get(target.id)
    of = None if slot is None else context.slots[slot]
    return of if isinstance(of, t.OptionalType) else None


def _annotated(context: Context, node: ast.AnnAssign) -> Statements:
    if not isinstance(node.target, ast.Name) or node.value is None:
        raise context.error(node, "only `name: Type = value` stands here", "give it a value")
    of = context.shared.bundle.type_of(context.module, node.annotation)
    value = context.check(node.value, of)
    return [_assign_name(context, node.target, value, node.value)]


def _assign_name(context: Context, target: ast.Name, value: tree.Expression, source: ast.AST) -> tree.Statement:
    if value.type == t.NONE:
        raise context.error(source, "this has no value", "write `name: Optional[T] = None`, or drop the assignment")
    if isinstance(value.type, t.TupleType):
        raise context.error(source, "several values need several names", "a, b = …")
    if target.id in context.refusals:
        raise context.error(target, f"`{target.id}` is a caught refusal", "use another name")
    check_named(context, target.id, value, target, source)
    slot = context.declare(target.id, value.type, target)
    context.assigned(target.id, _present(context, value))
    return tree.Assign((slot,), value, target.lineno)


def _present(context: Context, value: tree.Expression) -> bool:
    """Whether an Optional value is surely not None."""
    return isinstance(value.type, t.OptionalType) and isinstance(value, tree.Join)


def _assign_tuple(context: Context, node: ast.Assign, elements: list[ast.expr]) -> Statements:
    since = len(context.killed)
    value = context.check(node.value)
    if not isinstance(value.type, t.TupleType) or len(value.type.items) != len(elements):
        raise context.error(node, "the number of names and of values differs", "give one name to each value")
    for of in value.type.items:
        if t.is_borrow(of) and isinstance(node.value, ast.Tuple) and of in {kind for kind, _ in context.killed[since:]}:
            raise context.error(node, f"the {of} may be deleted within this statement", "split the statement")
    slots: list[int] = []
    names: list[str] = []
    for element, of in zip(elements, value.type.items, strict=True):
        if not isinstance(element, ast.Name) or element.id in names:
            raise context.error(element, "only different locals stand here", "assign fields in statements of their own")
        if isinstance(value, tree.Join):
            check_named(context, element.id, value.items[len(names)], element, node.value)
        elif isinstance(of, t.ArrayType):
            own(context, element.id, element)
        slots.append(context.declare(element.id, of, element))
        names.append(element.id)
    for name in names:
        context.assigned(name)
    return [tree.Assign(tuple(slots), value, node.lineno)]


def place_of(context: Context, target: ast.Attribute) -> tree.Place:
    """The place of a field or of a record's member that is stored to."""
    owner = target.value
    if isinstance(owner, ast.Name) and owner.id == "self":
        place = context.borrow(target)
    else:
        base = context.check(owner)
        if not isinstance(base.type, t.RecordType):
            raise context.error(target, "a struct is frozen", "write `x = x.replace(member=value)`")
        place = member(context, target, base)
    if not isinstance(place, tree.Place):
        raise context.error(target, "this is not assigned to", "assign to a field of the program or of a record")
    if not t.is_flat(place.type):
        raise context.error(target, f"{place.type} is never assigned", "change what is in it")
    return place


def _store_member(context: Context, node: ast.Assign, target: ast.Attribute) -> tree.Statement:
    expected = _type_of_target(context, target)
    value = context.check(node.value, expected)
    place = place_of(context, target)
    context.write(node)
    if isinstance(place.type, t.ArrayType):
        context.change(place.type, node)
    return tree.StorePlace(place, context.convert(value, place.type, node.value), node.lineno)


def _type_of_target(context: Context, target: ast.Attribute | ast.Subscript) -> t.Type | None:
    """The type a value is checked for: that of an own field, and of any place that holds a sequence."""
    of = _type_of(context, target)
    own_field = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    return of if own_field or isinstance(of, t.ArrayType) else None


def _type_of(context: Context, node: ast.expr) -> t.Type | None:
    """The type of a place, seen without checking it; None when that takes more than names."""
    match node:
        case ast.Name(id=name) if name in context.names:
            return context.slots[context.names[name]]
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return dict(context.shared.program.fields).get(name)
        case ast.Attribute(value=owner, attr=name):
            of = _type_of(context, owner)
            return dict(of.fields).get(name) if isinstance(of, (t.StructType, t.RecordType)) else None
        case ast.Subscript(value=owner):
            of = _type_of(context, owner)
            if isinstance(of, t.ArrayType):
                return of.item
            return t.value_of(of) if isinstance(of, t.CONTAINERS) else None
    return None


def _store_item(context: Context, node: ast.Assign, target: ast.Subscript) -> tree.Statement:
    value = context.check(node.value, _type_of_target(context, target))
    container = context.borrow(target.value)
    if isinstance(container.type, t.ArrayType):
        return store_element(context, node, target, container, value)
    if not isinstance(container.type, t.CONTAINERS):
        raise context.error(target, f"{container.type} is not a container", "use a Map, OrderedMap or List")
    if isinstance(container.type, t.QueueType):
        raise context.error(node, "a Queue has no places", "push at the end, or use a List")
    of = t.value_of(container.type)
    if not t.is_flat(of):
        raise context.error(node, f"{of} is never assigned", "write m.create(key) or m.obtain(key) and fill it")
    since = len(context.killed)
    key = context.check(target.slice, key_type(container.type))
    context.hold(container, since, node)
    _change_keys(context, container.type, node)
    return tree.StoreItem(container, key, context.convert(value, of, node.value), node.lineno)


def _change_keys(context: Context, of: t.Container, node: ast.AST) -> None:
    if isinstance(of, t.MapType):
        context.change(of, node)
    else:
        context.write(node)


def augment(context: Context, node: ast.AugAssign) -> Statements:
    """`target op= value`."""
    target = node.target
    if isinstance(target, ast.Name):
        left = context.check(ast.Name(target.id, ast.Load(), lineno=target.lineno, col_offset=target.col_offset))
        value = binary(context, node, node.op, left, context.check(node.value))
        return [_assign_name(context, target, value, node)]
    if isinstance(target, ast.Attribute):
        return _augment_member(context, node, target)
    if isinstance(target, ast.Subscript):
        return _augment_item(context, node, target)
    raise context.error(node, "this is not assigned to", "assign to a local, a field or an item")


def _kept(context: Context, value: tree.Expression, node: ast.AST, before: Statements) -> tree.Expression:
    """The value in a slot of its own, unless it may be repeated freely."""
    if isinstance(value, tree.Literal) or (is_field(value) and t.is_borrow(value.type)):
        return value
    slot = context.new_slot(value.type, node)
    before.append(tree.Assign((slot,), value, getattr(node, "lineno", 0)))
    return tree.Local(value.type, slot)


def _augment_member(context: Context, node: ast.AugAssign, target: ast.Attribute) -> Statements:
    before: Statements = []
    place = place_of(context, target)
    since = len(context.killed)
    if place.base is not None:
        place = tree.Place(place.type, _kept(context, place.base, target, before), place.offset, place.line)
    left = _kept(context, place, target, before)
    value = binary(context, node, node.op, left, context.check(node.value))
    if place.base is not None:
        context.hold(place.base, since, node)
    context.write(node)
    return [*before, tree.StorePlace(place, context.convert(value, place.type, node), node.lineno)]


def _augment_item(context: Context, node: ast.AugAssign, target: ast.Subscript) -> Statements:
    """The entry found is stored to directly when nothing in between can remove it."""
    before: Statements = []
    item = context.check(target)
    if isinstance(item, tree.Element):
        return _augment_element(context, node, item)
    if not isinstance(item, tree.Item) or not t.is_flat(item.type):
        raise context.error(node, f"{item.type} is never assigned", "change what is in it")
    of = item.container.type
    assert isinstance(of, t.CONTAINERS)
    container = _kept(context, item.container, target, before)
    key = _kept(context, item.key, target, before)
    since, changes = len(context.killed), len(context.changed)
    address_slot = context.new_slot(t.ListType(item.type), target)
    found = tree.Item(t.ListType(item.type), container, key, "find", item.line)
    address = tree.Local(t.ListType(item.type), address_slot)
    before.append(tree.Assign((address_slot,), found, item.line))
    left = _kept(context, tree.Place(item.type, address, 0, item.line), target, before)
    value = binary(context, node, node.op, left, context.check(node.value))
    value = context.convert(value, item.type, node)
    context.hold(container, since, node)
    if of in context.changed[changes:]:
        _change_keys(context, of, node)
        return [*before, tree.StoreItem(container, key, value, node.lineno)]
    context.write(node)
    return [*before, tree.StorePlace(tree.Place(item.type, address, 0, node.lineno), value, node.lineno)]


def _augment_element(context: Context, node: ast.AugAssign, item: tree.Element) -> Statements:
    before: Statements = []
    sequence = item.sequence
    changed_in_place(context, sequence, node.target)
    since = len(context.killed)
    if isinstance(sequence, tree.Place) and sequence.base is not None:
        base = _kept(context, sequence.base, node.target, before)
        sequence = tree.Place(sequence.type, base, sequence.offset, sequence.line, True)
    index = _kept(context, item.index, node.target, before)
    found = tree.Element(item.type, sequence, index, True, item.line)
    left = _kept(context, found, node.target, before)
    value = context.convert(binary(context, node, node.op, left, context.check(node.value)), item.type, node)
    if isinstance(sequence, tree.Place) and sequence.base is not None:
        context.hold(sequence.base, since, node)
    return [*before, tree.StoreElement(sequence, index, value, node.lineno)]


def remove(context: Context, node: ast.Delete) -> Statements:
    """`del m[k]`, one or more."""
    statements: Statements = []
    for target in node.targets:
        if not isinstance(target, ast.Subscript):
            raise context.error(node, "only items of a Map are deleted", "del m[key]")
        statements.append(tree.Evaluate(delete(context, target), node.lineno))
    return statements


def give_back(context: Context, node: ast.Return) -> Statements:
    """`return`, with the type of the signature."""
    assert context.signature is not None
    result = context.signature.result
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None and result == t.NONE):
        if result != t.NONE:
            raise context.error(node, "a value is expected", f"return a value of type {result}")
        context.flow = context.flow.ended()
        return [tree.Give(None, node.lineno)]
    if result == t.NONE:
        raise context.error(
            node, f"`{context.signature.name}` returns nothing", "remove the value, or give it a result type"
        )
    if isinstance(result, t.TupleType):
        value = context.check(node.value)
        value = _convert_tuple(context, value, result, node.value)
        check_returned(context, value.items if isinstance(value, tree.Join) else (), node)
    else:
        value = context.check(node.value, result)
        check_returned(context, (value,), node)
    context.flow = context.flow.ended()
    return [tree.Give(value, node.lineno)]


def _convert_tuple(context: Context, value: tree.Expression, to: t.TupleType, node: ast.expr) -> tree.Expression:
    if value.type == to:
        return value
    if not isinstance(value, tree.Join) or not isinstance(value.type, t.TupleType) or len(value.items) != len(to.items):
        raise context.error(node, f"this is of type {value.type}, {to} is expected", "return one value for each")
    items = tuple(context.convert(item, of, node) for item, of in zip(value.items, to.items, strict=True))
    return tree.Join(to, items)


def fail(context: Context, node: ast.Raise) -> Statements:
    """`raise Rejected("text")`, or with a Reason; `from None` changes nothing."""
    plain = node.cause is None or (isinstance(node.cause, ast.Constant) and node.cause.value is None)
    match node.exc:
        case ast.Call(func=ast.Name(id="Rejected" as name), args=[argument], keywords=[]) as call if plain:
            if isinstance(context.find(name, call), Word):
                text = isinstance(argument, ast.Constant)
                reason = reason_of(context, call, 0) if text else context.check(argument, t.REASON)
                context.flow = context.flow.ended()
                return [tree.Fail(reason, node.lineno)]
    raise context.error(node, "only Rejected is raised", 'write raise Rejected("why")')


def expression_statement(context: Context, node: ast.Expr) -> Statements:
    """A call for its effect: require, emit, at_end, or any other."""
    call = node.value
    if not isinstance(call, ast.Call):
        raise context.error(node, "this statement has no effect", "assign it, or remove it")
    if isinstance(call.func, ast.Name) and call.func.id not in context.names:
        entity = context.find(call.func.id, call.func)
        if isinstance(entity, Word) and entity.name in EFFECTS:
            return [EFFECTS[entity.name](context, call)]
    return [tree.Evaluate(context.check(call), node.lineno)]


def _require(context: Context, node: ast.Call) -> tree.Statement:
    if len(node.args) != 2 or node.keywords:
        raise context.error(
            node, "`require` takes a condition and a text", 'require(amount > 0, "amount must be positive")'
        )
    test = context.check(node.args[0], t.BOOL)
    reason = reason_of(context, node, 1)
    return tree.Branch(test, (), (tree.Fail(reason, node.lineno),), node.lineno)


def _emit(context: Context, node: ast.Call) -> tree.Statement:
    if len(node.args) != 1 or node.keywords:
        raise context.error(node, "`emit` takes one event", "emit(Transferred(…))")
    value = context.check(node.args[0])
    if not isinstance(value.type, t.StructType) or not value.type.event:
        raise context.error(node, f"{value.type} is not an event", "define `class Name(Event)`")
    context.write(node)
    events = context.shared.events
    if value.type not in events:
        events.append(value.type)
    return tree.Announce(events.index(value.type), value, node.lineno)


def _at_end(context: Context, node: ast.Call) -> tree.Statement:
    if len(node.args) != 2 or node.keywords:
        raise context.error(node, "`at_end` takes a handler and an account", "at_end(self.check_margin, account)")
    signature = handler(context, node, 0)
    types = [p.type for p in signature.parameters]
    if signature.kind != "internal" or types != [t.ACCOUNT] or signature.result != t.NONE:
        instead = f"def {signature.name}(self, account: Account) -> None, without decorator"
        raise context.error(node, f"`{signature.name}` cannot be the handler here", instead)
    account = context.check(node.args[1], t.ACCOUNT)
    context.write(node)
    context.shared.handlers[signature.name] = signature
    return tree.Later(selector(signature.name, types), account, node.lineno)


EFFECTS = {"require": _require, "emit": _emit, "at_end": _at_end}
