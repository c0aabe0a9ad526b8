"""
Statements in IR: loops as Scope, Loop, Scope; iteration over links; leaving through loops and tries with everything
tidied up.
"""

from __future__ import annotations

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.layout import shape
from execution.compiler.lower_build import Builder, Cleanup, Location, LoopFrame, word
from execution.compiler.lower_containers import cursor, place_base, runtime, store_item
from execution.compiler.lower_sequences import element_place, length, sequence_place, store_element, write_zeros
from execution.vm.layout import COUNT, FIRST, ITERATING, KEY


def lower_body(builder: Builder, body: tree.Body) -> tuple[ir.Instruction, ...]:
    """A block of its own."""
    block: list[ir.Instruction] = []
    with builder.block(block):
        for statement in body:
            with builder.statement(statement.line):
                lower_statement(builder, statement)
    return tuple(block)


def lower_statement(builder: Builder, statement: tree.Statement) -> None:
    line = statement.line
    match statement:
        case tree.Assign((slot,), tree.Copy(of, tree.Literal(_, zeros))) if slot in builder.rooms and not any(zeros):
            write_zeros(builder, of, builder.rooms[slot])
        case tree.Assign(slots, value):
            builder.assign(slots, builder.lower(value))
        case tree.StorePlace(place, value):
            values = builder.lower(value)
            builder.store(values, place_base(builder, place), place.offset)
        case tree.StoreItem():
            store_item(builder, statement)
        case tree.StoreElement():
            store_element(builder, statement)
        case tree.WalkSequence():
            _walk_sequence(builder, statement)
        case tree.Evaluate(value):
            builder.lower(value)
        case tree.Branch(test, then, other):
            (condition,) = builder.lower(test)
            builder.add(ir.If(condition, lower_body(builder, then), lower_body(builder, other), line))
        case tree.While():
            _while(builder, statement)
        case tree.Count():
            _count(builder, statement)
        case tree.Walk():
            _walk(builder, statement)
        case tree.Tolerate(body, slot, handler):
            builder.cleanups.append(Cleanup(None))
            inside = lower_body(builder, body)
            builder.cleanups.pop()
            builder.add(ir.Try(inside, builder.slots[slot][0], lower_body(builder, handler), line))
        case tree.Stop() | tree.Give() | tree.Fail():
            _leave(builder, statement)
        case tree.Announce(event, value):
            builder.add(ir.Emit(event, builder.lower(value), line))
        case tree.Later(number, account):
            first, second, third = builder.lower(account)
            builder.add(ir.AtEnd(number, (first, second, third), line))


def _leave(builder: Builder, statement: tree.Stop | tree.Give | tree.Fail) -> None:
    match statement:
        case tree.Stop(again):
            frame = builder.loops[-1]
            _tidy(builder, frame.cleanups)
            builder.add(ir.Leave(frame.again if again else frame.stop, statement.line))
        case tree.Give(value):
            values = () if value is None else builder.lower(value)
            _tidy(builder, 0)
            builder.add(ir.Return(values, statement.line))
        case tree.Fail(reason):
            builder.add(ir.Reject(builder.lower(reason)[0], statement.line))


def _tidy(builder: Builder, outer: int) -> None:
    """End iterations, then keep savepoints, of everything between here and the first `outer` cleanups."""
    leaving = builder.cleanups[outer:]
    for cleanup in reversed(leaving):
        if cleanup.header is not None:
            _iterate(builder, cleanup.header, -1)
    for cleanup in leaving:
        if cleanup.header is None:
            builder.add(ir.Keep(builder.line))


def _iterate(builder: Builder, header: ir.Operand, change: int) -> None:
    """Count an iteration over the container in or out."""
    count = builder.operation("address.w", builder.load_word(header, ITERATING), word(change))
    builder.store((count,), header, ITERATING)


def _loop(builder: Builder, head: list[ir.Instruction], body: tree.Body, step: list[ir.Instruction], stop: int) -> None:
    """Scope stop { Loop { head; Scope again { body }; step } }. `head` leaves `stop` when the loop is over."""
    again = builder.label()
    builder.loops.append(LoopFrame(stop, again, len(builder.cleanups)))
    inner = lower_body(builder, body)
    builder.loops.pop()
    turn = (*head, ir.Scope(again, inner, builder.line), *step)
    builder.add(ir.Scope(stop, (ir.Loop(turn, builder.line),), builder.line))


def _while(builder: Builder, statement: tree.While) -> None:
    stop, head = builder.label(), list[ir.Instruction]()
    endless = isinstance(statement.test, tree.Literal) and statement.test.values == (1,)
    with builder.block(head):
        if not endless:
            (condition,) = builder.lower(statement.test)
            builder.add(ir.If(condition, (), (ir.Leave(stop),), statement.line))
    _loop(builder, head, statement.body, [], stop)


def _count(builder: Builder, statement: tree.Count) -> None:
    """The counter is the loop's own: assigning the local in the body changes nothing."""
    start, end = builder.lower(statement.start)[0], builder.lower(statement.stop)[0]
    counter, end = builder.operation("copy.w", start), builder.settled(end)
    stop, head, step = builder.label(), list[ir.Instruction](), list[ir.Instruction]()
    with builder.block(head):
        inside = builder.operation("gt.w" if statement.down else "lt.w", counter, end)
        builder.add(ir.If(inside, (), (ir.Leave(stop),), statement.line))
        builder.copy(builder.slots[statement.slot], (counter,))
    step.append(ir.Op("address.w", (counter,), (counter, word(-1 if statement.down else 1)), statement.line))
    _loop(builder, head, statement.body, step, stop)


def _walk(builder: Builder, statement: tree.Walk) -> None:
    header = builder.settled(builder.lower(statement.container)[0])
    if statement.guarded:
        _iterate(builder, header, 1)
        builder.cleanups.append(Cleanup(header))
    if isinstance(statement.type, t.ListType):
        _walk_list(builder, statement, statement.type, header)
    elif isinstance(statement.type, t.QueueType):
        _walk_queue(builder, statement, statement.type, header)
    else:
        _walk_map(builder, statement, statement.type, header)
    if statement.guarded:
        builder.cleanups.pop()
        _iterate(builder, header, -1)


def _walk_list(builder: Builder, statement: tree.Walk, of: t.ListType, header: ir.Operand) -> None:
    index = builder.operation("copy.w", word(0))
    stop, head, step = builder.label(), list[ir.Instruction](), list[ir.Instruction]()
    with builder.block(head):
        inside = builder.operation("lt.w", index, builder.load_word(header, COUNT))
        builder.add(ir.If(inside, (), (ir.Leave(stop),), statement.line))
        _take_value(builder, statement.value, of.item, runtime(builder, of, "at", header, index), 0)
    step.append(ir.Op("address.w", (index,), (index, word(1)), statement.line))
    _loop(builder, head, statement.body, step, stop)


def _walk_queue(builder: Builder, statement: tree.Walk, of: t.QueueType, header: ir.Operand) -> None:
    place = builder.load_word(header, FIRST)
    stop, head, step = builder.label(), list[ir.Instruction](), list[ir.Instruction]()
    with builder.block(head):
        builder.add(ir.If(place, (), (ir.Leave(stop),), statement.line))
        _take_value(builder, statement.value, of.item, place, 0)
    step.append(ir.Runtime((place,), shape(of).function("next"), (header, place), statement.line))
    _loop(builder, head, statement.body, step, stop)


def _walk_map(builder: Builder, statement: tree.Walk, of: t.MapType, header: ir.Operand) -> None:
    at = cursor(builder, of, header, statement.down)
    stop, head, step = builder.label(), list[ir.Instruction](), list[ir.Instruction]()
    with builder.block(head):
        builder.add(ir.If(at.entry, (), (ir.Leave(stop),), statement.line))
        if statement.key is not None:
            _take_flat(builder, statement.key, of.key, Location(True, at.entry, KEY))
        _take_value(builder, statement.value, of.value, at.entry, shape(of).value_offset)
    step.append(at.step(statement.line))
    _loop(builder, head, statement.body, step, stop)


def _walk_sequence(builder: Builder, statement: tree.WalkSequence) -> None:
    of = statement.type
    base = sequence_place(builder, statement.sequence, statement.live)
    index = builder.operation("copy.w", word(0))
    stop, head, step = builder.label(), list[ir.Instruction](), list[ir.Instruction]()
    with builder.block(head):
        inside = builder.operation("lt.w", index, length(builder, of, base))
        builder.add(ir.If(inside, (), (ir.Leave(stop),), statement.line))
        _take_flat(builder, statement.slot, of.item, element_place(builder, of, base, index))
    step.append(ir.Op("address.w", (index,), (index, word(1)), statement.line))
    _loop(builder, head, statement.body, step, stop)


def _take_flat(builder: Builder, slot: int, of: t.Type, place: Location) -> None:
    """A flat value of this turn into its local."""
    if slot in builder.rooms or not place.state:
        builder.assign((slot,), builder.read(of, place))
    else:
        builder.load_into(builder.slots[slot], place.base, place.offset)


def _take_value(builder: Builder, slot: int | None, of: t.Type, base: ir.Operand, offset: int) -> None:
    """The value of this turn into its local: loaded when flat, its address otherwise."""
    if slot is None:
        return
    if t.is_flat(of):
        _take_flat(builder, slot, of, Location(True, base, offset))
    else:
        builder.copy(builder.slots[slot], (builder.operation("address.w", base, word(offset)),))
