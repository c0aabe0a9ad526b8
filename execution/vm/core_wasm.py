"""
Core Python → WASM: an Emitter adds functions, and those they call, to a module under construction.

Control stays structured: a loop is a block around a loop around a block (for `continue`), a try a block for each
handler around one try_table. A function whose end cannot be reached returns zeros there, since `unreachable` is not
on the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from execution.vm import core_tree as t
from execution.vm.core import Bound, CoreFunction, Extern, Table
from execution.vm.core_front import translate
from execution.vm.core_types import instance, signature
from execution.wasm import Instruction, ModuleBuilder, ValueType

_LOADS = {8: "i64.load8_u", 16: "i64.load16_u", 32: "i64.load32_u", 64: "i64.load"}
_STORES = {8: "i64.store8", 16: "i64.store16", 32: "i64.store32", 64: "i64.store"}


SHORT_BYTES = 256
VECTOR_BYTES = 16


def _is_short(count: int, memories: Sequence[str]) -> bool:
    """Whether a copy of so many bytes is written out; within one memory the ranges might overlap."""
    return count <= SHORT_BYTES and count % VECTOR_BYTES == 0 and memories[0] != memories[1]


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """
    What names in core Python mean in one module: indices in WASM's index spaces. Modules that share the very same Names
    share what has been written with them.
    """

    memories: Mapping[str, int] = field(default_factory=dict)
    globals: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    functions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Written:
    """
    A function as it stands in every module with the same Names. calls: places in the code of calls whose index a module
    gives them, in order, with what is called.
    """

    local_kinds: tuple[ValueType, ...]
    code: tuple[Instruction, ...]
    calls: tuple[tuple[int, t.Instance | Table], ...]


@lru_cache(maxsize=2048)
def _written(names: Names, of: t.Instance) -> _Written:
    """Kept: every program brings much of the same runtime along."""
    tree = translate(of)
    writer = _Writer(names, tree)
    code = writer.body()
    kinds = (*(kind for _, kind in tree.local_kinds), *writer.temporaries)
    return _Written(kinds, tuple(code), tuple(writer.calls))


class Emitter:
    """Emits each instance of a core function once. The module's imports stand before the first call of `function`."""

    def __init__(self, builder: ModuleBuilder, names: Names) -> None:
        self._builder = builder
        self._names = names
        self._indices: dict[t.Instance, int] = {}

    def function(self, function: CoreFunction[..., Any] | Bound[..., Any], **constants: int) -> int:
        """The function's index; emits it and what it calls when that has not been done."""
        return self.instance(instance(function, constants))

    def instance(self, of: t.Instance) -> int:
        if of not in self._indices:
            params, results = signature(of)
            index = self._builder.declare([kind for _, kind in params], results)
            self._indices[of] = index
            written = _written(self._names, of)
            code = list(written.code)
            for place, target in written.calls:
                code[place] = self._call(target)
            self._builder.define(index, written.local_kinds, code, of[0].apart)
        return self._indices[of]

    def _call(self, target: t.Instance | Table) -> Instruction:
        if isinstance(target, Table):
            kind = self._builder.type(target.params, target.results)
            return "call_indirect", kind, self._names.tables[target.name]
        return "call", self.instance(target)


class _Writer:
    """Writes one function. `_labels` names the blocks around the point of writing, innermost last."""

    def __init__(self, names: Names, function: t.Function) -> None:
        self._names, self._function = names, function
        self._locals = {name: i for i, (name, _) in enumerate(function.params + function.local_kinds)}
        self._out: list[Instruction] = []
        self._labels: list[str] = []
        self.temporaries: list[ValueType] = []
        self.calls: list[tuple[int, t.Instance | Table]] = []

    def body(self) -> list[Instruction]:
        self._block(self._function.body)
        last = self._function.body[-1] if self._function.body else None
        if self._function.results and not isinstance(last, t.Return):
            self._out += [(f"{kind}.const", 0) for kind in self._function.results]
        elif isinstance(last, t.Return):
            last_out = self._out.pop()  # outside of the assert: python -O writes the same bytes
            assert last_out == ("return",)
        return self._out

    def _open(self, label: str, *instruction: Any) -> None:
        self._out.append(instruction)
        self._labels.append(label)

    def _close(self) -> None:
        self._out.append(("end",))
        self._labels.pop()

    def _depth(self, label: str) -> int:
        """How many blocks lie between here and the innermost block of that name."""
        return self._labels[::-1].index(label)

    def _block(self, block: t.Block) -> None:
        for statement in block:
            self._statement(statement)

    def _statement(self, statement: t.Statement) -> None:
        match statement:
            case t.Assign(names, values):
                self._values(values)
                self._out += [("local.set", self._locals[name]) for name in reversed(names)]
            case t.SetGlobal(name, value):
                self._value(value)
                self._out.append(("global.set", self._names.globals[name]))
            case t.Store(bits, memory, address, offset, value):
                self._values((address, value))
                self._out.append((_STORES[bits], self._names.memories[memory], offset))
            case t.Do(t.Operation(_, "memory.copy", (to, source, t.Const(_, count)), memories)) if _is_short(
                count, memories
            ):
                self._copy_short(to, source, count, *memories)
            case t.Do(value):
                self._value(value)
                self._out += [("drop",) for _ in t.kinds_of(value)]
            case t.If(t.Choose(_, first, second, t.Const(_, 0)), then, ()):  # first and second
                self._statement(t.If(first, (t.If(second, then, ()),), ()))
            case t.If(condition, then, other):
                self._value(condition)
                self._open("if", "if", ())
                self._block(then)
                if other:
                    self._out.append(("else",))
                    self._block(other)
                self._close()
            case t.While():
                self._while(statement)
            case t.Jump(kind):
                self._out.append(("br", self._depth(kind)))
            case t.Return(values):
                self._values(values)
                self._out.append(("return",))
            case t.Throw(tag, values):
                self._values(values)
                self._out.append(("throw", self._names.tags[tag.__name__]))
            case t.Try():
                self._try(statement)

    def _copy_short(self, to: t.Expression, source: t.Expression, count: int, into: str, out_of: str) -> None:
        """Copy two words at a time: faster than the engine's own copying, which is a call, up to SHORT_BYTES."""
        if not self.temporaries:
            self.temporaries += ["i32", "i32"]
        first = len(self._locals)
        self._values((to, source))
        self._out += [("local.set", first + 1), ("local.set", first)]
        for offset in range(0, count, VECTOR_BYTES):
            self._out += [("local.get", first), ("local.get", first + 1)]
            self._out.append(("v128.load", self._names.memories[out_of], offset))
            self._out.append(("v128.store", self._names.memories[into], offset))

    def _while(self, loop: t.While) -> None:
        self._open("break", "block", ())
        self._open("again", "loop", ())
        if loop.condition is not None:
            self._value(loop.condition)
            self._out += [("i32.eqz",), ("br_if", 1)]
        self._open("continue", "block", ())
        self._block(loop.body)
        self._close()
        self._block(loop.step)
        self._out.append(("br", 0))
        self._close()
        self._close()

    def _try(self, statement: t.Try) -> None:
        self._open("done", "block", ())
        for handler in reversed(statement.handlers):
            self._open("handler", "block", handler.tag.parameters)
        clauses = tuple((self._names.tags[h.tag.__name__], i) for i, h in enumerate(statement.handlers))
        self._open("try", "try_table", (), clauses)
        self._block(statement.body)
        self._close()
        self._out.append(("br", self._depth("done")))
        for handler in statement.handlers:
            self._close()
            if handler.name:
                self._out.append(("local.set", self._locals[handler.name]))
            self._block(handler.body)
            self._out.append(("br", self._depth("done")))
        self._close()

    def _values(self, values: tuple[t.Expression, ...]) -> None:
        for value in values:
            self._value(value)

    def _value(self, value: t.Expression) -> None:
        match value:
            case t.Const(kind, number):
                self._out.append((f"{kind or 'i64'}.const", number))
            case t.Get(_, name):
                self._out.append(("local.get", self._locals[name]))
            case t.GetGlobal(_, name):
                self._out.append(("global.get", self._names.globals[name]))
            case t.Load(bits, memory, address, offset):
                self._value(address)
                self._out.append((_LOADS[bits], self._names.memories[memory], offset))
            case t.Operation(_, name, args, memories):
                self._values(args)
                if name == "mul_fold":
                    self._out += [("i64.mul_wide_u",), ("i64.xor",)]
                else:
                    self._out.append((name, *(self._names.memories[memory] for memory in memories)))
            case t.Choose(kind, condition, then, other):
                self._value(condition)
                self._out.append(("if", (kind,)))
                self._value(then)
                self._out.append(("else",))
                self._value(other)
                self._out.append(("end",))
            case t.Call():
                self._call(value)

    def _call(self, call: t.Call) -> None:
        match call.target:
            case Table():
                self._values((*call.args[1:], call.args[0]))
            case Extern(name=name):
                self._values(call.args)
                self._out.append(("call", self._names.functions[name]))
                return
            case _:
                self._values(call.args)
        self.calls.append((len(self._out), call.target))
        self._out.append(("call",))
