"""
Every Store stands after a Touch of its bytes, with nothing between that may move the mark.

A forward walk with facts "bytes [start, end) from this base are journalled under the current mark". A fact dies when
its base register is assigned, and all die where the mark may move: a call to another program, a savepoint, a service,
or a function that does any of these. What a branch learns is forgotten after it, so a correct module may have to
touch once more.
"""

from __future__ import annotations

from execution.compiler.ir import (
    Block,
    CallFunction,
    Const,
    Function,
    Instruction,
    Invoke,
    Keep,
    Module,
    Op,
    Operand,
    Reg,
    Service,
    Store,
    Touch,
    Try,
)
from execution.compiler.ir_walk import blocks, walk, writes, written

_Base = Reg | None  # None: an absolute address
_Fact = tuple[_Base, int, int]  # base, first byte, byte after the last


def check_touches(module: Module) -> None:
    """AssertionError naming the first Store that is not covered."""
    movers = _movers(module)
    for function in module.functions:
        _Walk(module, function, movers).block(function.body, frozenset(), {})


def _moves(instruction: Instruction, movers: set[str]) -> bool:
    """Whether the mark may move while the instruction runs, its inner blocks left aside."""
    if isinstance(instruction, CallFunction):
        return instruction.function in movers
    return isinstance(instruction, (Invoke, Try, Keep, Service))


def _movers(module: Module) -> set[str]:
    """Names of functions in which the mark may move."""
    movers: set[str] = set()
    while True:
        found = {f.name for f in module.functions if any(_moves(i, movers) for i in walk(f.body))}
        if found == movers:
            return movers
        movers = found


class _Walk:
    """The walk over one function; `places` maps a register to the base and offset it is known to hold."""

    def __init__(self, module: Module, function: Function, movers: set[str]) -> None:
        self._where = f"{module.name}.{function.name}"
        self._movers = movers

    def block(self, block: Block, facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]) -> None:
        places = dict(places)
        for instruction in block:
            self._check(instruction, facts, places)
            inner = blocks(instruction)
            if _moves(instruction, self._movers):
                facts = frozenset()
            if inner:
                facts = self._inner(inner, facts, places)
            facts = _forget(facts, places, set(writes(instruction)))
            facts = self._learn(instruction, facts, places)

    def _inner(
        self, inner: tuple[Block, ...], facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]
    ) -> frozenset[_Fact]:
        """Walk inner blocks with what holds on every way into them; answer what holds after them."""
        facts = _forget(facts, places, set().union(*map(written, inner)))
        if any(_moves(instruction, self._movers) for block in inner for instruction in walk(block)):
            facts = frozenset()
        for block in inner:
            self.block(block, facts, places)
        return facts

    def _check(self, instruction: Instruction, facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]) -> None:
        if not isinstance(instruction, Store):
            return
        base, start = _place(instruction.address, places)
        start += instruction.offset
        end = start + (16 if instruction.value.kind == "d" else instruction.size)
        covered = any(fact[0] == base and fact[1] <= start and end <= fact[2] for fact in facts)
        assert covered, f"{self._where} (line {instruction.line}): a Store of bytes not touched before: {instruction}"

    def _learn(
        self, instruction: Instruction, facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]
    ) -> frozenset[_Fact]:
        match instruction:
            case Touch(address, offset, size):
                base, start = _place(address, places)
                return facts | {(base, start + offset, start + offset + size)}
            case Op("copy.w", (out,), (source,)) if source != out:
                places[out] = _place(source, places)
            case Op("address.w", (out,), (source, Const(value))) if source != out:
                base, start = _place(source, places)
                places[out] = (base, start + value)
        return facts


def _place(address: Operand, places: dict[Reg, tuple[_Base, int]]) -> tuple[_Base, int]:
    if isinstance(address, Const):
        return None, address.value
    return places.get(address, (address, 0))


def _forget(facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]], assigned: set[Reg]) -> frozenset[_Fact]:
    """Drop what rests on assigned registers; what another register still knows by an offset is told from that one."""
    for reg in assigned:
        places.pop(reg, None)
    for reg in assigned:
        heirs = [(other, offset) for other, (base, offset) in places.items() if base == reg]
        if heirs:
            facts = _rebase(facts, places, reg, *heirs[0])
    return frozenset(fact for fact in facts if fact[0] not in assigned)


def _rebase(
    facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]], old: Reg, new: Reg, offset: int
) -> frozenset[_Fact]:
    """`new` holds old + offset, and old is about to change: say everything in terms of new."""
    for reg, (base, start) in tuple(places.items()):
        if base == old:
            places[reg] = (new, start - offset)
    del places[new]
    return facts | {(new, start - offset, end - offset) for base, start, end in facts if base == old}
