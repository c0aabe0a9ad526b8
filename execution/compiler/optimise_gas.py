"""
Gas: puts a Gas instruction in front of every straight line, the last pass of `optimise`.

A straight line is charged whole when it is entered: up to and with the next instruction that has inner blocks. What
depends on data (pages saved, probes, the callee of an Invoke) is charged by the runtime and the kernel when it
happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Const,
    Context,
    Emit,
    Gas,
    If,
    Instruction,
    Invoke,
    Keep,
    Leave,
    Load,
    Loop,
    Module,
    Op,
    Reject,
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
from execution.compiler.ir_walk import blocks, reads, with_blocks, writes

_WORDS: dict[type, str] = {
    Load: "load",
    Store: "store",
    ScratchLoad: "scratch_load",
    ScratchStore: "scratch_store",
    Touch: "touch",
    Context: "context",
    CallFunction: "call",
    Invoke: "invoke",
    Emit: "emit",
    AtEnd: "at_end",
    Service: "service",
    Reject: "reject",
    If: "if",
    Scope: "scope",
    Loop: "loop",
    Leave: "leave",
    Try: "try",
    Keep: "keep",
    Return: "return",
}


def insert_gas(module: Module, table: Mapping[str, int]) -> Module:
    """The module with every straight line charged by the table; KeyError names an entry the table lacks."""
    return replace(module, functions=tuple(replace(f, body=_block(f.body, table)) for f in module.functions))


def _block(block: Block, table: Mapping[str, int]) -> Block:
    """The block with each of its straight lines charged, the first included."""
    amount, charged = _open(block, table)
    return (Gas(amount, block[0].line), *charged) if amount else charged


def _open(block: Block, table: Mapping[str, int]) -> tuple[int, Block]:
    """
    What entering the block costs, and the block without that charge.

    A Scope is entered whenever it is reached, so its first straight line belongs to the line that ends in it.
    """
    amount = 0
    for index, instruction in enumerate(block):
        amount += cost(instruction, table)
        if not blocks(instruction):
            continue
        if isinstance(instruction, Scope):
            inside, body = _open(instruction.body, table)
            amount += inside
            charged: Instruction = Scope(instruction.label, body, instruction.line)
        else:
            charged = with_blocks(instruction, lambda inner: _block(inner, table))
        return amount, (*block[:index], charged, *_block(block[index + 1 :], table))
    return amount, block


def cost(instruction: Instruction, table: Mapping[str, int]) -> int:
    """Units of one instruction, its inner blocks left aside."""
    match instruction:
        case Op(name, _, args):
            if name.startswith("copy.") and isinstance(args[0], Const):
                return 0
            return table[name]
        case Runtime(_, name):
            return table.get(f"runtime:{name.partition('.')[0]}", table["runtime:runtime"])
        case Invoke() | Emit() | Service() | AtEnd():
            packed = sum(1 if operand.kind == "w" else 2 for operand in (*reads(instruction), *writes(instruction)))
            return table[_WORDS[type(instruction)]] + packed * table["word"]
        case Gas():
            return 0
        case _:
            return table[_WORDS[type(instruction)]]
