"""
Core Python under CPython: a Mirror holds memories, globals and imported functions, and runs core functions on them.

A function's typed tree is written out as ordinary Python and executed, with arithmetic wrapped to the width of its
type, so that memories and globals end with the very bytes that WASM leaves. Mirrors may share memories and cells, as
instances do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import CodeType
from typing import Any

from execution.vm import core_tree as t
from execution.vm.core import Bound, CoreFunction, Extern, Tag
from execution.vm.core_front import translate
from execution.vm.core_types import instance
from execution.vm.layout import LINE_BYTES, MARK_BYTES

WASM_PAGE_BYTES = 1 << 16
_MASK = {"i32": (1 << 32) - 1, "i64": (1 << 64) - 1}
_FORMATS = {8: "<B", 16: "<H", 32: "<I", 64: "<q"}
_STORED = {8: " & 255", 16: " & 65535", 32: " & 4294967295", 64: ""}

_TEMPLATES = {
    "eqz": "({0} == 0)",
    "eq": "({0} == {1})",
    "ne": "({0} != {1})",
    "lt_s": "({0} < {1})",
    "le_s": "({0} <= {1})",
    "gt_s": "({0} > {1})",
    "ge_s": "({0} >= {1})",
    "lt_u": "({0} & {m} < {1} & {m})",
    "le_u": "({0} & {m} <= {1} & {m})",
    "gt_u": "({0} & {m} > {1} & {m})",
    "ge_u": "({0} & {m} >= {1} & {m})",
    "add": "(x if {low} <= (x := {0} + {1}) <= {high} else {s}(x))",
    "sub": "(x if {low} <= (x := {0} - {1}) <= {high} else {s}(x))",
    "mul": "(x if {low} <= (x := {0} * {1}) <= {high} else {s}(x))",
    "and": "({0} & {1})",
    "or": "({0} | {1})",
    "xor": "({0} ^ {1})",
    "shl": "(x if {low} <= (x := {0} << ({1} & {b})) <= {high} else {s}(x))",
    "shr_s": "({0} >> ({1} & {b}))",
    "shr_u": "(x if {low} <= (x := ({0} & {m}) >> ({1} & {b})) <= {high} else {s}(x))",
    "rotl": "rotl({0}, {1})",
    "clz": "(64 - ({0} & {m}).bit_length())",
    "ctz": "ctz({0})",
    "div_u": "{s}(({0} & {m}) // ({1} & {m}))",
    "rem_u": "{s}(({0} & {m}) % ({1} & {m}))",
    "div_s": "div_s({0}, {1})",
    "rem_s": "rem_s({0}, {1})",
    "mul_wide_u": "wide(({0} & {m}) * ({1} & {m}))",
    "mul_wide_s": "wide({0} * {1})",
    "add128": "wide(({0} & {m} | {1} << 64) + ({2} & {m} | {3} << 64))",
    "sub128": "wide(({0} & {m} | {1} << 64) - ({2} & {m} | {3} << 64))",
    "wrap_i64": "(x if -2147483648 <= (x := {0}) <= 2147483647 else s32(x))",
    "extend_i32_s": "{0}",
    "extend_i32_u": "({0} & 4294967295)",
}


@dataclass(slots=True)
class Cell:
    """A global variable; shared by the mirrors that import it."""

    value: int


@dataclass(slots=True)
class Mirror:
    """
    memories: zero-filled at first; grow in place. functions: what an Extern calls; a Table passes the index first.
    memory_pages_max: 64 KiB pages a memory may grow to; 65,536 when not given.
    """

    memories: Mapping[str, bytearray]
    globals: Mapping[str, Cell] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    memory_pages_max: Mapping[str, int] = field(default_factory=dict)
    _compiled: dict[t.Instance, Callable[..., Any]] = field(default_factory=dict)
    _space: dict[str, Any] = field(default_factory=dict)

    def function(self, function: CoreFunction[..., Any] | Bound[..., Any], **constants: int) -> Callable[..., Any]:
        """A callable: signed ints in, an int, a tuple of ints or None out; a Tag is raised as itself."""
        return self.instance(instance(function, constants))

    def instance(self, of: t.Instance) -> Callable[..., Any]:
        if of not in self._compiled:
            space = self._space or self._start()
            written = _written(of)
            self._compiled[of] = lambda *arguments: space[written.name](*arguments)
            space.update({f"T_{tag.__name__}": tag for tag in written.tags})
            for callee in written.callees:
                self.instance(callee)
            exec(written.code, space)
            self._compiled[of] = space[written.name]
        return self._compiled[of]

    def _grow(self, memory: str, pages: int) -> int:
        data = self.memories[memory]
        old = len(data) // WASM_PAGE_BYTES
        if old + (pages & _MASK["i32"]) > self.memory_pages_max.get(memory, 1 << 16):
            return -1
        data.extend(bytes(pages * WASM_PAGE_BYTES))
        follow(self.memories, memory)
        return old

    def _start(self) -> dict[str, Any]:
        """The names that written code uses."""
        self._space.update({f"M_{name}": data for name, data in self.memories.items()})
        self._space.update({f"G_{name}": cell for name, cell in self.globals.items()})
        self._space.update({f"X_{name}": function for name, function in self.functions.items()})
        self._space.update({f"load{bits}": struct.Struct(text).unpack_from for bits, text in _FORMATS.items()})
        self._space.update({f"store{bits}": struct.Struct(text).pack_into for bits, text in _FORMATS.items()})
        self._space.update(s32=_s32, s64=_s64, wide=_wide, rotl=_rotl, ctz=_ctz, div_s=_div_s, rem_s=_rem_s)
        self._space.update(fold=_fold, move=_move, fill=_fill, grow=self._grow, page_bytes=WASM_PAGE_BYTES)
        return self._space


def follow(memories: Mapping[str, bytearray], grown: str) -> None:
    """After a state memory grew: a mark for each of its lines. WASM has marks for all that may come, of no cost."""
    if grown == "state" and "marks" in memories:
        marks = memories["marks"]
        marks.extend(bytes(max(0, len(memories["state"]) // LINE_BYTES * MARK_BYTES - len(marks))))


def _s32(value: int) -> int:
    return (value + (1 << 31) & _MASK["i32"]) - (1 << 31)


def _s64(value: int) -> int:
    return (value + (1 << 63) & _MASK["i64"]) - (1 << 63)


def _wide(value: int) -> tuple[int, int]:
    return _s64(value), _s64(value >> 64)


def _fold(a: int, b: int) -> int:
    low, high = _wide((a & _MASK["i64"]) * (b & _MASK["i64"]))
    return low ^ high


def _rotl(value: int, count: int) -> int:
    value, count = value & _MASK["i64"], count & 63
    return _s64(value << count | value >> 64 - count)


def _ctz(value: int) -> int:
    return 64 if value == 0 else (value & -value).bit_length() - 1


def _div_s(a: int, b: int) -> int:
    """Towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _rem_s(a: int, b: int) -> int:
    """With the sign of a."""
    return a - b * _div_s(a, b)


def _move(to: bytearray, source: bytearray, to_address: int, address: int, count: int) -> None:
    to_address, address, count = (x & _MASK["i32"] for x in (to_address, address, count))
    if to_address + count > len(to) or address + count > len(source):
        raise IndexError(f"copy of {count} bytes from {address} to {to_address} leaves a memory")
    to[to_address : to_address + count] = source[address : address + count]


def _fill(memory: bytearray, address: int, value: int, count: int) -> None:
    address, count = address & _MASK["i32"], count & _MASK["i32"]
    if address + count > len(memory):
        raise IndexError(f"fill of {count} bytes at {address} leaves the memory")
    memory[address : address + count] = bytes([value & 255]) * count


@dataclass(frozen=True, slots=True)
class _Written:
    """A function's code, which any mirror may execute, and the functions and tags it names."""

    name: str
    code: CodeType
    callees: tuple[t.Instance, ...]
    tags: tuple[type[Tag], ...]


_numbers: dict[t.Instance, int] = {}


def _name(of: t.Instance) -> str:
    """The name under which written code finds a function, the same in every mirror."""
    return f"f{_numbers.setdefault(of, len(_numbers))}_{of[0].name}"


@cache
def _written(of: t.Instance) -> _Written:
    name = _name(of)
    writer = _Writer(name, translate(of))
    code = compile("\n".join(writer.lines), f"<core {name}>", "exec")
    return _Written(name, code, tuple(writer.callees), tuple(writer.tags))


class _Writer:
    """Writes one function as Python source into `lines`."""

    def __init__(self, name: str, function: t.Function) -> None:
        self.callees: dict[t.Instance, None] = {}
        self.tags: dict[type[Tag], None] = {}
        self.lines = [f"def {name}({', '.join(self._local(param) for param, _ in function.params)}):"]
        self._steps: list[tuple[t.Block, int]] = []
        if function.local_kinds:
            self._line(1, " = ".join(self._local(local) for local, _ in function.local_kinds) + " = 0")
        self._block(function.body, 1)

    def _tag(self, tag: type[Tag]) -> str:
        self.tags[tag] = None
        return f"T_{tag.__name__}"

    def _reference(self, of: t.Instance) -> str:
        self.callees[of] = None
        return _name(of)

    @staticmethod
    def _local(name: str) -> str:
        return f"v_{name}"

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _block(self, block: t.Block, depth: int) -> None:
        for statement in block:
            self._statement(statement, depth)
        if not block:
            self._line(depth, "pass")

    def _statement(self, statement: t.Statement, depth: int) -> None:
        match statement:
            case t.Assign(names, values):
                targets = ", ".join(map(self._local, names))
                self._line(depth, f"{targets} = {', '.join(map(self._value, values))}")
            case t.SetGlobal(name, value):
                self._line(depth, f"G_{name}.value = {self._value(value)}")
            case t.Store(bits, memory, address, offset, value):
                self._line(
                    depth,
                    f"store{bits}(M_{memory}, {self._place(address, offset)}, {self._value(value)}{_STORED[bits]})",
                )
            case t.Do(value):
                self._line(depth, self._value(value))
            case t.If(condition, then, other):
                self._line(depth, f"if {self._value(condition)}:")
                self._block(then, depth + 1)
                if other:
                    self._line(depth, "else:")
                    self._block(other, depth + 1)
            case t.While(condition, body, step):
                self._line(depth, f"while {'True' if condition is None else self._value(condition)}:")
                self._steps.append((step, depth))
                self._block(body, depth + 1)
                self._steps.pop()
                self._block(step, depth + 1)
            case t.Jump(kind):
                if kind == "continue" and self._steps[-1][0]:
                    self._block(self._steps[-1][0], depth)
                self._line(depth, kind)
            case t.Return(values):
                self._line(depth, f"return {', '.join(map(self._value, values))}")
            case t.Throw(tag, values):
                self._line(depth, f"raise {self._tag(tag)}({', '.join(map(self._value, values))})")
            case t.Try(body, handlers):
                self._line(depth, "try:")
                self._block(body, depth + 1)
                for handler in handlers:
                    self._line(depth, f"except {self._tag(handler.tag)} as caught:")
                    if handler.name:
                        self._line(depth + 1, f"{self._local(handler.name)} = caught.value")
                    self._block(handler.body, depth + 1)

    def _place(self, address: t.Expression, offset: int) -> str:
        base = self._value(address)
        return f"({base} & 4294967295) + {offset}" if offset else f"{base} & 4294967295"

    def _value(self, value: t.Expression) -> str:
        match value:
            case t.Const(_, number):
                return f"({number})" if number < 0 else str(number)
            case t.Get(_, name):
                return self._local(name)
            case t.GetGlobal(_, name):
                return f"G_{name}.value"
            case t.Load(bits, memory, address, offset):
                return f"load{bits}(M_{memory}, {self._place(address, offset)})[0]"
            case t.Choose(_, condition, then, other):
                return f"({self._value(then)} if {self._value(condition)} else {self._value(other)})"
            case t.Call(_, target, args):
                name = f"X_{target.name}" if isinstance(target, Extern) else self._reference(target)
                return f"{name}({', '.join(map(self._value, args))})"
            case t.Operation():
                return self._operation(value)

    def _operation(self, operation: t.Operation) -> str:
        args = [self._value(arg) for arg in operation.args]
        memories = [f"M_{memory}" for memory in operation.memories]
        match operation.name:
            case "memory.copy":
                return f"move({', '.join(memories + args)})"
            case "memory.fill":
                return f"fill({', '.join(memories + args)})"
            case "memory.grow":
                return f"grow({operation.memories[0]!r}, {args[0]})"
            case "memory.size":
                return f"(len({memories[0]}) // page_bytes)"
            case "mul_fold":
                return f"fold({args[0]}, {args[1]})"
            case "select":
                return f"({args[0]} if {args[2]} else {args[1]})"
        kind, _, name = operation.name.partition(".")
        bits = int(kind[1:])
        high = (1 << bits - 1) - 1
        constants = {"s": f"s{bits}", "m": str(_MASK[kind]), "b": str(bits - 1), "low": str(~high), "high": str(high)}
        return _TEMPLATES[name].format(*args, **constants)
