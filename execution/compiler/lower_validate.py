"""
Values from outside: whether packed words are the image of a value of their type. Anything else rejects "bad argument".

Used for the arguments of entries and for what other programs return: a hostile caller or callee cannot smuggle in a
bool of 7.
"""

from __future__ import annotations

from execution.compiler import ir
from execution.compiler import types as t
from execution.compiler.lower_build import Builder, Values, word

SYMBOL_CHECK = "check.symbol"
BAD = "bad argument"


def validate(builder: Builder, of: t.Type, values: Values) -> None:
    """Reject unless the registers hold a value of the type."""
    match of:
        case t.Scalar("bool"):
            _below(builder, values[0], 2)
        case t.EnumType(_, members):
            _below(builder, values[0], len(members))
        case t.Scalar("account") | t.ProgramType():
            _below(builder, values[2], 1 << 32)
        case t.Scalar("symbol"):
            builder.program.checks_symbols = True
            builder.add(ir.CallFunction((), SYMBOL_CHECK, values, builder.line))
        case t.OptionalType(item):
            _validate_optional(builder, item, values)
        case t.ArrayType():
            _validate_sequence(builder, of, values)
        case t.StructType(_, fields):
            _validate_members(builder, tuple(kind for _, kind in fields), values)
        case t.TupleType(items):
            _validate_members(builder, items, values)
        case _:
            pass


def _below(builder: Builder, value: ir.Operand, limit: int) -> None:
    low = builder.operation("ge.w", value, word(0))
    high = builder.operation("lt.w", value, word(limit))
    builder.reject_unless(builder.operation("and.w", low, high), BAD)


def _validate_members(builder: Builder, types: tuple[t.Type, ...], values: Values) -> None:
    start = 0
    for of in types:
        count = len(t.kinds(of))
        validate(builder, of, values[start : start + count])
        start += count


def _validate_optional(builder: Builder, item: t.Type, values: Values) -> None:
    """A tag of 0 or 1; all zero when absent."""
    _below(builder, values[0], 2)
    then: list[ir.Instruction] = []
    other: list[ir.Instruction] = []
    with builder.block(then):
        validate(builder, item, values[1:])
    with builder.block(other):
        _zeros(builder, values[1:])
    builder.add(ir.If(values[0], tuple(then), tuple(other), builder.line))


def _validate_sequence(builder: Builder, of: t.ArrayType, values: Values) -> None:
    """Every value that is there; behind the length of a bounded list nothing but zeros."""
    width = len(t.kinds(of.item))
    if not of.bounded:
        for start in range(0, len(values), width):
            validate(builder, of.item, values[start : start + width])
        return
    length, places = values[0], values[1:]
    _below(builder, length, of.count + 1)
    for index in range(of.count):
        place = places[index * width : (index + 1) * width]
        then: list[ir.Instruction] = []
        other: list[ir.Instruction] = []
        with builder.block(then):
            validate(builder, of.item, place)
        with builder.block(other):
            _zeros(builder, place)
        there = builder.operation("gt.w", length, word(index))
        builder.add(ir.If(there, tuple(then), tuple(other), builder.line))


def _zeros(builder: Builder, values: Values) -> None:
    for value in values:
        builder.reject_unless(builder.operation(f"eq.{value.kind}", value, ir.Const(0, value.kind)), BAD)


def symbol_check(builder: Builder) -> ir.Function:
    """check.symbol(low, high): printable ASCII, zeros only at the end."""
    words = (builder.fixed("w"), builder.fixed("w"))
    ended, left, character = builder.temporary(), builder.temporary(), builder.temporary()
    for value in words:
        builder.reject_if(builder.operation("lt.w", value, word(0)), BAD)
        builder.copy((left,), (word(8),))
        label, body = builder.label(), list[ir.Instruction]()
        with builder.block(body):
            builder.add(ir.If(left, (), (ir.Leave(label),)))
            builder.add(ir.Op("mod.w", (character,), (value, word(256))))
            builder.add(ir.Op("floordiv.w", (value,), (value, word(256))))
            builder.add(ir.Op("address.w", (left,), (left, word(-1))))
            _check_character(builder, character, ended)
        builder.add(ir.Scope(label, (ir.Loop(tuple(body)),)))
    return builder.finish(SYMBOL_CHECK, 2, (), 0)


def _check_character(builder: Builder, character: ir.Reg, ended: ir.Reg) -> None:
    present: list[ir.Instruction] = []
    with builder.block(present):
        builder.reject_if(ended, BAD)
        low = builder.operation("ge.w", character, word(32))
        high = builder.operation("le.w", character, word(126))
        builder.reject_unless(builder.operation("and.w", low, high), BAD)
    builder.add(ir.If(character, tuple(present), (ir.Op("copy.w", (ended,), (word(1),)),)))
