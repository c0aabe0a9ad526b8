"""
A function of the IR as WASM: structured control carries over one to one.

Try is a savepoint around a try_table that catches only `reject`; want of gas passes through. A comparison that feeds
the If right after it, and nothing else, stays an i32.
"""

from __future__ import annotations

from collections import Counter

from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Context,
    Emit,
    Function,
    Gas,
    If,
    Instruction,
    Invoke,
    Keep,
    Leave,
    Load,
    Loop,
    Op,
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
from execution.compiler.ir_walk import falls_through, reads, walk
from execution.compiler.write_body import EXHAUSTED_LABEL, Body
from execution.compiler.write_compare import TRUTHS, write_condition, write_truth
from execution.compiler.write_kernel import write_at_end, write_context, write_emit, write_invoke, write_service
from execution.compiler.write_memory import write_load, write_release, write_reserve, write_store, write_touch
from execution.compiler.write_names import REJECT, Names
from execution.compiler.write_ops import write_op


def write_function(names: Names, function: Function) -> Body:
    """The finished body: its code and its locals."""
    counts = Counter(o for i in walk(function.body) for o in reads(i) if isinstance(o, Reg))
    body = Body(names, function, dict(counts))
    body.open_failures()
    write_block(body, function.body)
    if falls_through(function.body):
        body.add("return")
    body.close_failures()
    return body


def write_block(body: Body, block: Block) -> None:
    index = 0
    while index < len(block):
        instruction = block[index]
        following = block[index + 1] if index + 1 < len(block) else None
        if isinstance(instruction, Op) and isinstance(following, If) and _feeds(body, instruction, following):
            write_truth(body, instruction.name, instruction.args)
            _write_if(body, following)
            index += 2
        else:
            _write(body, instruction)
            index += 1


def _feeds(body: Body, op: Op, branch: If) -> bool:
    """Whether the comparison's result is read by this If and by nothing else."""
    return op.name in TRUTHS and branch.condition == op.out[0] and body.reads[op.out[0]] == 1


def _write(body: Body, instruction: Instruction) -> None:
    match instruction:
        case Op():
            write_op(body, instruction)
        case Load() | ScratchLoad():
            write_load(body, instruction)
        case Store() | ScratchStore():
            write_store(body, instruction)
        case Touch():
            write_touch(body, instruction)
        case Reserve():
            write_reserve(body, instruction)
        case Release():
            write_release(body, instruction)
        case Gas(amount):
            _write_gas(body, amount)
        case CallFunction(out, name, args):
            for arg in args:
                body.push(arg)
            body.add(("call", body.names.own[name]))
            body.pop(*out)
        case Runtime(out, name, args):
            for arg in args:
                body.push(arg)
            body.add(("call", body.names.runtime[name]))
            body.pop(*out)
        case If() | Scope() | Loop() | Try() | Leave() | Keep() | Return() | Reject():
            _write_control(body, instruction)
        case _:
            _write_kernel(body, instruction)


def _write_kernel(body: Body, instruction: Instruction) -> None:
    match instruction:
        case Context():
            write_context(body, instruction)
        case Invoke():
            write_invoke(body, instruction)
        case Emit():
            write_emit(body, instruction)
        case AtEnd():
            write_at_end(body, instruction)
        case Service():
            write_service(body, instruction)


def _write_gas(body: Body, amount: int) -> None:
    left = body.temporary("low")
    body.get_global("gas")
    body.const(amount)
    body.add("i64.sub")
    body.tee(left)
    body.set_global("gas")
    body.get(left)
    body.const(0)
    body.add("i64.lt_s")
    body.branch_if(EXHAUSTED_LABEL)


def _write_control(body: Body, instruction: Instruction) -> None:
    match instruction:
        case If():
            write_condition(body, instruction.condition)
            _write_if(body, instruction)
        case Scope(label, inner):
            body.open("block", label)
            write_block(body, inner)
            body.end()
        case Loop(inner):
            body.open("loop", "loop")
            write_block(body, inner)
            if falls_through(inner):
                body.branch("loop")
            body.end()
        case Leave(label):
            body.branch(label)
        case Keep():
            body.call("keep_savepoint")
        case Return(args):
            for arg in args:
                body.push(arg)
            body.add("return")
        case Reject(reason):
            body.low(reason)
            body.add(("throw", REJECT))
        case Try():
            _write_try(body, instruction)


def _write_if(body: Body, branch: If) -> None:
    """The condition stands on the stack, as an i32."""
    body.open("if", "if")
    write_block(body, branch.then)
    if branch.other:
        body.add("else")
        write_block(body, branch.other)
    body.end()


def _write_try(body: Body, attempt: Try) -> None:
    body.call("open_savepoint")
    body.open("block", "after")
    body.open("block", "caught", ("i64",))
    body.open("try_table", "try", (), ((REJECT, 0),))
    body.open_failures()
    write_block(body, attempt.body)
    if falls_through(attempt.body):
        body.call("keep_savepoint")
        body.branch("after")
    body.close_failures()
    body.end()
    body.const(0)
    body.end()
    body.pop(attempt.reason)
    body.call("undo_savepoint")
    write_block(body, attempt.handler)
    body.end()
