"""
Constant folding: an operation whose operands are all literals becomes copies of its results.

Exact, by the same arithmetic the interpreter runs. An operation that fails on its literals stays, so that it fails
when it is reached and not before. Also algebra that holds for every operand: x + 0, x · 1 of words, an If on a
literal.
"""

from __future__ import annotations

from execution.compiler.interpret_arithmetic import MEANING, Failure
from execution.compiler.ir import OPS, Block, Const, If, Instruction, Module, Op, Operand, Reg
from execution.compiler.ir_walk import kept, reachable, with_blocks, with_bodies

# operation → the literal on the right that leaves the left operand as it is
_NEUTRAL = {"add.w": 0, "sub.w": 0, "mul.w": 1, "floordiv.w": 1, "address.w": 0, "add.d": 0, "sub.d": 0}
_COMMUTES = {"add.w", "mul.w", "address.w", "add.d"}


def fold(module: Module) -> Module:
    """The module with every operation on literals done now, and dead arms of literal conditions gone."""
    return with_bodies(module, lambda function: _block(function.body))


def _block(block: Block) -> Block:
    found: list[Instruction] = []
    for instruction in block:
        match instruction:
            case Op():
                found.extend(_op(instruction))
            case If(Const(value), then, other):
                found.extend(_block(then if value else other))
            case _:
                found.append(with_blocks(instruction, _block))
    return kept(block, reachable(found))


def _op(op: Op) -> tuple[Instruction, ...]:
    neutral = _neutral(op)
    if neutral is not None:
        return (_copy(op.out[0], neutral, op.line),)
    if op.name.startswith("copy.") or not all(isinstance(arg, Const) for arg in op.args):
        return (op,)
    try:
        value = MEANING[op.name](*(arg.value for arg in op.args if isinstance(arg, Const)))
    except Failure:
        return (op,)
    return (_copy(op.out[0], Const(int(value), op.out[0].kind), op.line),)


def _neutral(op: Op) -> Operand | None:
    if op.name not in _NEUTRAL:
        return None
    left, right = op.args
    neutral = Const(_NEUTRAL[op.name], OPS[op.name][0][1])
    if right == neutral:
        return left
    return right if left == neutral and op.name in _COMMUTES else None


def _copy(out: Reg, value: Operand, line: int) -> Op:
    return Op(f"copy.{out.kind}", (out,), (value,), line)
