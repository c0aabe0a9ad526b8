"""
Expressions: names, operators, members, conditions and the narrowing of Optional locals.
"""

from __future__ import annotations

import ast

from execution.compiler import suggest, tree
from execution.compiler import types as t
from execution.compiler.arithmetic import binary, compare, negate, operation
from execution.compiler.check_calls import check_call
from execution.compiler.check_containers import contains, subscript
from execution.compiler.check_sequences import SEQUENCES, used_as_value, written_out
from execution.compiler.context import Context
from execution.compiler.layout import member_offsets
from execution.compiler.scope import Constant, Entity, TypeName, Word

AMBIENT: dict[tuple[str, str], tuple[t.Type, str]] = {
    ("tx", "sender"): (t.ACCOUNT, "sender"),
    ("tx", "signer"): (t.ACCOUNT, "signer"),
    ("block", "time"): (t.TIMESTAMP, "time"),
    ("block", "height"): (t.INT, "height"),
    ("block", "gap"): (t.DURATION, "gap"),
    ("block", "world"): (t.INT, "world"),
}
OUTCOMES = {"DONE": 0, "RETRY": 1}
ENUMS: dict[str, t.EnumType] = {"QuoteStatus": t.QUOTE_STATUS, "Outcome": t.OUTCOME}
MILLISECONDS = (t.TIMESTAMP, t.DURATION)


def check_expression(context: Context, node: ast.expr, expected: t.Type | None) -> tree.Expression:
    """The typed expression of a syntax node; `expected` only helps where a value alone has no type."""
    borrowed = context.borrowed is node
    value = _expression(context, node, expected)
    if isinstance(value.type, t.ArrayType) and not borrowed:
        used_as_value(context, node, value)
    return value


def _expression(context: Context, node: ast.expr, expected: t.Type | None) -> tree.Expression:
    match node:
        case ast.Constant():
            return _constant(context, node, expected)
        case ast.Name():
            return _name(context, node)
        case ast.Attribute():
            return _attribute(context, node)
        case ast.Subscript():
            return subscript(context, node)
        case ast.Call(func=ast.Name(id=name)) if name in SEQUENCES and isinstance(context.find(name, node), Word):
            return written_out(context, node, name, expected)
        case ast.Call():
            return check_call(context, node)
        case ast.BinOp(left=left, op=operator, right=right):
            return binary(context, node, operator, context.check(left), context.check(right))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))) if value == 2**63:
            return tree.Literal(t.INT, (-value,))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return negate(context, node, context.check(operand))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operation(t.BOOL, "not.w", (context.check(operand, t.BOOL),), node.lineno)
        case ast.BoolOp():
            return _logic(context, node)
        case ast.Compare():
            return _comparison(context, node)
        case ast.IfExp():
            return _choice(context, node, expected)
        case ast.Tuple(elts=elements):
            return _tuple(context, node, elements, expected)
    raise context.error(node, "this is not an expression of the language", "use names, numbers and calls")


def _constant(context: Context, node: ast.Constant, expected: t.Type | None) -> tree.Expression:
    match node.value:
        case bool(value):
            return tree.Literal(t.BOOL, (int(value),))
        case int(value):
            if value >= 2**63:
                raise context.error(node, f"{value} does not fit 64 bits", "an int is below 2**63")
            return tree.Literal(t.INT, (value,))
        case None:
            return tree.Literal(t.NONE, ())
        case _:
            instead = _instead_of_text(str(node.value), expected)
            raise context.error(node, "a text is only a reason or a symbol", instead)


def _instead_of_text(text: str, expected: t.Type | None) -> str:
    if isinstance(expected, t.EnumType):
        return f"write {expected}.{text if text in expected.members else expected.members[0]}"
    number = text.removeprefix("-").replace(".", "", 1)
    return f'write Decimal("{text}")' if number.isascii() and number.isdecimal() else 'write Symbol("…")'


def _name(context: Context, node: ast.Name) -> tree.Expression:
    name = node.id
    if name in context.names:
        return _local(context, node)
    if name == "self":
        raise context.error(node, "`self` is not a value", "write self.me for the program's account")
    return _entity(context, node, context.find(name, node))


def _entity(context: Context, node: ast.Name, entity: Entity) -> tree.Expression:
    if isinstance(entity, Constant):
        return entity.value
    if isinstance(entity, Word) and entity.name in OUTCOMES:
        return tree.Literal(t.OUTCOME, (OUTCOMES[entity.name],))
    raise context.error(node, f"`{node.id}` is not a value", "call it, or take one of its members")


def _local(context: Context, node: ast.Name) -> tree.Expression:
    """A local: surely assigned, not dangling; narrowed to its item when surely not None."""
    name, slot = node.id, context.names[node.id]
    if name not in context.flow.assigned:
        raise context.error(node, f"`{name}` may not be assigned here", "assign it on every path before")
    for stale, line in context.flow.stale:
        if stale == name:
            wrong = f"`{name}` may point to what was deleted on line {line}"
            raise context.error(node, wrong, "look it up again, or delete after its last use")
    of = context.slots[slot]
    if name in context.refusals:
        raise context.error(node, "a caught refusal is not a value", f"write {name}.reason")
    if t.is_borrow(of):
        context.uses.append((name, context.births.get(name, 0), node))
    if isinstance(of, t.OptionalType) and name in context.flow.narrowed:
        return tree.Part(of.item, tree.Local(of, slot), 1)
    return tree.Local(of, slot)


def _attribute(context: Context, node: ast.Attribute) -> tree.Expression:
    if isinstance(node.value, ast.Name) and node.value.id not in context.names:
        if node.value.id == "self":
            return _own(context, node)
        entity = context.find(node.value.id, node.value)
        if isinstance(entity, Word):
            return _ambient(context, node, entity.name)
        if isinstance(entity, TypeName) and isinstance(entity.type, t.EnumType):
            return _member_of_enum(context, node, entity.type)
    if isinstance(node.value, ast.Name) and node.value.id in context.refusals and node.attr == "reason":
        return _refusal(context, node.value)
    return member(context, node, context.check(node.value))


def _refusal(context: Context, node: ast.Name) -> tree.Expression:
    """The reason of a caught refusal, inside its handler."""
    if node.id not in context.flow.assigned:
        raise context.error(node, f"`{node.id}` exists only in its handler", "use it there")
    return tree.Local(t.REASON, context.names[node.id])


def _own(context: Context, node: ast.Attribute) -> tree.Expression:
    """self.me or a field of the program."""
    if context.signature is None or not context.signature.is_method:
        raise context.error(node, "`self` exists only in methods", "pass what the function needs")
    if node.attr == "me":
        return tree.Ambient(t.ACCOUNT, "me", node.lineno)
    fields = dict(context.shared.program.fields)
    if node.attr not in fields:
        like = suggest.nearest(node.attr, fields)
        instead = "declare it as a field" if like is None else f"perhaps `self.{like}`"
        if node.attr in context.shared.program.methods:
            instead = "call it"
        raise context.error(node, f"`self.{node.attr}` is not a field", instead)
    return tree.Place(fields[node.attr], None, context.shared.offsets[node.attr], node.lineno, True)


def _ambient(context: Context, node: ast.Attribute, word: str) -> tree.Expression:
    if word in ENUMS:
        return _member_of_enum(context, node, ENUMS[word])
    if (word, node.attr) not in AMBIENT:
        raise context.error(
            node, f"`{word}` has no `{node.attr}`", "tx.sender, tx.signer, block.time, .height, .gap, .world"
        )
    of, name = AMBIENT[word, node.attr]
    return tree.Ambient(of, name, node.lineno)


def _member_of_enum(context: Context, node: ast.Attribute, of: t.EnumType) -> tree.Expression:
    if node.attr not in of.members:
        raise context.error(node, f"{of} has no member `{node.attr}`", f"one of {', '.join(of.members[:8])}")
    return tree.Literal(of, (of.members.index(node.attr),))


def member(context: Context, node: ast.Attribute, value: tree.Expression) -> tree.Expression:
    """`value.attr`: of a struct, a record, a time, an asset or a caught refusal."""
    of, name = value.type, node.attr
    if isinstance(of, t.StructType):
        start = 0
        for field, kind in of.fields:
            if field == name:
                return _part(kind, value, start)
            start += len(t.kinds(kind))
    if isinstance(of, t.RecordType) and name in dict(of.fields):
        return tree.Place(dict(of.fields)[name], value, member_offsets(of.fields)[name], node.lineno, True)
    if (of in MILLISECONDS and name == "ms") or (of in (t.ASSET, t.FEED) and name == "index"):
        return _part(t.INT, value, 0)
    if isinstance(of, t.ProgramType) and name == "me":
        return _part(t.ACCOUNT, value, 0)
    if isinstance(of, t.OptionalType):
        raise context.error(node, f"this may be None and has no `{name}`", "test `is not None` on a local first")
    raise context.error(node, f"{of} has no member `{name}`", _members_of(of))


def _members_of(of: t.Type) -> str:
    """What to write instead of a member that a type has not; at most eight names."""
    if isinstance(of, (t.StructType, t.RecordType)) and of.fields:
        return f"it has {', '.join(name for name, _ in of.fields[:8])}{', …' if len(of.fields) > 8 else ''}"
    if of in MILLISECONDS:
        return "it has ms"
    return "it has index" if of in (t.ASSET, t.FEED) else "use the value itself"


def _part(of: t.Type, value: tree.Expression, start: int) -> tree.Expression:
    if isinstance(value, tree.Place):
        skipped = t.kinds(value.type)[:start]
        offset = value.offset + sum(16 if kind == "d" else 8 for kind in skipped)
        return tree.Place(of, value.base, offset, value.line)
    if isinstance(value, tree.Literal):
        return tree.Literal(of, value.values[start : start + len(t.kinds(of))])
    return tree.Part(of, value, start)


def _logic(context: Context, node: ast.BoolOp) -> tree.Expression:
    """and / or, from left to right; each operand sees what the ones before it narrowed."""
    both, before = isinstance(node.op, ast.And), context.flow
    result = context.check(node.values[0], t.BOOL)
    for previous, operand in zip(node.values, node.values[1:], strict=False):
        present, absent = narrowing(context, previous)
        context.flow = context.flow.narrow(present if both else absent)
        result = tree.Logic(t.BOOL, both, result, context.check(operand, t.BOOL), node.lineno)
    context.flow = context.flow.widen(context.flow.narrowed - before.narrowed)
    return result


def _comparison(context: Context, node: ast.Compare) -> tree.Expression:
    left = context.check(node.left)
    result: tree.Expression | None = None
    for index, (operator, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
        if isinstance(operator, (ast.Is, ast.IsNot, ast.In, ast.NotIn)):
            if len(node.ops) > 1:
                raise context.error(node, "`is` and `in` are not chained", "combine with `and`")
            return _membership(context, node, left, operator, right_node)
        right = context.check(right_node)
        again = right
        if index + 1 < len(node.ops) and not isinstance(right, (tree.Literal, tree.Local)):
            slot = context.new_slot(right.type, right_node)
            right, again = tree.Bind(right.type, slot, right), tree.Local(right.type, slot)
        single = compare(context, node, operator, left, right)
        result = single if result is None else tree.Logic(t.BOOL, True, result, single, node.lineno)
        left = again
    assert result is not None
    return result


def _membership(
    context: Context, node: ast.Compare, left: tree.Expression, operator: ast.cmpop, right: ast.expr
) -> tree.Expression:
    if isinstance(operator, (ast.In, ast.NotIn)):
        found = contains(context, node, left, right)
        return operation(t.BOOL, "not.w", (found,), node.lineno) if isinstance(operator, ast.NotIn) else found
    if not (isinstance(right, ast.Constant) and right.value is None):
        raise context.error(node, "`is` compares with None only", "write ==")
    name = node.left.id if isinstance(node.left, ast.Name) else ""
    if isinstance(left, tree.Part) and name in context.flow.narrowed:
        left = left.value
    if not isinstance(left.type, t.OptionalType):
        raise context.error(node, f"{left.type} is never None", "remove the test")
    tag = _part(t.BOOL, left, 0)
    return tag if isinstance(operator, ast.IsNot) else operation(t.BOOL, "not.w", (tag,), node.lineno)


def narrowing(context: Context, node: ast.expr) -> tuple[frozenset[str], frozenset[str]]:
    """(locals surely not None when the condition holds, when it does not)."""
    none: frozenset[str] = frozenset()
    match node:
        case ast.Compare(left=ast.Name(id=name), ops=[operator], comparators=[ast.Constant(value=None)]):
            if isinstance(operator, ast.IsNot):
                return frozenset({name}), none
            if isinstance(operator, ast.Is):
                return none, frozenset({name})
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            present, absent = narrowing(context, operand)
            return absent, present
        case ast.BoolOp(op=operator, values=values):
            sides = [narrowing(context, value) for value in values]
            if isinstance(operator, ast.And):
                return none.union(*(present for present, _ in sides)), none
            return none, none.union(*(absent for _, absent in sides))
    return none, none


def _choice(context: Context, node: ast.IfExp, expected: t.Type | None) -> tree.Expression:
    test = context.check(node.test, t.BOOL)
    present, absent = narrowing(context, node.test)
    before = context.flow
    context.flow = before.narrow(present)
    then = context.check(node.body, expected)
    after_then = context.flow.widen(present - before.narrowed)
    context.flow = before.narrow(absent)
    other = context.check(node.orelse, expected)
    context.flow = after_then.join(context.flow.widen(absent - before.narrowed))
    if then.type != other.type:
        raise context.error(node, f"one side is a {then.type}, the other a {other.type}", "make both the same type")
    return tree.Choice(then.type, test, then, other, node.lineno)


def _tuple(context: Context, node: ast.Tuple, elements: list[ast.expr], expected: t.Type | None) -> tree.Expression:
    wanted: list[t.Type | None] = [None] * len(elements)
    if isinstance(expected, t.TupleType) and len(expected.items) == len(elements):
        wanted = list(expected.items)
    items = tuple(context.check(element, of) for element, of in zip(elements, wanted, strict=True))
    return tree.Join(t.TupleType(tuple(item.type for item in items)), items)
