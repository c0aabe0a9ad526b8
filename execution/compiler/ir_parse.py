"""
Reads the text form of the IR, one line at a time (printed by `ir_text.show`).

Blocks nest by braces; a line is recognised by its first word, or after `=` when it has results. Raises ValueError
with the number of the offending line. Nothing is checked here beyond the form: that is `ir_check`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Const,
    Context,
    Emit,
    Entry,
    Function,
    Gas,
    If,
    Instruction,
    Invoke,
    Keep,
    Kind,
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

ORDERS = ("cancel", "post_only", "trade")
_LINE = re.compile(r" @(\d+)$")
_MODULE = re.compile(r"module (\S+) heap (\d+)")
_ENTRY = re.compile(r"entry (0x[0-9a-f]+) (\S+) (cancel|post_only|trade)( view)?( hook)?")
_FUNCTION = re.compile(r"function ([^\s(]+)\((.*?)\) -> \(([wd]*)\) registers \(([wd]*)\) \{")
_OPENING = re.compile(r"if -?\w+ \{|scope \d+ \{|loop \{|try w\d+ \{")
_CLOSINGS = ("}", "} else {", "} handler {")
_MEMORY = re.compile(r"(load|store|touch)\.(\d+) (\S+) \+ (\d+)(?:, (\S+))?")
_SCRATCH = re.compile(r"(scratch_load|scratch_store) (\S+) \+ (\d+)(?:, (\S+))?")
_CALL = re.compile(r"(call|runtime|service|emit|at_end) ([^\s(]+)\((.*)\)")
_INVOKE = re.compile(r"invoke \((.*?)\) (0x[0-9a-f]+)\((.*?)\)(?: gas (\S+))?(?: world \((.*?)\))?( view)?")


class _Lines:
    """A cursor over the text's lines: blank ones skipped, source line numbers split off."""

    def __init__(self, text: str) -> None:
        self._lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._lines)

    def peek(self) -> str:
        return self._lines[self._at][1] if self.more() else ""

    def take(self) -> tuple[str, int]:
        """The next line without its `@line`, and that number."""
        if not self.more():
            raise ValueError("the text of the module ends inside a block; close it with }")
        text = self._lines[self._at][1]
        self._at += 1
        found = _LINE.search(text)
        return (text[: found.start()], int(found[1])) if found else (text, 0)

    def match(self, pattern: re.Pattern[str], what: str) -> tuple[re.Match[str], int]:
        text, line = self.take()
        found = pattern.fullmatch(text)
        if not found:
            raise self.error(f"expected {what}")
        return found, line

    def error(self, what: str) -> ValueError:
        number, text = self._lines[self._at - 1]
        return ValueError(f"line {number} of the module's text, {text!r}: {what}")


def parse(text: str) -> Module:
    """The module whose text this is; ValueError names the first line that is not in the form."""
    lines = _Lines(text)
    head, _ = lines.match(_MODULE, "module NAME heap BYTES")
    entries: list[Entry] = []
    while lines.peek().startswith("entry "):
        found, _ = lines.match(_ENTRY, "entry SELECTOR FUNCTION ORDER [view] [hook]")
        order = ORDERS.index(found[3])
        entries.append(Entry(int(found[1], 16), found[2], order, bool(found[4]), bool(found[5])))
    functions: list[Function] = []
    while lines.more():
        functions.append(_function(lines))
    return Module(head[1], tuple(functions), tuple(entries), int(head[2]))


def _function(lines: _Lines) -> Function:
    found, line = lines.match(_FUNCTION, "function NAME(PARAMS) -> (KINDS) registers (KINDS) {")
    params = cast(tuple[Reg, ...], _operands(found[2]))
    body = _plain_block(lines)
    kinds = cast(Callable[[str], tuple[Kind, ...]], tuple)
    return Function(found[1], params, kinds(found[3]), kinds(found[4]), body, line)


def _block(lines: _Lines) -> tuple[Block, str]:
    """Instructions up to the closing line, and that line: }, } else { or } handler {."""
    found: list[Instruction] = []
    while True:
        text, line = lines.take()
        if text.startswith("}"):
            if text not in _CLOSINGS:
                raise lines.error("a block is closed by }, } else { or } handler { alone on its line")
            return tuple(found), text
        if text.endswith("{"):
            found.append(_structured(lines, text, line))
            continue
        try:
            found.append(_plain(text, line))
        except (ValueError, IndexError) as error:
            raise lines.error(f"not an instruction of the IR ({error})") from error


def _plain_block(lines: _Lines) -> Block:
    """A block that nothing but } may close."""
    body, end = _block(lines)
    if end != "}":
        raise lines.error("expected } here")
    return body


def _structured(lines: _Lines, text: str, line: int) -> Instruction:
    words = text.split()
    if not _OPENING.fullmatch(text):
        raise lines.error("expected if OPERAND {, scope NUMBER {, loop { or try REGISTER {")
    body, end = _block(lines)
    match words[0]:
        case "if":
            other = _plain_block(lines) if end == "} else {" else ()
            if end != "} handler {":
                return If(_operand(words[1]), body, other, line)
        case "scope" if end == "}":
            return Scope(int(words[1]), body, line)
        case "loop" if end == "}":
            return Loop(body, line)
        case "try" if end == "} handler {":
            return Try(body, cast(Reg, _operand(words[1])), _plain_block(lines), line)
    raise lines.error("expected } else {, } handler { or } here")


def _plain(text: str, line: int) -> Instruction:
    outs, equals, rest = text.partition(" = ")
    if not equals:
        outs, rest = "", text
    out = cast(tuple[Reg, ...], _operands(outs))
    word, _, tail = rest.partition(" ")
    match word:
        case "context":
            return Context(out, tail, line)
        case "reject":
            return Reject(_operand(tail), line)
        case "reserve":
            return Reserve(out[0], int(tail), line)
        case "release":
            return Release(_operand(tail), line)
        case "leave":
            return Leave(int(tail), line)
        case "keep":
            return Keep(line)
        case "return":
            return Return(_operands(tail), line)
        case "gas":
            return Gas(int(tail), line)
    if found := _MEMORY.fullmatch(rest):
        return _memory(out, found, line)
    if found := _SCRATCH.fullmatch(rest):
        return _scratch(out, found, line)
    if found := _CALL.fullmatch(rest):
        return _call(out, found, line)
    if found := _INVOKE.fullmatch(rest):
        return _invoke(out, found, line)
    return Op(word, out, _operands(tail), line)


def _memory(out: tuple[Reg, ...], found: re.Match[str], line: int) -> Instruction:
    size, address, offset = int(found[2]), _operand(found[3]), int(found[4])
    match found[1]:
        case "load":
            return Load(out[0], address, offset, size, line)
        case "store":
            return Store(address, offset, _operand(found[5]), size, line)
    return Touch(address, offset, size, line)


def _scratch(out: tuple[Reg, ...], found: re.Match[str], line: int) -> Instruction:
    address, offset = _operand(found[2]), int(found[3])
    if found[1] == "scratch_load":
        return ScratchLoad(out[0], address, offset, line)
    return ScratchStore(address, offset, _operand(found[4]), line)


def _call(out: tuple[Reg, ...], found: re.Match[str], line: int) -> Instruction:
    name, args = found[2], _operands(found[3])
    match found[1]:
        case "call":
            return CallFunction(out, name, args, line)
        case "runtime":
            return Runtime(out, name, args, line)
        case "service":
            return Service(out, name, args, line)
        case "emit":
            return Emit(int(name), args, line)
    return AtEnd(int(name, 16), _three(args), line)


def _invoke(out: tuple[Reg, ...], found: re.Match[str], line: int) -> Instruction:
    gas = _operand(found[4]) if found[4] else None
    world = _operands(found[5] or "")
    target = _three(_operands(found[1]))
    return Invoke(out, target, int(found[2], 16), _operands(found[3]), gas, world, bool(found[6]), line)


def _three(operands: tuple[Operand, ...]) -> tuple[Operand, Operand, Operand]:
    if len(operands) != 3:
        raise IndexError("an account is three words")
    return operands[0], operands[1], operands[2]


def _operands(text: str) -> tuple[Operand, ...]:
    return tuple(_operand(part) for part in text.split(", ")) if text else ()


def _operand(text: str | None) -> Operand:
    if not text:
        raise IndexError("an operand is missing")
    if text[0] in "wd":
        return Reg(int(text[1:]), cast(Kind, text[0]))
    if text[-1] == "d":
        return Const(int(text[:-1]), "d")
    return Const(int(text), "w")
