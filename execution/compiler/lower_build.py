"""
The state of lowering one function: registers, open blocks, labels, and what must be undone when control leaves a loop
or a try.

Temporaries of a statement are given back at its end and used again; locals keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.selector import reason_word

Values = tuple[ir.Operand, ...]
Containers = t.MapType | t.ListType
LowerExpression = Callable[["Builder", tree.Expression], Values]


def word(value: int) -> ir.Const:
    return ir.Const(value, "w")


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


@dataclass(slots=True)
class Program:
    """
    What all functions of a module share: names of the functions that free containers, and whether symbols are
    checked.
    """

    freeing: dict[Containers, str] = field(default_factory=dict)
    checks_symbols: bool = False


@dataclass(slots=True)
class Builder:
    """expression: lowers one expression; set once, so that the files of `lower` form no circle."""

    program: Program
    expression: LowerExpression
    kinds: list[ir.Kind] = field(default_factory=list)
    spare: dict[ir.Kind, list[int]] = field(default_factory=lambda: {"w": [], "d": []})
    taken: list[ir.Reg] = field(default_factory=list)
    blocks: list[list[ir.Instruction]] = field(default_factory=lambda: [[]])
    labels: int = 0
    line: int = 0
    slots: list[tuple[ir.Reg, ...]] = field(default_factory=list)
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
        before, outer = len(self.taken), self.line
        self.line = line
        yield
        for reg in reversed(self.taken[before:]):
            self.spare[reg.kind].append(reg.number)
        del self.taken[before:]
        self.line = outer

    # Instructions

    def add(self, instruction: ir.Instruction) -> None:
        self.blocks[-1].append(instruction)

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
        crossing = any(value in targets and value != target for target, value in zip(targets, values, strict=True))
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
        return ir.Function(name, heads, results, registers, tuple(self.blocks[0]), line)
