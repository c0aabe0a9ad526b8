"""
Gas: puts a Gas instruction in front of every straight line, the last pass of `optimise`.

A straight line is charged whole when it is entered: up to and with the next instruction that has inner blocks. What
depends on data (pages saved, probes, the callee of an Invoke) is charged by the runtime and the kernel when it
happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from execution.compiler.ir_walk import blocks, reads, with_blocks, writes

_WORDS: dict[type, str] = {
    Load: "load",
    Store: "store",
    ScratchLoad: "scratch_load",
    ScratchStore: "scratch_store",
    Touch: "touch",
    Reserve: "context",
    Release: "context",
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
    lines = list(_straight_lines(block, table))
    charged: list[Instruction] = list(lines[0][1]) if lines else []
    for amount, line in lines[1:]:
        charged += (Gas(amount, line[0].line), *line) if amount else line
    return lines[0][0] if lines else 0, tuple(charged)


def _straight_lines(block: Block, table: Mapping[str, int]) -> Iterator[tuple[int, list[Instruction]]]:
    """What each straight line costs, and the line; all but the last end in an instruction with inner blocks."""
    amount, line = 0, list[Instruction]()
    for instruction in block:
        amount += cost(instruction, table)
        line.append(instruction)
        if not blocks(instruction):
            continue
        if isinstance(instruction, Scope):
            inside, body = _open(instruction.body, table)
            amount += inside
            line[-1] = Scope(instruction.label, body, instruction.line)
        else:
            line[-1] = with_blocks(instruction, lambda inner: _block(inner, table))
        yield amount, line
        amount, line = 0, []
    if line:
        yield amount, line


def cost(instruction: Instruction, table: Mapping[str, int]) -> int:
    """Units of one instruction, its inner blocks left aside."""
    match instruction:
        case Op(name, _, args):
            if name.startswith("copy.") and isinstance(args[0], Const):
                return 0
            return table[name]
        case Runtime(_, name):
            return table.get(f"runtime:{name.partition('.')[0]}", table["runtime:runtime"])
        case Load(size=4):  # the address of a neighbour: what comes next waits for memory
            return table.get("link", table["load"])
        case Service(_, name):
            return table.get(f"service:{name}", table["service"]) + _packed(instruction) * table["word"]
        case Invoke() | Emit() | AtEnd():
            return table[_WORDS[type(instruction)]] + _packed(instruction) * table["word"]
        case Gas():
            return 0
        case _:
            return table[_WORDS[type(instruction)]]


def _packed(instruction: Instruction) -> int:
    """Words that an instruction packs and unpacks."""
    return sum(1 if operand.kind == "w" else 2 for operand in (*reads(instruction), *writes(instruction)))
