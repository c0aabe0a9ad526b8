"""
An encoder of WASM modules: `ModuleBuilder` collects types, imports, functions, memories …; `encode` writes the bytes.

A body is a flat list of tuples, ("local.get", 0), ("i64.const", 5), ("i64.add",), ("i64.load", memory, offset), in
the order of the binary format; `block`, `loop`, `if`, `try_table` are closed by ("end",). INSTRUCTIONS is the written
list of what this engine ever emits: nothing in floating point, no `unreachable`, nothing whose result depends on the
machine. What can still trap (a division, a load outside its memory, an indirect call) is checked by the code emitted
before it. Equal calls give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import starmap

from execution.inlining import Body, inline_calls
from execution.inlining import Instruction as Instruction
from execution.inlining import ValueType as ValueType

VALUE_TYPES: dict[ValueType, int] = {"i32": 0x7F, "i64": 0x7E}
FUNCREF = 0x70
EMPTY_BLOCK = 0x40
_KINDS = ("function", "table", "memory", "global", "tag")  # in the order of their numbers

# Immediates by kind of instruction: "" none · "index" one u32 · "s32"/"s64" a constant · "memory N" memory and offset
# of an access of 2^N bytes · "block" result types or a type index · "copy" two memories · "fill" one memory ·
# "indirect" type and table · "table" labels and default · "try" block type and catch clauses (tag, label).
INSTRUCTIONS: dict[str, tuple[bytes, str]] = {
    "block": (b"\x02", "block"),
    "loop": (b"\x03", "block"),
    "if": (b"\x04", "block"),
    "else": (b"\x05", ""),
    "throw": (b"\x08", "index"),
    "end": (b"\x0b", ""),
    "br": (b"\x0c", "index"),
    "br_if": (b"\x0d", "index"),
    "br_table": (b"\x0e", "table"),
    "return": (b"\x0f", ""),
    "call": (b"\x10", "index"),
    "call_indirect": (b"\x11", "indirect"),
    "drop": (b"\x1a", ""),
    "select": (b"\x1b", ""),
    "try_table": (b"\x1f", "try"),
    "local.get": (b"\x20", "index"),
    "local.set": (b"\x21", "index"),
    "local.tee": (b"\x22", "index"),
    "global.get": (b"\x23", "index"),
    "global.set": (b"\x24", "index"),
    "i32.load": (b"\x28", "memory 2"),
    "i64.load": (b"\x29", "memory 3"),
    "i32.load8_u": (b"\x2d", "memory 0"),
    "i64.load8_u": (b"\x31", "memory 0"),
    "i64.load16_u": (b"\x33", "memory 1"),
    "i64.load32_u": (b"\x35", "memory 2"),
    "i32.store": (b"\x36", "memory 2"),
    "i64.store": (b"\x37", "memory 3"),
    "i64.store8": (b"\x3c", "memory 0"),
    "i64.store16": (b"\x3d", "memory 1"),
    "i64.store32": (b"\x3e", "memory 2"),
    "memory.size": (b"\x3f", "fill"),
    "memory.grow": (b"\x40", "fill"),
    "i32.const": (b"\x41", "s32"),
    "i64.const": (b"\x42", "s64"),
    "i32.eqz": (b"\x45", ""),
    "i32.eq": (b"\x46", ""),
    "i32.ne": (b"\x47", ""),
    "i32.lt_s": (b"\x48", ""),
    "i32.lt_u": (b"\x49", ""),
    "i32.gt_s": (b"\x4a", ""),
    "i32.gt_u": (b"\x4b", ""),
    "i32.le_s": (b"\x4c", ""),
    "i32.le_u": (b"\x4d", ""),
    "i32.ge_s": (b"\x4e", ""),
    "i32.ge_u": (b"\x4f", ""),
    "i64.eqz": (b"\x50", ""),
    "i64.eq": (b"\x51", ""),
    "i64.ne": (b"\x52", ""),
    "i64.lt_s": (b"\x53", ""),
    "i64.lt_u": (b"\x54", ""),
    "i64.gt_s": (b"\x55", ""),
    "i64.gt_u": (b"\x56", ""),
    "i64.le_s": (b"\x57", ""),
    "i64.le_u": (b"\x58", ""),
    "i64.ge_s": (b"\x59", ""),
    "i64.ge_u": (b"\x5a", ""),
    "i32.add": (b"\x6a", ""),
    "i32.sub": (b"\x6b", ""),
    "i32.mul": (b"\x6c", ""),
    "i32.and": (b"\x71", ""),
    "i32.or": (b"\x72", ""),
    "i32.xor": (b"\x73", ""),
    "i32.shl": (b"\x74", ""),
    "i32.shr_s": (b"\x75", ""),
    "i32.shr_u": (b"\x76", ""),
    "i64.clz": (b"\x79", ""),
    "i64.ctz": (b"\x7a", ""),
    "i64.popcnt": (b"\x7b", ""),
    "i64.add": (b"\x7c", ""),
    "i64.sub": (b"\x7d", ""),
    "i64.mul": (b"\x7e", ""),
    "i64.div_s": (b"\x7f", ""),
    "i64.div_u": (b"\x80", ""),
    "i64.rem_s": (b"\x81", ""),
    "i64.rem_u": (b"\x82", ""),
    "i64.and": (b"\x83", ""),
    "i64.or": (b"\x84", ""),
    "i64.xor": (b"\x85", ""),
    "i64.shl": (b"\x86", ""),
    "i64.shr_s": (b"\x87", ""),
    "i64.shr_u": (b"\x88", ""),
    "i64.rotl": (b"\x89", ""),
    "i32.wrap_i64": (b"\xa7", ""),
    "i64.extend_i32_s": (b"\xac", ""),
    "i64.extend_i32_u": (b"\xad", ""),
    "v128.load": (b"\xfd\x00", "memory 4"),
    "v128.store": (b"\xfd\x0b", "memory 4"),
    "memory.copy": (b"\xfc\x0a", "copy"),
    "memory.fill": (b"\xfc\x0b", "fill"),
    "i64.add128": (b"\xfc\x13", ""),
    "i64.sub128": (b"\xfc\x14", ""),
    "i64.mul_wide_s": (b"\xfc\x15", ""),
    "i64.mul_wide_u": (b"\xfc\x16", ""),
}


def unsigned(value: int) -> bytes:
    """LEB128 of a non-negative integer."""
    assert value >= 0
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """LEB128 of a signed integer."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def vector(items: Sequence[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def text(name: str) -> bytes:
    encoded = name.encode()
    return unsigned(len(encoded)) + encoded


def _block_type(kind: object) -> bytes:
    """() no result, ("i64",) one result, or the index of a function type."""
    if isinstance(kind, int):
        return signed(kind)
    assert isinstance(kind, tuple) and len(kind) < 2, "a block with several results names a type index"
    return bytes([VALUE_TYPES[kind[0]] if kind else EMPTY_BLOCK])


def _memory_access(alignment: int, memory: int, offset: int) -> bytes:
    """Multi-memory form: bit 6 of the alignment says that a memory index follows."""
    assert 0 <= offset < 1 << 32
    if memory == 0:
        return unsigned(alignment) + unsigned(offset)
    return unsigned(alignment | 0x40) + unsigned(memory) + unsigned(offset)


def _catches(clauses: tuple[object, ...]) -> bytes:
    """Pairs of tag and label."""
    encoded = []
    for clause in clauses:
        assert isinstance(clause, tuple)
        encoded.append(b"\x00" + unsigned(clause[0]) + unsigned(clause[1]))
    return vector(encoded)


@lru_cache(maxsize=1 << 16)
def encode_instruction(instruction: Instruction) -> bytes:
    """The bytes of one instruction; an AssertionError names one that is not on the list. Kept: most recur."""
    name, *rest = instruction
    assert isinstance(name, str) and name in INSTRUCTIONS, f"instruction {name!r} is not on the list"
    opcode, kind = INSTRUCTIONS[name]
    values: list[int] = [item for item in rest if isinstance(item, int)]
    match kind:
        case "":
            assert not rest, f"{name} takes no immediate"
            return opcode
        case "index":
            (index,) = values
            return opcode + unsigned(index)
        case "s32":
            (constant,) = values
            assert -(1 << 31) <= constant < 1 << 31
            return opcode + signed(constant)
        case "s64":
            (constant,) = values
            assert -(1 << 63) <= constant < 1 << 63
            return opcode + signed(constant)
        case "block":
            return opcode + _block_type(rest[0])
        case "copy":
            destination, source = values
            return opcode + unsigned(destination) + unsigned(source)
        case "fill":
            (memory,) = values
            return opcode + unsigned(memory)
        case "indirect":
            kind_index, table = values
            return opcode + unsigned(kind_index) + unsigned(table)
        case "table":
            labels, default = rest
            assert isinstance(labels, tuple) and isinstance(default, int)
            return opcode + vector([unsigned(int(str(label))) for label in labels]) + unsigned(default)
        case "try":
            block, clauses = rest
            assert isinstance(clauses, tuple)
            return opcode + _block_type(block) + _catches(clauses)
    memory, offset = values
    return opcode + _memory_access(int(kind.removeprefix("memory ")), memory, offset)


@dataclass(slots=True)
class _Declared:
    params: tuple[ValueType, ...]
    results: tuple[ValueType, ...]
    body: Body | None = None


@dataclass(slots=True)
class ModuleBuilder:
    """
    A module under construction. Every method returns the index of what it adds, in WASM's index space of that kind.

    Imports of a kind come before definitions of it (asserted). `declare` reserves a function's index, `define` gives
    its body, so that functions may call one another in any order.
    """

    _types: dict[tuple[tuple[ValueType, ...], tuple[ValueType, ...]], int] = field(default_factory=dict)
    _imports: list[bytes] = field(default_factory=list)
    _imported: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("function", "table", "memory", "global", "tag"), 0)
    )
    _bodies: list[_Declared] = field(default_factory=list)
    _tables: list[bytes] = field(default_factory=list)
    _memories: list[bytes] = field(default_factory=list)
    _globals: list[bytes] = field(default_factory=list)
    _tags: list[bytes] = field(default_factory=list)
    _exports: list[bytes] = field(default_factory=list)
    _data: list[bytes] = field(default_factory=list)

    def type(self, params: Sequence[ValueType], results: Sequence[ValueType]) -> int:
        """Index of the function type; equal types share one."""
        return self._types.setdefault((tuple(params), tuple(results)), len(self._types))

    def _import(self, kind: str, module: str, name: str, description: bytes) -> int:
        defined = {"function": self._bodies, "table": self._tables, "memory": self._memories, "global": self._globals}
        assert not defined.get(kind, self._tags), f"imports of a {kind} come before definitions"
        self._imports.append(text(module) + text(name) + description)
        self._imported[kind] += 1
        return self._imported[kind] - 1

    def import_function(self, module: str, name: str, params: Sequence[ValueType], results: Sequence[ValueType]) -> int:
        return self._import("function", module, name, b"\x00" + unsigned(self.type(params, results)))

    def import_table(self, module: str, name: str, minimum: int) -> int:
        return self._import("table", module, name, bytes([1, FUNCREF, 0]) + unsigned(minimum))

    def import_memory(self, module: str, name: str, minimum: int, maximum: int | None = None) -> int:
        """Sizes in WASM pages of 64 KiB."""
        return self._import("memory", module, name, b"\x02" + _limits(minimum, maximum))

    def import_global(self, module: str, name: str, kind: ValueType, mutable: bool) -> int:
        return self._import("global", module, name, bytes([3, VALUE_TYPES[kind], mutable]))

    def import_tag(self, module: str, name: str, params: Sequence[ValueType]) -> int:
        return self._import("tag", module, name, b"\x04\x00" + unsigned(self.type(params, ())))

    def table(self, minimum: int, maximum: int | None = None) -> int:
        """A table of function references, null at first."""
        self._tables.append(bytes([FUNCREF]) + _limits(minimum, maximum))
        return self._imported["table"] + len(self._tables) - 1

    def memory(self, minimum: int, maximum: int | None = None) -> int:
        """Sizes in WASM pages of 64 KiB."""
        self._memories.append(_limits(minimum, maximum))
        return self._imported["memory"] + len(self._memories) - 1

    def data(self, memory: int, content: bytes) -> None:
        """What a memory of the module's own holds from its address 0 on when it is made."""
        start = encode_instruction(("i32.const", 0)) + encode_instruction(("end",))
        self._data.append(b"\x02" + unsigned(memory) + start + unsigned(len(content)) + content)

    def global_variable(self, kind: ValueType, mutable: bool, initial: int) -> int:
        start = encode_instruction((f"{kind}.const", initial)) + encode_instruction(("end",))
        self._globals.append(bytes([VALUE_TYPES[kind], mutable]) + start)
        return self._imported["global"] + len(self._globals) - 1

    def tag(self, params: Sequence[ValueType]) -> int:
        self._tags.append(b"\x00" + unsigned(self.type(params, ())))
        return self._imported["tag"] + len(self._tags) - 1

    def declare(self, params: Sequence[ValueType], results: Sequence[ValueType]) -> int:
        """Reserve the index of a function whose body follows by `define`."""
        self.type(params, results)
        self._bodies.append(_Declared(tuple(params), tuple(results)))
        return self._imported["function"] + len(self._bodies) - 1

    def define(
        self, index: int, local_types: Sequence[ValueType], body: Sequence[Instruction], apart: bool = False
    ) -> None:
        """
        Give a declared function its locals (after the parameters) and its instructions, without the last `end`.

        apart: it is never inlined.
        """
        entry = self._bodies[index - self._imported["function"]]
        assert entry.body is None, f"function {index} is defined twice"
        entry.body = Body(entry.params, entry.results, tuple(local_types), tuple(body), apart)

    def function(
        self,
        params: Sequence[ValueType],
        results: Sequence[ValueType],
        local_types: Sequence[ValueType],
        body: Sequence[Instruction],
    ) -> int:
        index = self.declare(params, results)
        self.define(index, local_types, body)
        return index

    def _block_type(self, results: tuple[ValueType, ...]) -> object:
        return results if len(results) < 2 else self.type((), results)

    def export(self, name: str, kind: str, index: int) -> None:
        """kind: "function", "table", "memory", "global" or "tag"."""
        self._exports.append(text(name) + bytes([_KINDS.index(kind)]) + unsigned(index))

    def encode(self, inline: bool = True) -> bytes:
        """The module's bytes. Every declared function must have been defined. inline: as `inlining` says."""
        bodies = [declared.body for declared in self._bodies if declared.body is not None]
        assert len(bodies) == len(self._bodies), "a declared function has no body"
        inlined = inline_calls(bodies, self._imported["function"], self._block_type) if inline else bodies
        code = [_encode_body(body) for body in inlined]
        sections = (
            (1, list(starmap(_function_type, self._types))),
            (2, self._imports),
            (3, [unsigned(self.type(body.params, body.results)) for body in inlined]),
            (4, self._tables),
            (5, self._memories),
            (13, self._tags),
            (6, self._globals),
            (7, self._exports),
            (10, code),
            (11, self._data),
        )
        return b"\0asm\x01\0\0\0" + b"".join(_section(number, items) for number, items in sections if items)


def _function_type(params: tuple[ValueType, ...], results: tuple[ValueType, ...]) -> bytes:
    return b"\x60" + b"".join(vector([bytes([VALUE_TYPES[item]]) for item in kinds]) for kinds in (params, results))


def _encode_body(body: Body) -> bytes:
    code = b"".join(map(encode_instruction, body.code))
    content = _local_groups(body.local_types) + code + encode_instruction(("end",))
    return unsigned(len(content)) + content


def _limits(minimum: int, maximum: int | None) -> bytes:
    return b"\x00" + unsigned(minimum) if maximum is None else b"\x01" + unsigned(minimum) + unsigned(maximum)


def _section(number: int, items: Sequence[bytes]) -> bytes:
    content = vector(items)
    return bytes([number]) + unsigned(len(content)) + content


def _local_groups(kinds: Sequence[ValueType]) -> bytes:
    """Consecutive locals of one type are written as one group."""
    groups: list[tuple[int, ValueType]] = []
    for kind in kinds:
        if groups and groups[-1][1] == kind:
            groups[-1] = (groups[-1][0] + 1, kind)
        else:
            groups.append((1, kind))
    return vector([unsigned(count) + bytes([VALUE_TYPES[kind]]) for count, kind in groups])
