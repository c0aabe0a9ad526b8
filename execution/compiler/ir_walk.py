"""
What every pass asks of an instruction: what it reads and writes, its inner blocks, and the same instruction with
others.

Pure functions over the values of `ir`; the only place beside the text form that lists fields of every instruction.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Context,
    Emit,
    Function,
    If,
    Instruction,
    Invoke,
    Leave,
    Load,
    Loop,
    Module,
    Op,
    Operand,
    Reg,
    Reject,
    Release,
    Reserve,
    Return,
    Runtime,
    Scope,
    ScratchLoad,
    ScratchStore,
    Service,
    Store,
    Touch,
    Try,
)

_Reads = Callable[[Any], tuple[Operand, ...]]
_Writes = Callable[[Any], tuple[Reg, ...]]
_ARGS = operator.attrgetter("args")
_ADDRESS_AND_VALUE = operator.attrgetter("address", "value")


def _address(instruction: Load | Touch | ScratchLoad | Release) -> tuple[Operand, ...]:
    return (instruction.address,)


def _invoked(instruction: Invoke) -> tuple[Operand, ...]:
    gas = () if instruction.gas is None else (instruction.gas,)
    return (*instruction.target, *instruction.args, *gas, *instruction.world)


_READS: dict[type[Instruction], _Reads] = {
    **dict.fromkeys((Op, CallFunction, Runtime, Emit, Service, Return), _ARGS),
    **dict.fromkeys((Load, Touch, ScratchLoad, Release), _address),
    **dict.fromkeys((Store, ScratchStore), _ADDRESS_AND_VALUE),
    AtEnd: operator.attrgetter("account"),
    Reject: lambda reject: (reject.reason,),
    If: lambda branch: (branch.condition,),
    Invoke: _invoked,
}
_WRITES: dict[type[Instruction], _Writes] = {
    **dict.fromkeys((Op, CallFunction, Runtime, Context, Service, Invoke), operator.attrgetter("out")),
    **dict.fromkeys((Load, ScratchLoad, Reserve), lambda load: (load.out,)),
    Try: lambda tried: (tried.reason,),
}
_BLOCKS: dict[type[Instruction], Callable[[Any], tuple[Block, ...]]] = {
    If: operator.attrgetter("then", "other"),
    Try: operator.attrgetter("body", "handler"),
    **dict.fromkeys((Scope, Loop), lambda outer: (outer.body,)),
}


def reads(instruction: Instruction) -> tuple[Operand, ...]:
    """Operands read by the instruction itself, not by its inner blocks."""
    found = _READS.get(type(instruction))
    return found(instruction) if found else ()


def writes(instruction: Instruction) -> tuple[Reg, ...]:
    """Registers written by the instruction itself, not by its inner blocks."""
    found = _WRITES.get(type(instruction))
    return found(instruction) if found else ()


def blocks(instruction: Instruction) -> tuple[Block, ...]:
    """The inner blocks, in the order of the text."""
    found = _BLOCKS.get(type(instruction))
    return found(instruction) if found else ()


def walk(block: Block) -> Iterator[Instruction]:
    """Every instruction of the block and of the blocks within, in the order of the text."""
    waiting = [iter(block)]
    while waiting:
        for instruction in waiting[-1]:
            yield instruction
            if type(instruction) in _BLOCKS:
                waiting += map(iter, reversed(blocks(instruction)))
                break
        else:
            waiting.pop()


def written(block: Block) -> set[Reg]:
    """Every register assigned anywhere within."""
    return {reg for instruction in walk(block) for reg in writes(instruction)}


def kept(block: Block, found: Sequence[Instruction]) -> Block:
    """What a pass made of a block: the block itself when all its instructions are the very same."""
    if len(found) == len(block) and all(map(operator.is_, found, block)):
        return block
    return tuple(found)


def with_blocks(instruction: Instruction, change: Callable[[Block], Block]) -> Instruction:
    """The instruction with each inner block changed; itself when it has none, or when none changes."""
    before = blocks(instruction)
    if not before:
        return instruction
    after = tuple(map(change, before))
    if all(map(operator.is_, after, before)):
        return instruction
    match instruction:
        case If(condition, _, _, line):
            return If(condition, after[0], after[1], line)
        case Scope(label, _, line):
            return Scope(label, after[0], line)
        case Loop(_, line):
            return Loop(after[0], line)
        case Try(_, reason, _, line):
            return Try(after[0], reason, after[1], line)
        case _:
            return instruction


def with_reads(instruction: Instruction, change: Callable[[Operand], Operand]) -> Instruction:
    """The instruction with each operand it reads changed; inner blocks stay. Itself when none changes."""
    before = reads(instruction)
    if all(map(operator.is_, map(change, before), before)):
        return instruction
    match instruction:
        case Op() | CallFunction() | Runtime() | Emit() | Service() | Return():
            return replace(instruction, args=tuple(map(change, instruction.args)))
        case Load() | Touch() | ScratchLoad() | Release():
            return replace(instruction, address=change(instruction.address))
        case Store() | ScratchStore():
            return replace(instruction, address=change(instruction.address), value=change(instruction.value))
        case AtEnd(_, (a, b, c)):
            return replace(instruction, account=(change(a), change(b), change(c)))
        case Reject():
            return replace(instruction, reason=change(instruction.reason))
        case If():
            return replace(instruction, condition=change(instruction.condition))
        case Invoke(_, (a, b, c)):
            return replace(
                instruction,
                target=(change(a), change(b), change(c)),
                args=tuple(map(change, instruction.args)),
                gas=None if instruction.gas is None else change(instruction.gas),
                world=tuple(map(change, instruction.world)),
            )
        case _:
            return instruction


def with_writes(instruction: Instruction, change: Callable[[Reg], Reg]) -> Instruction:
    """The instruction with each register it writes changed; inner blocks stay. Itself when none changes."""
    before = writes(instruction)
    if all(map(operator.is_, map(change, before), before)):
        return instruction
    match instruction:
        case Op() | CallFunction() | Runtime() | Context() | Service() | Invoke():
            return replace(instruction, out=tuple(map(change, instruction.out)))
        case Load() | ScratchLoad() | Reserve():
            return replace(instruction, out=change(instruction.out))
        case Try():
            return replace(instruction, reason=change(instruction.reason))
        case _:
            return instruction


def with_bodies(module: Module, change: Callable[[Function], Block]) -> Module:
    """The module with the body of each function changed; functions whose body stays the very same stay, too."""
    functions = []
    for function in module.functions:
        body = change(function)
        functions.append(function if body is function.body else replace(function, body=body))
    return replace(module, functions=tuple(functions))


def leaves(block: Block, label: int) -> bool:
    """Whether a Leave of this label stands anywhere within."""
    return any(isinstance(instruction, Leave) and instruction.label == label for instruction in walk(block))


def falls_through(block: Block) -> bool:
    """Whether control may reach the end of the block."""
    if not block:
        return True
    match block[-1]:
        case Reject() | Leave() | Return() | Loop():
            return False
        case If(_, then, other):
            return falls_through(then) or falls_through(other)
        case Scope(label, body):
            return falls_through(body) or leaves(body, label)
        case Try(body, _, handler):
            return falls_through(body) or falls_through(handler)
        case _:
            return True


def reachable(instructions: Sequence[Instruction]) -> Block:
    """The instructions up to the first that never ends normally."""
    for index, instruction in enumerate(instructions):
        if not falls_through((instruction,)):
            return tuple(instructions[: index + 1])
    return tuple(instructions)
