"""
Sequences in IR: where they lie, their elements by address, and the changes of their length.

A sequence in a field lies in state, one in a local in scratch, each as its packed image; one that is only a value is
brought to scratch before it is indexed.
"""

from __future__ import annotations

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.lower_build import Builder, Location, Values, byte_count, word
from execution.compiler.lower_containers import item_address, place_base
from execution.vm.layout import WORD_BYTES
from execution.vm.runtime.sha256 import BLOCK_BYTES, DIGEST_BYTES, WORK_BYTES

INDEX = "index out of range"
ZEROED_WORDS = 32  # in one turn of a loop


def locate(builder: Builder, expression: tree.Expression) -> Location | None:
    """Where a value lies in memory; None, and nothing written, for one that is only in registers."""
    match expression:
        case tree.Local(_, slot):
            return builder.rooms.get(slot)
        case tree.Part(_, value, start):
            inside = locate(builder, value)
            return None if inside is None else inside.at(byte_count(t.kinds(value.type)[:start]))
        case tree.Place():
            return Location(True, place_base(builder, expression), expression.offset)
        case tree.Item():
            return Location(True, *item_address(builder, expression))
        case tree.Element():
            return _element(builder, expression)
        case _:
            return None


def sequence_place(builder: Builder, sequence: tree.Expression, live: bool) -> Location:
    """Where a sequence lies for as long as a statement runs; a copy when it is not live."""
    place = locate(builder, sequence) if live else None
    if place is None:
        return _brought(builder, sequence)
    return Location(place.state, builder.settled(place.base), place.offset) if place.state else place


def _brought(builder: Builder, expression: tree.Expression) -> Location:
    values = builder.lower(expression)
    place = builder.room(byte_count(value.kind for value in values))
    builder.write(values, place)
    return place


def _element(builder: Builder, element: tree.Element) -> Location:
    of = element.sequence.type
    assert isinstance(of, t.ArrayType)
    in_place = element.live or _quiet(element.index)
    place = (locate(builder, element.sequence) if in_place else None) or _brought(builder, element.sequence)
    return _checked(builder, of, place, builder.lower(element.index)[0])


def _quiet(index: tree.Expression) -> bool:
    """Whether computing the index surely changes nothing."""
    match index:
        case tree.Literal() | tree.Local():
            return True
        case tree.Operation(_, _, args):
            return all(_quiet(arg) for arg in args)
        case tree.Part(_, value):
            return _quiet(value)
        case _:
            return False


def length(builder: Builder, of: t.ArrayType, place: Location) -> ir.Operand:
    """How many values there are."""
    return builder.read(t.INT, place)[0] if of.bounded else word(of.count)


def _checked(builder: Builder, of: t.ArrayType, place: Location, index: ir.Operand) -> Location:
    """Place of an element; rejects an index out of range."""
    known = isinstance(index, ir.Const) and 0 <= index.value < of.count
    if not known:
        low = builder.operation("ge.w", index, word(0))
        high = builder.operation("lt.w", index, length(builder, of, place))
        builder.reject_unless(builder.operation("and.w", low, high), INDEX)
    elif of.bounded:
        builder.reject_unless(builder.operation("lt.w", index, length(builder, of, place)), INDEX)
    return element_place(builder, of, place, index)


def element_place(builder: Builder, of: t.ArrayType, place: Location, index: ir.Operand) -> Location:
    """Place of an element whose index is in range."""
    start, size = place.at(WORD_BYTES * of.bounded), WORD_BYTES * t.words(of.item)
    if isinstance(index, ir.Const):
        return start.at(size * index.value)
    base = builder.operation("address.w", start.base, builder.operation("mul.w", index, word(size)))
    return Location(start.state, base, start.offset)


def sequence_value(builder: Builder, expression: tree.Element | tree.TakeLast | tree.Resize | tree.Digest) -> Values:
    """An element, a change of length, a digest."""
    match expression:
        case tree.Element(of):
            return builder.read(of, _element(builder, expression))
        case tree.Resize():
            return _resize(builder, expression)
        case tree.TakeLast(_, sequence):
            return _take_last(builder, sequence)
        case tree.Digest(of, args):
            return _digest(builder, of, args)


def _digest(builder: Builder, of: t.Type, args: tuple[tree.Expression, ...]) -> Values:
    values = tuple(value for arg in args for value in builder.lower(arg))
    size = byte_count(value.kind for value in values)
    blocks = (size + BLOCK_BYTES + 8) // BLOCK_BYTES
    place = builder.room(max(BLOCK_BYTES * blocks + WORK_BYTES, DIGEST_BYTES))
    builder.write(values, place)
    address = builder.operation("address.w", place.base, word(place.offset))
    builder.add(ir.Runtime((), "sha256", (address, word(size)), builder.line))
    return builder.read(of, place)


def _placed(builder: Builder, sequence: tree.Expression) -> tuple[t.ArrayType, Location]:
    of, place = sequence.type, locate(builder, sequence)
    assert isinstance(of, t.ArrayType) and place is not None
    return of, place


def _take_last(builder: Builder, sequence: tree.Expression) -> Values:
    """The last value; its place is zeroed."""
    of, place = _placed(builder, sequence)
    count = length(builder, of, place)
    builder.reject_unless(count, "empty")
    left = builder.operation("address.w", count, word(-1))
    last = element_place(builder, of, place, left)
    values = builder.read(of.item, last)
    builder.write(_zeros(of.item), last)
    builder.write((left,), place)
    return values


def _zeros(of: t.Type) -> Values:
    return tuple(ir.Const(0, kind) for kind in t.kinds(of))


def write_zeros(builder: Builder, of: t.Type, place: Location) -> None:
    """The zero of a type; much of it to scratch by a loop."""
    rounds, rest = divmod(t.words(of), ZEROED_WORDS)
    if place.state or not rounds:
        builder.write(_zeros(of), place)
        return
    some = (ir.Const(0, "w"),) * ZEROED_WORDS
    cursor = builder.operation("address.w", place.base, word(place.offset))
    end = builder.operation("address.w", cursor, word(rounds * ZEROED_WORDS * WORD_BYTES))
    stop, turn = builder.label(), list[ir.Instruction]()
    with builder.block(turn):
        inside = builder.operation("lt.w", cursor, end)
        builder.add(ir.If(inside, (), (ir.Leave(stop),), builder.line))
        builder.write(some, Location(False, cursor, 0))
        builder.add(ir.Op("address.w", (cursor,), (cursor, word(ZEROED_WORDS * WORD_BYTES)), builder.line))
    builder.add(ir.Scope(stop, (ir.Loop(tuple(turn), builder.line),), builder.line))
    builder.write(some[:rest], place.at(rounds * ZEROED_WORDS * WORD_BYTES))


def store_element(builder: Builder, statement: tree.StoreElement) -> None:
    """Value, then index; the index is checked against the length there is then."""
    values = builder.lower(statement.value)
    of, place = _placed(builder, statement.sequence)
    builder.write(values, _checked(builder, of, place, builder.lower(statement.index)[0]))


def _resize(builder: Builder, statement: tree.Resize) -> Values:
    of, place = _placed(builder, statement.sequence)
    if statement.value is None:
        write_zeros(builder, of, place)
        return ()
    values = builder.lower(statement.value)
    count = length(builder, of, place)
    builder.reject_unless(builder.operation("lt.w", count, word(of.count)), "list is full")
    builder.write(values, element_place(builder, of, place, count))
    builder.write((builder.operation("address.w", count, word(1)),), place)
    return ()
