"""
Expressions in IR: every one becomes the operands of its registers, strictly from left to right.
"""

from __future__ import annotations

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.lower_build import Builder, Values, word
from execution.compiler.lower_containers import item, place_base, query
from execution.compiler.lower_sequences import locate, sequence_value
from execution.compiler.lower_validate import BAD, validate


def lower_expression(builder: Builder, expression: tree.Expression) -> Values:
    """Operands of the value, one for each of kinds(type)."""
    match expression:
        case tree.Literal(of, values):
            return tuple(ir.Const(value, kind) for value, kind in zip(values, t.kinds(of), strict=True))
        case tree.Local(of, slot):
            return builder.read(of, builder.rooms[slot]) if slot in builder.rooms else builder.slots[slot]
        case tree.Bind(of, slot, value):
            builder.assign((slot,), builder.lower(value))
            return builder.lower(tree.Local(of, slot))
        case tree.Operation(_, name, args):
            operands = tuple(builder.lower(arg)[0] for arg in args)
            return (builder.operation(name, *operands),)
        case tree.Equal():
            return _equal(builder, expression)
        case tree.Logic():
            return _logic(builder, expression)
        case tree.Choice():
            return _choice(builder, expression)
        case tree.Copy(_, value):
            return builder.lower(value)
        case tree.Element() | tree.TakeLast() | tree.Resize() | tree.Digest():
            return sequence_value(builder, expression)
        case tree.Join() | tree.Permute() | tree.Part() | tree.Replace():
            return _arrange(builder, expression)
        case tree.Place():
            return _place(builder, expression)
        case tree.Item():
            return item(builder, expression)
        case tree.Query():
            return query(builder, expression)
        case tree.Call(of, function, args, line):
            operands = tuple(value for arg in args for value in builder.lower(arg))
            outs = builder.temporaries(of)
            builder.add(ir.CallFunction(outs, function, operands, line))
            return outs
        case tree.CallProgram():
            return _call_program(builder, expression)
        case tree.Ambient(of, name, line):
            outs = builder.temporaries(of)
            builder.add(ir.Context(outs, name, line))
            return outs
        case tree.Ask(of, name, args, line):
            operands = tuple(value for arg in args for value in builder.lower(arg))
            outs = builder.temporaries(of)
            builder.add(ir.Service(outs, name, operands, line))
            return outs
        case tree.Price(_, feed, line):
            return _price(builder, builder.lower(feed), line)


def _equal(builder: Builder, expression: tree.Equal) -> Values:
    left, right = builder.lower(expression.left), builder.lower(expression.right)
    result: ir.Operand | None = None
    for a, b in zip(left, right, strict=True):
        same = builder.operation(f"eq.{a.kind}", a, b)
        result = same if result is None else builder.operation("and.w", result, same)
    if result is None:
        result = word(1)
    return (builder.operation("not.w", result),) if expression.negated else (result,)


def _logic(builder: Builder, expression: tree.Logic) -> Values:
    result = builder.temporary()
    builder.copy((result,), builder.lower(expression.left))
    more: list[ir.Instruction] = []
    with builder.block(more):
        builder.copy((result,), builder.lower(expression.right))
    then, other = (tuple(more), ()) if expression.both else ((), tuple(more))
    builder.add(ir.If(result, then, other, expression.line))
    return (result,)


def _choice(builder: Builder, expression: tree.Choice) -> Values:
    (test,) = builder.lower(expression.test)
    outs = builder.temporaries(expression.type)
    sides: list[tuple[ir.Instruction, ...]] = []
    for side in (expression.then, expression.other):
        block: list[ir.Instruction] = []
        with builder.block(block):
            builder.copy(outs, builder.lower(side))
        sides.append(tuple(block))
    builder.add(ir.If(test, sides[0], sides[1], expression.line))
    return outs


def _arrange(builder: Builder, expression: tree.Join | tree.Permute | tree.Part | tree.Replace) -> Values:
    """Registers side by side, in another order, some of them, or some exchanged."""
    match expression:
        case tree.Join(_, items):
            return tuple(value for each in items for value in builder.lower(each))
        case tree.Permute(_, items, places):
            lowered = [builder.lower(each) for each in items]
            return tuple(value for place in places for value in lowered[place])
        case tree.Part(of, value, start):
            place = locate(builder, expression) if isinstance(value, (tree.Local, tree.Part, tree.Element)) else None
            if place is not None:
                return builder.read(of, place)
            return builder.lower(value)[start : start + len(t.kinds(of))]
        case tree.Replace(_, value, changes):
            values = list(builder.lower(value))
            for start, change in changes:
                new = builder.lower(change)
                values[start : start + len(new)] = new
            return tuple(values)


def _place(builder: Builder, place: tree.Place) -> Values:
    base = place_base(builder, place)
    if t.is_flat(place.type):
        return builder.load(place.type, base, place.offset)
    if isinstance(base, ir.Const):
        return (word(base.value + place.offset),)
    return (builder.operation("address.w", base, word(place.offset)),) if place.offset else (base,)


def _call_program(builder: Builder, call: tree.CallProgram) -> Values:
    """The caller checks what comes back: it may be any program that has the entry."""
    first, second, third = builder.lower(call.target)
    items = [builder.lower(arg) for arg in call.args]
    args = tuple(value for place in call.order for value in items[place])
    gas = None if call.gas is None else items[call.gas][0]
    world: Values = ()
    if call.world is not None:
        world = items[call.world]
        builder.reject_unless(builder.operation("ge.w", world[0], word(1)), BAD)
    outs = builder.temporaries(call.type)
    target = (first, second, third)
    builder.add(ir.Invoke(outs, target, call.selector, args, gas, world, call.view, call.line))
    validate(builder, call.type, outs)
    return outs


def _price(builder: Builder, feed: Values, line: int) -> Values:
    outs = builder.temporaries(t.QUOTE)
    builder.add(ir.Service(outs, "quote", feed, line))
    fresh = t.QUOTE_STATUS.members.index("FRESH")
    builder.reject_unless(builder.operation("eq.w", outs[4], word(fresh)), "no price")
    return (outs[1],)
