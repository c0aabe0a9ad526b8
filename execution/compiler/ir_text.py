"""
The text form of the IR: one instruction a line, blocks in braces, made to be read and diffed.

`show(module)` prints, `parse(text)` reads it back; parse(show(m)) == m for every module. Registers are w3 or d4 (kind
and number), words are 5 or -5, decimals are raw counts of 10⁻¹⁸ followed by d. `@12` at the end of a line is the
source line.
"""

from __future__ import annotations

from collections.abc import Iterator

from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Context,
    Emit,
    Entry,
    Function,
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
from execution.compiler.ir_parse import parse

__all__ = ["parse", "show", "show_function"]

ORDERS = ("cancel", "post_only", "trade")


def show(module: Module) -> str:
    """The whole module as text, ending with a newline."""
    lines = [f"module {module.name} heap {module.heap}"]
    lines += [_entry(entry) for entry in module.entries]
    for function in module.functions:
        lines += ["", *_function(function)]
    return "\n".join(lines) + "\n"


def show_function(function: Function) -> str:
    """One function as text, for error messages and diffs."""
    return "\n".join(_function(function)) + "\n"


def _entry(entry: Entry) -> str:
    flags = (" view" if entry.view else "") + (" hook" if entry.hook else "")
    return f"entry {entry.selector:#010x} {entry.function} {ORDERS[entry.order]}{flags}"


def _function(function: Function) -> Iterator[str]:
    params = ", ".join(_operand(param) for param in function.params)
    results, registers = "".join(function.results), "".join(function.registers)
    yield f"function {function.name}({params}) -> ({results}) registers ({registers}) {{{_line(function.line)}"
    yield from _block(function.body, 1)
    yield "}"


def _line(line: int) -> str:
    return f" @{line}" if line else ""


def _operand(operand: Operand) -> str:
    if isinstance(operand, Reg):
        return f"{operand.kind}{operand.number}"
    return f"{operand.value}d" if operand.kind == "d" else str(operand.value)


def _list(operands: tuple[Operand, ...]) -> str:
    return ", ".join(_operand(operand) for operand in operands)


def _outs(outs: tuple[Reg, ...]) -> str:
    return f"{_list(outs)} = " if outs else ""


def _block(block: Block, depth: int) -> Iterator[str]:
    for instruction in block:
        yield from _instruction(instruction, depth)


def _instruction(instruction: Instruction, depth: int) -> Iterator[str]:
    indent = "  " * depth
    line = _line(instruction.line)
    match instruction:
        case If(condition, then, other):
            yield f"{indent}if {_operand(condition)} {{{line}"
            yield from _block(then, depth + 1)
            if other:
                yield f"{indent}}} else {{"
                yield from _block(other, depth + 1)
            yield f"{indent}}}"
        case Scope(label, body):
            yield f"{indent}scope {label} {{{line}"
            yield from _block(body, depth + 1)
            yield f"{indent}}}"
        case Loop(body):
            yield f"{indent}loop {{{line}"
            yield from _block(body, depth + 1)
            yield f"{indent}}}"
        case Try(body, reason, handler):
            yield f"{indent}try {_operand(reason)} {{{line}"
            yield from _block(body, depth + 1)
            yield f"{indent}}} handler {{"
            yield from _block(handler, depth + 1)
            yield f"{indent}}}"
        case _:
            yield f"{indent}{_plain(instruction)}{line}"


def _plain(instruction: Instruction) -> str:
    match instruction:
        case Op(name, out, args):
            return f"{_outs(out)}{name} {_list(args)}"
        case Load(out, address, offset, size):
            return f"{_operand(out)} = load.{size} {_operand(address)} + {offset}"
        case Store(address, offset, value, size):
            return f"store.{size} {_operand(address)} + {offset}, {_operand(value)}"
        case Touch(address, offset, size):
            return f"touch.{size} {_operand(address)} + {offset}"
        case ScratchLoad(out, address, offset):
            return f"{_operand(out)} = scratch_load {_operand(address)} + {offset}"
        case ScratchStore(address, offset, value):
            return f"scratch_store {_operand(address)} + {offset}, {_operand(value)}"
        case Reserve(out, size):
            return f"{_operand(out)} = reserve {size}"
        case Release(address):
            return f"release {_operand(address)}"
        case Context(out, name):
            return f"{_outs(out)}context {name}"
        case Reject(reason):
            return f"reject {_operand(reason)}"
        case Leave(label):
            return f"leave {label}"
        case Keep():
            return "keep"
        case Return(args):
            return f"return {_list(args)}".rstrip()
        case Gas(amount):
            return f"gas {amount}"
        case _:
            return _call(instruction)


def _call(instruction: Instruction) -> str:
    match instruction:
        case CallFunction(out, function, args):
            return f"{_outs(out)}call {function}({_list(args)})"
        case Runtime(out, name, args):
            return f"{_outs(out)}runtime {name}({_list(args)})"
        case Service(out, name, args):
            return f"{_outs(out)}service {name}({_list(args)})"
        case Emit(event, args):
            return f"emit {event}({_list(args)})"
        case AtEnd(selector, account):
            return f"at_end {selector:#010x}({_list(account)})"
        case Invoke(out, target, selector, args, gas, world, view):
            tail = "" if gas is None else f" gas {_operand(gas)}"
            tail += f" world ({_list(world)})" if world else ""
            tail += " view" if view else ""
            return f"{_outs(out)}invoke ({_list(target)}) {selector:#010x}({_list(args)}){tail}"
        case _:
            raise AssertionError(f"{instruction!r} is not an instruction of the IR")
