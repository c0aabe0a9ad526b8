"""
Copy propagation within straight lines: after `a = copy b`, reads of a become reads of b until either is assigned.

What is known flows into inner blocks, less what they assign; nothing flows out of them.
"""

from __future__ import annotations

from dataclasses import replace

from execution.compiler.ir import Block, Instruction, Module, Op, Operand, Reg
from execution.compiler.ir_walk import blocks, with_blocks, with_reads, writes, written

_Copies = dict[Reg, Operand]


def propagate_copies(module: Module) -> Module:
    """The module with reads of copies replaced by reads of what was copied."""
    return replace(module, functions=tuple(replace(f, body=_block(f.body, {})) for f in module.functions))


def _block(block: Block, known: _Copies) -> Block:
    known = dict(known)
    found: list[Instruction] = []
    for instruction in block:
        changed = with_reads(instruction, lambda operand: _resolve(operand, known))
        inner = blocks(changed)
        if inner:
            _forget(known, set().union(*map(written, inner)))
            changed = with_blocks(changed, lambda body: _block(body, known))
        _forget(known, set(writes(changed)))
        if isinstance(changed, Op) and changed.name.startswith("copy."):
            if changed.args[0] == changed.out[0]:
                continue
            known[changed.out[0]] = changed.args[0]
        found.append(changed)
    return tuple(found)


def _resolve(operand: Operand, known: _Copies) -> Operand:
    return known.get(operand, operand) if isinstance(operand, Reg) else operand


def _forget(known: _Copies, assigned: set[Reg]) -> None:
    for reg, source in tuple(known.items()):
        if reg in assigned or source in assigned:
            del known[reg]
