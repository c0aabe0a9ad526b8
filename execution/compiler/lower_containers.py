"""
Containers in IR: lookups, insertions, deletions, neighbours, and the functions that free nested containers.

Headers and entries have the offsets of `vm/layout`; 0 is the address of nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.layout import member_offsets, shape
from execution.compiler.lower_build import Builder, Containers, Values, word
from execution.vm.layout import COUNT, FIRST, ITERATING, KEY, LAST, NEXT, PREV


def container(builder: Builder, expression: tree.Expression) -> tuple[ir.Operand, Containers]:
    """Address of the header, and its type."""
    (header,) = builder.lower(expression)
    assert isinstance(expression.type, t.CONTAINERS)
    return header, expression.type


def place_base(builder: Builder, place: tree.Place) -> ir.Operand:
    """Address that the offset of a place counts from."""
    return word(0) if place.base is None else builder.lower(place.base)[0]


def runtime(builder: Builder, of: Containers, operation: str, *args: ir.Operand) -> ir.Reg:
    """Call a container function that gives one word."""
    out = builder.temporary()
    builder.add(ir.Runtime((out,), shape(of).function(operation), args, builder.line))
    return out


def find(builder: Builder, of: t.MapType, header: ir.Operand, key: Values, required: bool) -> ir.Reg:
    """Address of the entry, 0 when missing; rejects "missing key" when it is required."""
    entry = runtime(builder, of, "find", header, *builder.as_words(key))
    if required:
        builder.reject_unless(entry, "missing key")
    return entry


def item_address(builder: Builder, item: tree.Item) -> tuple[ir.Operand, int]:
    """(base, offset) of the value at a key or index."""
    header, of = container(builder, item.container)
    key = builder.lower(item.key)
    if isinstance(of, t.ListType):
        return runtime(builder, of, "at", header, *key), 0
    assert isinstance(of, t.MapType), "a queue has no places"
    offset = shape(of).value_offset
    if item.mode == "find":
        return find(builder, of, header, key, True), offset
    if item.mode == "create":
        builder.reject_if(find(builder, of, header, key, False), "key exists")
    return runtime(builder, of, "put", header, *builder.as_words(key)), offset


def item(builder: Builder, expression: tree.Item) -> Values:
    """The value itself when flat, else its address."""
    base, offset = item_address(builder, expression)
    if t.is_flat(expression.type):
        return builder.load(expression.type, base, offset)
    return (builder.operation("address.w", base, word(offset)),) if offset else (base,)


def store_item(builder: Builder, statement: tree.StoreItem) -> None:
    """`container[key] = value`: value, container, key."""
    values = builder.lower(statement.value)
    header, of = container(builder, statement.container)
    key = builder.lower(statement.key)
    if isinstance(of, t.ListType):
        builder.store(values, runtime(builder, of, "at", header, *key), 0)
    else:
        entry = runtime(builder, of, "put", header, *builder.as_words(key))
        builder.store(values, entry, shape(of).value_offset)


def query(builder: Builder, expression: tree.Query) -> Values:
    """Any other operation; see check_containers for what each gives."""
    if expression.name == "contains":  # the key is evaluated before the container
        key = builder.lower(expression.args[0])
        header, of = container(builder, expression.container)
        assert isinstance(of, t.MapType)
        return (builder.operation("ne.w", find(builder, of, header, key, False), word(0)),)
    header, of = container(builder, expression.container)
    args = tuple(builder.lower(arg) for arg in expression.args)
    if expression.name == "length":
        return (builder.load_word(header, COUNT),)
    if expression.name == "clear":
        _reject_iterating(builder, header)
        _free(builder, of, header)
        return ()
    if isinstance(of, t.QueueType):
        return _queue_query(builder, expression.name, header, of, args)
    if isinstance(of, t.ListType):
        return _list_query(builder, expression, header, of, args)
    return _map_query(builder, expression, header, of, args)


def _list_query(
    builder: Builder, expression: tree.Query, header: ir.Operand, of: t.ListType, args: tuple[Values, ...]
) -> Values:
    if expression.name in ("first", "after"):
        return _next_index(builder, header, args)
    _reject_iterating(builder, header)
    if expression.name in ("append", "add"):
        address = runtime(builder, of, "push", header)
        if expression.name == "add":
            return (address,)
        builder.store(args[0], address, 0)
        return ()
    count = builder.load_word(header, COUNT)
    builder.reject_unless(count, "empty")
    last = runtime(builder, of, "at", header, builder.operation("sub.w", count, word(1)))
    values = builder.load(of.item, last, 0) if t.is_flat(of.item) else ()
    free_nested(builder, of, last)
    runtime(builder, of, "pop", header)
    return values


def _next_index(builder: Builder, header: ir.Operand, args: tuple[Values, ...]) -> Values:
    """Optional[int]: the smallest index above the one given; without one the first."""
    index: ir.Operand = word(0)
    if args:
        below = builder.operation("min.w", args[0][0], word(2**63 - 2))
        index = builder.operation("max.w", builder.operation("address.w", below, word(1)), word(0))
    there = builder.operation("lt.w", index, builder.load_word(header, COUNT))
    value = builder.operation("copy.w", word(0))
    builder.add(ir.If(there, (ir.Op("copy.w", (value,), (index,), builder.line),), (), builder.line))
    return there, value


def _queue_query(builder: Builder, name: str, header: ir.Operand, of: t.QueueType, args: tuple[Values, ...]) -> Values:
    if name == "first":
        return _optional_load(builder, of.item, builder.load_word(header, FIRST), 0)
    _reject_iterating(builder, header)
    if name == "push":
        builder.store(args[0], runtime(builder, of, "push", header), 0)
        return ()
    first = builder.load_word(header, FIRST)
    builder.reject_unless(first, "empty")
    values = builder.load(of.item, first, 0)
    runtime(builder, of, "pop", header)
    return values


@dataclass(frozen=True, slots=True)
class Cursor:
    """An entry on a way through a map, 0 at the end; in an ordered map also its place in a leaf."""

    of: t.MapType
    down: bool
    entry: ir.Reg
    place: ir.Reg | None

    def step(self, line: int) -> ir.Instruction:
        """To the next entry."""
        if self.place is None:
            return ir.Load(self.entry, self.entry, PREV if self.down else NEXT, 4, line)
        name = shape(self.of).function("previous" if self.down else "next")
        return ir.Runtime((self.place, self.entry), name, (self.place,), line)


def cursor(builder: Builder, of: t.MapType, header: ir.Operand, down: bool = False) -> Cursor:
    """At the first entry, or the last."""
    if not of.ordered:
        return Cursor(of, down, builder.load_word(header, LAST if down else FIRST), None)
    place, entry = builder.temporary(), builder.temporary()
    name = shape(of).function("highest" if down else "lowest")
    builder.add(ir.Runtime((place, entry), name, (header,), builder.line))
    return Cursor(of, down, entry, place)


def _map_query(
    builder: Builder, expression: tree.Query, header: ir.Operand, of: t.MapType, args: tuple[Values, ...]
) -> Values:
    offset = shape(of).value_offset
    match expression.name:
        case "get":
            return _optional_load(builder, of.value, find(builder, of, header, args[0], False), offset)
        case "get_default":
            entry = find(builder, of, header, args[0], False)
            outs = builder.temporaries(of.value)
            then: list[ir.Instruction] = []
            other: list[ir.Instruction] = []
            with builder.block(then):
                builder.load_into(outs, entry, offset)
            with builder.block(other):
                builder.copy(outs, args[1])
            builder.add(ir.If(entry, tuple(then), tuple(other), builder.line))
            return outs
        case "pop":
            entry = find(builder, of, header, args[0], True)
            values = builder.load(of.value, entry, offset)
            runtime(builder, of, "drop", header, *builder.as_words(args[0]))
            return values
        case "drop":
            _drop(builder, of, header, args[0])
            return ()
        case "first" | "last":
            entry = builder.load_word(header, FIRST if expression.name == "first" else LAST)
        case _:
            entry = _neighbour(builder, expression.name, of, header, args[0])
    return _optional_load(builder, of.key, entry, KEY)


def _optional_load(builder: Builder, of: t.Type, entry: ir.Operand, offset: int) -> Values:
    """Optional[of]: the value at entry + offset, or None when entry is 0."""
    outs = (builder.temporary(), *builder.temporaries(of))
    then: list[ir.Instruction] = []
    other: list[ir.Instruction] = []
    with builder.block(then):
        builder.copy(outs[:1], (word(1),))
        builder.load_into(outs[1:], entry, offset)
    with builder.block(other):
        builder.copy(outs, tuple(ir.Const(0, out.kind) for out in outs))
    builder.add(ir.If(entry, tuple(then), tuple(other), builder.line))
    return outs


def _drop(builder: Builder, of: t.MapType, header: ir.Operand, key: Values) -> None:
    if nested_offsets(of):
        entry = find(builder, of, header, key, True)
        free_nested(builder, of, builder.operation("address.w", entry, word(shape(of).value_offset)))
        runtime(builder, of, "drop", header, *builder.as_words(key))
    else:
        builder.reject_unless(runtime(builder, of, "drop", header, *builder.as_words(key)), "missing key")


def _neighbour(builder: Builder, name: str, of: t.MapType, header: ir.Operand, key: Values) -> ir.Reg:
    """Entry after or before a key. Unordered maps need the key to be there; ordered ones take any."""
    if of.ordered:
        operation = {"ceiling": "ceil"}.get(name, name)
        return runtime(builder, of, operation, header, *builder.as_words(key))
    return builder.load_word(find(builder, of, header, key, True), NEXT if name == "after" else PREV, 4)


def _reject_iterating(builder: Builder, header: ir.Operand) -> None:
    builder.reject_if(builder.load_word(header, ITERATING), "changed while iterating")


# Freeing


def nested_offsets(of: Containers) -> tuple[tuple[int, Containers], ...]:
    """Containers inside a value of the container: (byte offset from the value's start, type)."""
    value = t.value_of(of)
    if isinstance(value, t.CONTAINERS):
        return ((0, value),)
    if not isinstance(value, t.RecordType):
        return ()
    offsets = member_offsets(value.fields)
    members = ((offsets[name], kind) for name, kind in value.fields)
    return tuple((offset, kind) for offset, kind in members if isinstance(kind, t.CONTAINERS))


def free_nested(builder: Builder, of: Containers, value: ir.Operand) -> None:
    """Free the containers nested in the value at that address."""
    for offset, kind in nested_offsets(of):
        header = builder.operation("address.w", value, word(offset)) if offset else value
        _free(builder, kind, header)


def _free(builder: Builder, of: Containers, header: ir.Operand) -> None:
    """Empty a container and give its room back; nested ones first, by a function of their own."""
    if nested_offsets(of):
        name = builder.program.freeing.setdefault(of, f"free.{len(builder.program.freeing)}")
        builder.add(ir.CallFunction((), name, (header,), builder.line))
    else:
        builder.add(ir.Runtime((), shape(of).function("free"), (header,), builder.line))


def freeing_function(builder: Builder, of: Containers, name: str) -> ir.Function:
    """free.N(header): frees what is nested in every entry, then the container."""
    header = builder.fixed("w")
    body: list[ir.Instruction] = []
    label = builder.label()
    if isinstance(of, t.MapType):
        walk = cursor(builder, of, header)
        with builder.block(body):
            builder.add(ir.If(walk.entry, (), (ir.Leave(label),)))
            free_nested(builder, of, builder.operation("address.w", walk.entry, word(shape(of).value_offset)))
            builder.add(walk.step(0))
    else:
        index = builder.operation("copy.w", word(0))
        with builder.block(body):
            inside = builder.operation("lt.w", index, builder.load_word(header, COUNT))
            builder.add(ir.If(inside, (), (ir.Leave(label),)))
            free_nested(builder, of, runtime(builder, of, "at", header, index))
            builder.add(ir.Op("address.w", (index,), (index, word(1))))
    builder.add(ir.Scope(label, (ir.Loop(tuple(body)),)))
    builder.add(ir.Runtime((), shape(of).function("free"), (header,)))
    return builder.finish(name, 1, (), 0)
