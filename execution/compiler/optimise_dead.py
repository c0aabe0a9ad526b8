"""
Dead code: pure instructions whose results nobody in the function reads, functions nobody calls, registers nobody names.

Pure means it cannot reject, charge or write; loads are pure, since addresses are right by construction. Reads are
counted over the whole function, so a register that is used twice keeps both its assignments: the engine's own compiler
drops what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat

from execution.compiler.ir import (
    Block,
    CallFunction,
    Context,
    Function,
    If,
    Instruction,
    Kind,
    Load,
    Module,
    Op,
    Operand,
    Reg,
    Scope,
    ScratchLoad,
)
from execution.compiler.ir_walk import (
    blocks,
    kept,
    leaves,
    reachable,
    reads,
    walk,
    with_blocks,
    with_bodies,
    with_reads,
    with_writes,
    writes,
)

_PURE_OF_ONE_KIND = frozenset({"address.w", "to_d.w", "not.w", "and.w", "or.w", "low.d", "high.d", "join.d"})
PURE = _PURE_OF_ONE_KIND | {
    f"{name}.{kind}" for name in ("copy", "min", "max", "eq", "ne", "lt", "le", "gt", "ge") for kind in "wd"
}


_NOWHERE = -1


def drop_dead(module: Module) -> Module:
    """The module without pure code whose results are never read."""
    return with_bodies(module, _function)


def drop_unreachable(module: Module) -> Module:
    """The module without functions no entry leads to, each function with only the registers it names."""
    signatures = {function.name: function for function in module.functions}
    reached: set[str] = set()
    pending = [entry.function for entry in module.entries]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += [i.function for i in walk(signatures[name].body) if isinstance(i, CallFunction)]
    return replace(module, functions=tuple(_renumbered(f) for f in module.functions if f.name in reached))


def _function(function: Function) -> Block:
    body = function.body
    while True:
        dead = _Uses(body).dead()
        changed = _block(body, iter(dead)) if True in dead else _block(body, repeat(False))
        if changed is body:
            return body
        body = changed


@dataclass(slots=True)
class _Node:
    """
    An instruction where it stands. around: number of the If it stands in directly; inside: how many instructions of its
    own blocks are left.
    """

    instruction: Instruction
    around: int
    inside: int = 0


class _Uses:
    """Who reads and writes what in one function, instructions numbered in the order of the text."""

    def __init__(self, body: Block) -> None:
        self._nodes: list[_Node] = []
        self._readers: Counter[Reg] = Counter()
        self._writers: dict[Reg, list[int]] = {}
        self._collect(body, _NOWHERE)

    def _collect(self, block: Block, around: int) -> None:
        for instruction in block:
            number = len(self._nodes)
            self._nodes.append(_Node(instruction, around))
            for operand in reads(instruction):
                if isinstance(operand, Reg):
                    self._readers[operand] += 1
            for reg in writes(instruction):
                self._writers.setdefault(reg, []).append(number)
            inner = blocks(instruction)
            self._nodes[number].inside = sum(map(len, inner))
            for body in inner:
                self._collect(body, number if isinstance(instruction, If) else _NOWHERE)

    def dead(self) -> list[bool]:
        """For each instruction whether it goes: pure and never read, or an If in which nothing is left."""
        found = [False] * len(self._nodes)
        waiting = list(range(len(self._nodes)))
        while waiting:
            number = waiting.pop()
            if found[number] or not self._is_dead(self._nodes[number]):
                continue
            found[number] = True
            node = self._nodes[number]
            for operand in reads(node.instruction):
                if isinstance(operand, Reg):
                    self._readers[operand] -= 1
                    if not self._readers[operand]:
                        waiting += self._writers.get(operand, ())
            if node.around != _NOWHERE:
                self._nodes[node.around].inside -= 1
                waiting.append(node.around)
        return found

    def _is_dead(self, node: _Node) -> bool:
        if isinstance(node.instruction, If):
            return node.inside == 0
        return _is_pure(node.instruction) and not any(self._readers[reg] for reg in writes(node.instruction))


def _block(block: Block, dead: Iterator[bool]) -> Block:
    """The block without what is dead; `dead` has one answer for each instruction, in the order of the text."""
    found: list[Instruction] = []
    for instruction in block:
        gone = next(dead)
        changed = with_blocks(instruction, lambda inner: _block(inner, dead))
        if gone:
            continue
        match changed:
            case Scope(label, body) if not leaves(body, label):
                found.extend(body)
            case _:
                found.append(changed)
    return kept(block, reachable(found))


def _is_pure(instruction: Instruction) -> bool:
    if isinstance(instruction, Op):
        return instruction.name in PURE
    return isinstance(instruction, (Load, ScratchLoad, Context))


def _renumbered(function: Function) -> Function:
    named = {reg for i in walk(function.body) for reg in (*reads(i), *writes(i)) if isinstance(reg, Reg)}
    others = sorted(named.difference(function.params), key=lambda reg: reg.number)
    kinds: tuple[Kind, ...] = tuple(reg.kind for reg in (*function.params, *others))
    if len(kinds) == len(function.registers):
        return function
    new: dict[Operand, Reg] = {reg: Reg(number, reg.kind) for number, reg in enumerate((*function.params, *others))}
    return replace(function, registers=kinds, body=_with_registers(function.body, new))


def _with_registers(block: Block, new: Mapping[Operand, Reg]) -> Block:
    """The block with other registers; constants stay."""
    found: list[Instruction] = []
    for instruction in block:
        changed = with_reads(instruction, lambda operand: new.get(operand, operand))
        changed = with_writes(changed, lambda reg: new[reg])
        found.append(with_blocks(changed, lambda inner: _with_registers(inner, new)))
    return kept(block, found)
