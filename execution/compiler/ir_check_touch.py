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
from execution.compiler.ir_walk import blocks, walk, writes

_Base = Reg | None  # None: an absolute address
_Fact = tuple[_Base, int, int]  # base, first byte, byte after the last
_MOVING = frozenset({Invoke, Try, Keep, Service})


def check_touches(module: Module, known: frozenset[int] = frozenset()) -> None:
    """
    AssertionError naming the first Store that is not covered.

    Args:
        known: identities of functions checked before, together with functions of the same names, parameters and
            results. Left out when one that calls nothing that moves the mark; others are looked at again.
    """
    movers = Movers(module)
    for function in module.functions:
        if id(function) not in known or any(_calls(i, movers) for i in walk(function.body)):
            _Walk(module, function, movers).block(function.body, frozenset(), {})


def _calls(instruction: Instruction, movers: Movers) -> bool:
    return type(instruction) is CallFunction and movers.move(instruction)


class Movers:
    """What may move the mark in a module: calls of other programs, savepoints, services, and functions with these."""

    def __init__(self, module: Module) -> None:
        self.functions: set[str] = set()
        callers: dict[str, list[str]] = {}
        for function in module.functions:
            for instruction in walk(function.body):
                if type(instruction) is CallFunction:
                    callers.setdefault(instruction.function, []).append(function.name)
                elif self.move(instruction):
                    self.functions.add(function.name)
        waiting = list(self.functions)
        while waiting:
            for caller in callers.get(waiting.pop(), ()):
                if caller not in self.functions:
                    self.functions.add(caller)
                    waiting.append(caller)

    def move(self, instruction: Instruction) -> bool:
        """Whether the mark may move while the instruction runs, its inner blocks left aside."""
        if type(instruction) is CallFunction:
            return instruction.function in self.functions
        return type(instruction) in _MOVING

    def move_within(self, instruction: Instruction) -> bool:
        """The same, its inner blocks included."""
        return self.move(instruction) or any(self.move(i) for block in blocks(instruction) for i in walk(block))


class _Walk:
    """
    The walk over one function; `places` maps a register to the base and offset it is known to hold, `abouts` a block's
    identity to what it assigns and whether the mark may move in it.
    """

    def __init__(self, module: Module, function: Function, movers: Movers) -> None:
        self._where = f"{module.name}.{function.name}"
        self._movers = movers
        self._abouts: dict[int, tuple[set[Reg], bool]] = {}

    def block(self, block: Block, facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]) -> None:
        places = dict(places)
        for instruction in block:
            if type(instruction) is Store:
                self._check(instruction, facts, places)
                continue
            inner = blocks(instruction)
            if self._movers.move(instruction):
                facts = frozenset()
            if inner:
                facts = self._inner(inner, facts, places)
            assigned = writes(instruction)
            if assigned and (facts or places):
                facts = _forget(facts, places, set(assigned))
            facts = self._learn(instruction, facts, places)

    def _inner(
        self, inner: tuple[Block, ...], facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]
    ) -> frozenset[_Fact]:
        """Walk inner blocks with what holds on every way into them; answer what holds after them."""
        abouts = [self._about(block) for block in inner]
        facts = _forget(facts, places, set().union(*(assigned for assigned, _ in abouts)))
        if any(moves for _, moves in abouts):
            facts = frozenset()
        for block in inner:
            self.block(block, facts, places)
        return facts

    def _about(self, block: Block) -> tuple[set[Reg], bool]:
        """What is assigned anywhere within, and whether the mark may move there; found once for each block."""
        if id(block) not in self._abouts:
            assigned: set[Reg] = set()
            moves = False
            for instruction in block:
                assigned.update(writes(instruction))
                moves = moves or self._movers.move(instruction)
                for inner in blocks(instruction):
                    more, moved = self._about(inner)
                    assigned |= more
                    moves = moves or moved
            self._abouts[id(block)] = assigned, moves
        return self._abouts[id(block)]

    def _check(self, store: Store, facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]]) -> None:
        base, start = _place(store.address, places)
        start += store.offset
        end = start + (16 if store.value.kind == "d" else store.size)
        covered = any(fact[0] == base and fact[1] <= start and end <= fact[2] for fact in facts)
        assert covered, f"{self._where} (line {store.line}): a Store of bytes not touched before: {store}"

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
    if not places and not facts:
        return facts
    bases = {base for base, _ in places.values()}
    for reg in assigned & bases:
        heirs = [(other, offset) for other, (base, offset) in places.items() if base == reg]
        facts = _rebase(facts, places, reg, *heirs[0])
    if any(fact[0] in assigned for fact in facts):
        return frozenset(fact for fact in facts if fact[0] not in assigned)
    return facts


def _rebase(
    facts: frozenset[_Fact], places: dict[Reg, tuple[_Base, int]], old: Reg, new: Reg, offset: int
) -> frozenset[_Fact]:
    """`new` holds old + offset, and old is about to change: say everything in terms of new."""
    for reg, (base, start) in tuple(places.items()):
        if base == old:
            places[reg] = (new, start - offset)
    del places[new]
    return facts | {(new, start - offset, end - offset) for base, start, end in facts if base == old}
