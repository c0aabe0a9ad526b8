"""
One Touch where several stood: within a straight line the bytes touched from one base are journalled together, early.

Writing a record field by field touches it field by field, though all lie in one or two lines of the journal. The first
Touch is widened to what follows from the same base, up to a line's length; later ones go, those in inner blocks too
where they are covered. Nothing is widened across an instruction that may move the mark or that assigns the base.
"""

from __future__ import annotations

from dataclasses import replace

from execution.compiler.ir import Block, Const, Instruction, Module, Op, Operand, Reg, Touch
from execution.compiler.ir_check_touch import Movers
from execution.compiler.ir_walk import blocks, with_blocks, writes, written
from execution.vm.layout import LINE_BYTES

_Base = Reg | None  # None: an absolute address
_Range = tuple[int, int]  # first byte, byte after the last


def merge_touches(module: Module) -> Module:
    """The module with touches of one base in a straight line made one."""
    movers = Movers(module)
    return replace(
        module, functions=tuple(replace(f, body=_Line(movers, {}, {}).merge(f.body)) for f in module.functions)
    )


class _Line:
    """
    A block on the way. covered: what is journalled, from each base; open: where in `out` a base's Touch stands that may
    still grow.
    """

    def __init__(
        self, movers: Movers, covered: dict[_Base, list[_Range]], places: dict[Reg, tuple[_Base, int]]
    ) -> None:
        self._movers = movers
        self._covered = {base: list(ranges) for base, ranges in covered.items()}
        self._places = dict(places)
        self._open: dict[_Base, int] = {}
        self._out: list[Instruction] = []

    def merge(self, block: Block) -> Block:
        for instruction in block:
            inner = blocks(instruction)
            if isinstance(instruction, Touch):
                self._touch(instruction)
                continue
            if inner:
                instruction = self._inner(instruction, inner)
            elif self._movers.move(instruction):
                self._forget_all()
            self._out.append(instruction)
            self._assign(instruction)
        return tuple(self._out)

    def _inner(self, instruction: Instruction, inner: tuple[Block, ...]) -> Instruction:
        """Rewrite inner blocks by what holds on every way into them."""
        if self._movers.move_within(instruction):
            self._forget_all()
        for reg in set().union(*map(written, inner)):
            self._forget(reg)
        self._open.clear()
        return with_blocks(instruction, lambda body: _Line(self._movers, self._covered, self._places).merge(body))

    def _touch(self, touch: Touch) -> None:
        base, at = self._place(touch.address)
        start = at + touch.offset
        end = start + touch.size
        ranges = self._covered.setdefault(base, [])
        if any(first <= start and end <= last for first, last in ranges):
            return
        if base in self._open and self._widen(base, start, end):
            return
        ranges.append((start, end))
        self._open[base] = len(self._out)
        self._out.append(touch)

    def _widen(self, base: _Base, start: int, end: int) -> bool:
        """Let the open Touch of the base reach over [start, end) as well, unless it became longer than a line."""
        place = self._open[base]
        touch = self._out[place]
        assert isinstance(touch, Touch), "an open place holds a Touch"
        shift = self._place(touch.address)[1]
        first = min(start - shift, touch.offset)
        size = max(end - shift, touch.offset + touch.size) - first
        if first < 0 or size > LINE_BYTES:
            return False
        self._out[place] = replace(touch, offset=first, size=size)
        self._covered[base].append((first + shift, first + shift + size))
        return True

    def _place(self, address: Operand) -> tuple[_Base, int]:
        if isinstance(address, Const):
            return None, address.value
        return self._places.get(address, (address, 0))

    def _assign(self, instruction: Instruction) -> None:
        for reg in writes(instruction):
            self._forget(reg)
        match instruction:
            case Op("copy.w", (out,), (source,)) if source != out:
                self._places[out] = self._place(source)
            case Op("address.w", (out,), (source, Const(value))) if source != out:
                base, start = self._place(source)
                self._places[out] = (base, start + value)

    def _forget(self, reg: Reg) -> None:
        """What is known from a register is gone with its value; so are places told from it."""
        self._covered.pop(reg, None)
        self._open.pop(reg, None)
        self._places = {known: place for known, place in self._places.items() if known != reg and place[0] != reg}

    def _forget_all(self) -> None:
        self._covered.clear()
        self._open.clear()
