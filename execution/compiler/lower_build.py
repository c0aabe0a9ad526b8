"""
The state of lowering one function: registers, open blocks, labels, and what must be undone when control leaves a loop
or a try.

Temporaries of a statement are given back at its end and used again; locals keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from execution.compiler import ir, limits, tree
from execution.compiler import types as t
from execution.compiler.errors import TooLarge
from execution.compiler.ir_walk import falls_through, with_blocks
from execution.compiler.selector import reason_word

Values = tuple[ir.Operand, ...]
Containers = t.Container
LowerExpression = Callable[["Builder", tree.Expression], Values]


def word(value: int) -> ir.Const:
    return ir.Const(value, "w")


def weight(instruction: ir.Instruction) -> int:
    """What an instruction counts against the bounds on functions and programs: blocks, and words moved, add to one."""
    match instruction:
        case ir.CallFunction(out, _, args) | ir.Invoke(out, _, _, args) | ir.Service(out, _, args):
            return 1 + len(out) + len(args)
        case ir.Emit(_, args) | ir.Return(args):
            return 1 + len(args)
        case ir.Runtime(out, _, args):
            return 1 + len(out) + len(args)
        case ir.If():
            return 2
        case ir.Scope():  # with the loop in it, and the scope of its turns
            return 5
        case _:
            return 1


@dataclass(frozen=True, slots=True)
class Cleanup:
    """
    What a jump outwards must do: keep a savepoint (header None), or end an iteration over the container at `header`.
    """

    header: ir.Operand | None


@dataclass(frozen=True, slots=True)
class LoopFrame:
    """Labels of a loop and the number of cleanups that stand around it."""

    stop: int
    again: int
    cleanups: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where a value lies in memory: of state, or of scratch; base + offset bytes."""

    state: bool
    base: ir.Operand
    offset: int

    def at(self, offset: int) -> Location:
        return Location(self.state, self.base, self.offset + offset)


def byte_count(kinds: Iterable[ir.Kind]) -> int:
    return sum(16 if kind == "d" else 8 for kind in kinds)


@dataclass(slots=True)
class Program:
    """
    What all functions of a module share: names of the functions that free containers, whether symbols are checked,
    and how much has been written so far.
    """

    freeing: dict[Containers, str] = field(default_factory=dict)
    checks_symbols: bool = False
    size: int = 0


@dataclass(slots=True)
class Builder:
    """
    expression: lowers one expression; set once, so that the files of `lower` form no circle.
    widths: operands of each local. rooms: places in scratch of the locals that live there; room_top, room_max: bytes of
    scratch in use, and at most.
    """

    program: Program
    expression: LowerExpression
    kinds: list[ir.Kind] = field(default_factory=list)
    spare: dict[ir.Kind, list[int]] = field(default_factory=lambda: {"w": [], "d": []})
    taken: list[ir.Reg] = field(default_factory=list)
    blocks: list[list[ir.Instruction]] = field(default_factory=lambda: [[]])
    labels: int = 0
    line: int = 0
    name: str = ""
    size: int = 0
    slots: list[tuple[ir.Reg, ...]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    rooms: dict[int, Location] = field(default_factory=dict)
    scratch: ir.Reg | None = None
    room_top: int = 0
    room_max: int = 0
    loops: list[LoopFrame] = field(default_factory=list)
    cleanups: list[Cleanup] = field(default_factory=list)

    def lower(self, expression: tree.Expression) -> Values:
        return self.expression(self, expression)

    # Registers

    def fixed(self, kind: ir.Kind) -> ir.Reg:
        """A register for a parameter or local."""
        self.kinds.append(kind)
        return ir.Reg(len(self.kinds) - 1, kind)

    def temporary(self, kind: ir.Kind = "w") -> ir.Reg:
        """A register until the end of the statement."""
        reg = ir.Reg(self.spare[kind].pop(), kind) if self.spare[kind] else self.fixed(kind)
        self.taken.append(reg)
        return reg

    def temporaries(self, of: t.Type) -> tuple[ir.Reg, ...]:
        return tuple(self.temporary(kind) for kind in t.kinds(of))

    @contextmanager
    def statement(self, line: int) -> Iterator[None]:
        """Everything taken inside is spare again afterwards."""
        before, outer, room_top = len(self.taken), self.line, self.room_top
        self.line = line
        yield
        self.room_top = room_top
        for reg in reversed(self.taken[before:]):
            self.spare[reg.kind].append(reg.number)
        del self.taken[before:]
        self.line = outer

    # Instructions

    def add(self, instruction: ir.Instruction) -> None:
        """
        Append an instruction to the open block.

        Raises:
            TooLarge: what has been written is beyond a bound; before a dense source can fill the memory.
        """
        self.blocks[-1].append(instruction)
        size = weight(instruction)
        self.size += size
        self.program.size += size
        if self.size > limits.FUNCTION_SIZE_MAX:
            raise TooLarge(self.name, self.line, "up to here the function is too large", "split it into several")
        if self.program.size > limits.PROGRAM_SIZE_MAX:
            raise TooLarge(self.name, self.line, "up to here the program is too large", "split it into several")

    @contextmanager
    def block(self, into: list[ir.Instruction]) -> Iterator[None]:
        """Instructions added inside go to `into`."""
        self.blocks.append(into)
        yield
        self.blocks.pop()

    def operation(self, name: str, *args: ir.Operand) -> ir.Reg:
        """One operation with one result, in a temporary."""
        out = self.temporary(ir.OPS[name][1][0])
        self.add(ir.Op(name, (out,), args, self.line))
        return out

    def copy(self, targets: tuple[ir.Reg, ...], values: Values) -> None:
        """All at once: a value that is also a target is saved first."""
        places = set(targets)
        crossing = any(value in places and value != target for target, value in zip(targets, values, strict=True))
        if crossing:
            values = tuple(self.operation(f"copy.{value.kind}", value) for value in values)
        for target, value in zip(targets, values, strict=True):
            if target != value:
                self.add(ir.Op(f"copy.{target.kind}", (target,), (value,), self.line))

    def reject(self, text: str) -> None:
        self.add(ir.Reject(word(reason_word(text)), self.line))

    def reject_unless(self, condition: ir.Operand, text: str) -> None:
        self.add(ir.If(condition, (), (ir.Reject(word(reason_word(text)), self.line),), self.line))

    def reject_if(self, condition: ir.Operand, text: str) -> None:
        self.add(ir.If(condition, (ir.Reject(word(reason_word(text)), self.line),), (), self.line))

    def label(self) -> int:
        self.labels += 1
        return self.labels

    # Memory

    def load(self, of: t.Type, address: ir.Operand, offset: int) -> Values:
        """A flat value from state."""
        outs = self.temporaries(of)
        self.load_into(outs, address, offset)
        return outs

    def load_into(self, outs: tuple[ir.Reg, ...], address: ir.Operand, offset: int) -> None:
        for out in outs:
            size = 16 if out.kind == "d" else 8
            self.add(ir.Load(out, address, offset, size, self.line))
            offset += size

    def load_word(self, address: ir.Operand, offset: int, size: int = 8) -> ir.Reg:
        out = self.temporary()
        self.add(ir.Load(out, address, offset, size, self.line))
        return out

    def store(self, values: Values, address: ir.Operand, offset: int) -> None:
        """A flat value to state, touched first."""
        total = sum(16 if value.kind == "d" else 8 for value in values)
        if not total:
            return
        self.add(ir.Touch(address, offset, total, self.line))
        for value in values:
            size = 16 if value.kind == "d" else 8
            self.add(ir.Store(address, offset, value, size, self.line))
            offset += size

    def room(self, size: int) -> Location:
        """Bytes of scratch until the end of the statement."""
        self.scratch = self.scratch or self.fixed("w")
        place = Location(False, self.scratch, self.room_top)
        self.room_top += size
        self.room_max = max(self.room_max, self.room_top)
        return place

    def read(self, of: t.Type, place: Location) -> Values:
        """A flat value from either memory."""
        outs = self.temporaries(of)
        if place.state:
            self.load_into(outs, place.base, place.offset)
            return outs
        offset = place.offset
        for out in outs:
            self.add(ir.ScratchLoad(out, place.base, offset, self.line))
            offset += byte_count((out.kind,))
        return outs

    def write(self, values: Values, place: Location) -> None:
        """A flat value to either memory."""
        if place.state:
            self.store(values, place.base, place.offset)
            return
        offset = place.offset
        for value in values:
            self.add(ir.ScratchStore(place.base, offset, value, self.line))
            offset += byte_count((value.kind,))

    def assign(self, slots: tuple[int, ...], values: Values) -> None:
        """Values of locals side by side: those in scratch are stored, the others copied at once."""
        targets: list[ir.Reg] = []
        kept: list[ir.Operand] = []
        for slot in slots:
            count = self.widths[slot]
            if slot in self.rooms:
                self.write(values[:count], self.rooms[slot])
            else:
                targets += self.slots[slot]
                kept += values[:count]
            values = values[count:]
        self.copy(tuple(targets), tuple(kept))

    def as_words(self, values: Values) -> Values:
        """The packed words of a value: decimals as low and high."""
        words: list[ir.Operand] = []
        for value in values:
            if isinstance(value, ir.Const) and value.kind == "d":
                image = value.value.to_bytes(16, "little", signed=True)
                words += [word(int.from_bytes(image[at : at + 8], "little", signed=True)) for at in (0, 8)]
            elif value.kind == "d":
                words += [self.operation("low.d", value), self.operation("high.d", value)]
            else:
                words.append(value)
        return tuple(words)

    def settled(self, value: ir.Operand) -> ir.Operand:
        """The value in a register that no assignment of the program changes."""
        return value if isinstance(value, ir.Const) else self.operation(f"copy.{value.kind}", value)

    def finish(self, name: str, params: int, results: tuple[ir.Kind, ...], line: int) -> ir.Function:
        registers = tuple(self.kinds)
        heads = tuple(ir.Reg(number, registers[number]) for number in range(params))
        body = tuple(self.blocks[0])
        if self.scratch is not None:
            body = (ir.Reserve(self.scratch, self.room_max, line), *_released(body, self.scratch))
            body = (*body, ir.Release(self.scratch, line)) if falls_through(body) else body
        return ir.Function(name, heads, results, registers, body, line)


def _released(block: ir.Block, scratch: ir.Reg) -> ir.Block:
    """The block with its scratch given back before every Return, and before the Keep that stand in front of it."""
    found: list[ir.Instruction] = []
    for instruction in block:
        if isinstance(instruction, ir.Return):
            place = len(found)
            while place and isinstance(found[place - 1], ir.Keep):
                place -= 1
            found.insert(place, ir.Release(scratch, instruction.line))
        found.append(with_blocks(instruction, lambda inner: _released(inner, scratch)))
    return tuple(found)
