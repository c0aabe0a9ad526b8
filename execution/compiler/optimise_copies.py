"""
Copy propagation within straight lines: after `a = copy b`, reads of a become reads of b until either is assigned.

What is known flows into inner blocks, less what they assign; nothing flows out of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from execution.compiler.ir import Block, Instruction, Module, Op, Operand, Reg
from execution.compiler.ir_walk import blocks, kept, with_blocks, with_bodies, with_reads, writes, written


@dataclass(slots=True)
class _Copies:
    """What registers are copies of. users: for each register, those that may be copies of it."""

    known: dict[Reg, Operand] = field(default_factory=dict)
    users: dict[Reg, set[Reg]] = field(default_factory=dict)

    def inner(self) -> _Copies:
        return _Copies(dict(self.known), {reg: set(users) for reg, users in self.users.items()})

    def learn(self, reg: Reg, source: Operand) -> None:
        self.known[reg] = source
        if isinstance(source, Reg):
            self.users.setdefault(source, set()).add(reg)

    def forget(self, assigned: Iterable[Reg]) -> None:
        """Registers are assigned: they, and copies of them, are no longer what they were."""
        for reg in assigned:
            self.known.pop(reg, None)
            for user in self.users.pop(reg, ()):
                if self.known.get(user) == reg:
                    del self.known[user]

    def resolve(self, operand: Operand) -> Operand:
        return self.known.get(operand, operand) if isinstance(operand, Reg) else operand


def propagate_copies(module: Module) -> Module:
    """The module with reads of copies replaced by reads of what was copied."""
    return with_bodies(module, lambda function: _block(function.body, _Copies()))


def _block(block: Block, copies: _Copies) -> Block:
    found: list[Instruction] = []
    for instruction in block:
        changed = with_reads(instruction, copies.resolve)
        inner = blocks(changed)
        if inner:
            for body in inner:
                copies.forget(written(body))
            changed = with_blocks(changed, lambda body: _block(body, copies.inner()))
        copies.forget(writes(changed))
        if isinstance(changed, Op) and changed.name.startswith("copy."):
            if changed.args[0] == changed.out[0]:
                continue
            copies.learn(changed.out[0], changed.args[0])
        found.append(changed)
    return kept(block, found)
