"""
Dead code: pure instructions whose results nobody in the function reads, functions nobody calls, registers nobody names.

Pure means it cannot reject, charge or write; loads are pure, since addresses are right by construction. Reads are
counted over the whole function, so a register that is used twice keeps both its assignments: the engine's own compiler
drops what is left.
"""

from __future__ import annotations

from dataclasses import replace

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
    Reg,
    Scope,
    ScratchLoad,
)
from execution.compiler.ir_walk import leaves, reachable, reads, walk, with_blocks, with_reads, with_writes, writes

_PURE_OF_ONE_KIND = frozenset({"address.w", "to_d.w", "not.w", "and.w", "or.w", "low.d", "high.d", "join.d"})
PURE = _PURE_OF_ONE_KIND | {
    f"{name}.{kind}" for name in ("copy", "min", "max", "eq", "ne", "lt", "le", "gt", "ge") for kind in "wd"
}


def drop_dead(module: Module) -> Module:
    """The module without pure code whose results are never read."""
    return replace(module, functions=tuple(_function(f) for f in module.functions))


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


def _function(function: Function) -> Function:
    while True:
        live = {operand for i in walk(function.body) for operand in reads(i) if isinstance(operand, Reg)}
        body = _block(function.body, live)
        if body == function.body:
            return function
        function = replace(function, body=body)


def _block(block: Block, live: set[Reg]) -> Block:
    found: list[Instruction] = []
    for instruction in block:
        if _is_pure(instruction) and not live.intersection(writes(instruction)):
            continue
        changed = with_blocks(instruction, lambda inner: _block(inner, live))
        match changed:
            case If(_, (), ()):
                continue
            case Scope(label, body) if not leaves(body, label):
                found.extend(body)
            case _:
                found.append(changed)
    return reachable(found)


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
    new = {reg: Reg(number, reg.kind) for number, reg in enumerate((*function.params, *others))}

    def block(body: Block) -> Block:
        return tuple(one(instruction) for instruction in body)

    def one(instruction: Instruction) -> Instruction:
        changed = with_reads(instruction, lambda operand: new[operand] if isinstance(operand, Reg) else operand)
        return with_blocks(with_writes(changed, lambda reg: new[reg]), block)

    return replace(function, registers=kinds, body=block(function.body))
