"""
Inlining of tiny leaf functions: a straight line of few instructions, without calls, ending in its only Return.

The callee's registers become new registers of the caller. A callee that reads a register before assigning it stays a
call: its zero would be whatever the last inlined copy left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from execution.compiler.ir import (
    Block,
    CallFunction,
    Context,
    Function,
    Instruction,
    Kind,
    Load,
    Module,
    Op,
    Operand,
    Reg,
    Return,
    ScratchLoad,
    ScratchStore,
    Store,
    Touch,
)
from execution.compiler.ir_walk import kept, reads, with_blocks, with_reads, with_writes, writes

INLINED_MAX = 12  # instructions of a callee
REGISTERS_MAX = 4_000  # of a caller, after which calls stay
GROWTH_MAX = 1_000  # instructions a caller gains, after which calls stay
PROGRAM_GROWTH_MAX = 2_000  # the same of all callers of a module


def inline(module: Module) -> Module:
    """The module with calls of tiny leaf functions replaced by their bodies."""
    tiny = {function.name: function for function in module.functions if _is_tiny(function)}
    functions, grown = [], 0
    for function in module.functions:
        caller = _Caller(tiny, list(function.registers), min(GROWTH_MAX, PROGRAM_GROWTH_MAX - grown))
        functions.append(caller.rewrite(function))
        grown += caller.grown
    return replace(module, functions=tuple(functions))


def _is_tiny(function: Function) -> bool:
    body = function.body
    if len(body) > INLINED_MAX or not body or not isinstance(body[-1], Return):
        return False
    assigned = set(function.params)
    for instruction in body[:-1]:
        if not isinstance(instruction, (Op, Load, Store, Touch, ScratchLoad, ScratchStore, Context)):
            return False
        if any(isinstance(operand, Reg) and operand not in assigned for operand in reads(instruction)):
            return False
        assigned.update(writes(instruction))
    return all(operand in assigned for operand in reads(body[-1]) if isinstance(operand, Reg))


@dataclass(slots=True)
class _Caller:
    """
    A function being rewritten; `registers` grows by those of every inlined callee, `grown` by its instructions, to
    `room` at most.
    """

    tiny: dict[str, Function]
    registers: list[Kind]
    room: int
    grown: int = 0

    def rewrite(self, function: Function) -> Function:
        body = self._block(function.body)
        if body is function.body:
            return function
        return replace(function, body=body, registers=tuple(self.registers))

    def _block(self, block: Block) -> Block:
        found: list[Instruction] = []
        for instruction in block:
            callee = self.tiny.get(instruction.function) if isinstance(instruction, CallFunction) else None
            if callee is None or not self._fits(callee):
                found.append(with_blocks(instruction, self._block))
            else:
                assert isinstance(instruction, CallFunction)
                found += self._body(instruction, callee)
        return kept(block, found)

    def _fits(self, callee: Function) -> bool:
        return (
            len(self.registers) + len(callee.registers) <= REGISTERS_MAX and self.grown + len(callee.body) <= self.room
        )

    def _body(self, call: CallFunction, callee: Function) -> list[Instruction]:
        base = len(self.registers)
        self.registers += callee.registers
        self.grown += len(callee.body)

        def shift(operand: Operand) -> Operand:
            return Reg(operand.number + base, operand.kind) if isinstance(operand, Reg) else operand

        def shift_out(reg: Reg) -> Reg:
            return Reg(reg.number + base, reg.kind)

        found = [_copy(shift_out(param), arg, call.line) for param, arg in zip(callee.params, call.args)]
        found += [with_writes(with_reads(instruction, shift), shift_out) for instruction in callee.body[:-1]]
        results = reads(callee.body[-1])
        return found + [_copy(out, shift(result), call.line) for out, result in zip(call.out, results)]


def _copy(out: Reg, value: Operand, line: int) -> Instruction:
    return Op(f"copy.{out.kind}", (out,), (value,), line)
