"""
The body of one function under construction: registers as locals, temporaries, labels, and pushing of operands.

A word is one i64 local, a decimal two, low first. Where an inline check fails, control leaves to a block at the end
of the function (or of the body of a Try), which throws: a check is then one `br_if`, and the straight path stays
dense.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from execution.compiler.ir import Const, Function, Operand, Reg
from execution.compiler.write_names import EXHAUSTED, GLOBAL, IMPORTED, REJECT, Code, Names
from execution.vm.runtime.words import reason
from execution.wasm import Instruction, ValueType

EXHAUSTED_LABEL = "exhausted"
OVERFLOW_LABEL = "overflow"
HALF = 1 << 63


def signed(value: int) -> int:
    """The low 64 bits as a signed i64."""
    return ((value + HALF) & ((1 << 64) - 1)) - HALF


@dataclass(slots=True)
class Body:
    """
    labels: the open blocks, innermost last; a label is an IR label or a name of this module's own.
    reads: how often the function reads each register.
    """

    names: Names
    function: Function
    reads: dict[Reg, int]
    code: Code = field(default_factory=list)
    labels: list[object] = field(default_factory=list)
    locals: list[ValueType] = field(default_factory=list)
    _registers: list[int] = field(default_factory=list)
    _temporaries: dict[str, int] = field(default_factory=dict)
    _parameters: int = 0

    def __post_init__(self) -> None:
        index = 0
        for kind in self.function.registers:
            self._registers.append(index)
            index += 1 if kind == "w" else 2
        self._parameters = sum(1 if p.kind == "w" else 2 for p in self.function.params)
        self.locals = ["i64"] * (index - self._parameters)

    # Instructions

    def add(self, *instructions: Instruction | str) -> None:
        """Append instructions; one without immediates may be given by its name."""
        self.code += [(i,) if isinstance(i, str) else i for i in instructions]

    def const(self, value: int) -> None:
        self.code.append(("i64.const", signed(value)))

    def const32(self, value: int) -> None:
        self.code.append(("i32.const", value))

    def get(self, local: int) -> None:
        self.code.append(("local.get", local))

    def set(self, local: int) -> None:
        self.code.append(("local.set", local))

    def tee(self, local: int) -> None:
        self.code.append(("local.tee", local))

    def get_global(self, name: str) -> None:
        self.code.append(("global.get", GLOBAL[name]))

    def set_global(self, name: str) -> None:
        self.code.append(("global.set", GLOBAL[name]))

    def call(self, name: str) -> None:
        """Call a function of the kernel."""
        self.code.append(("call", IMPORTED[name]))

    # Locals

    def temporary(self, name: str, kind: ValueType = "i64") -> int:
        """The local of this name, made at its first use; holds nothing across instructions of the IR."""
        if name not in self._temporaries:
            self._temporaries[name] = self._parameters + len(self.locals)
            self.locals.append(kind)
        return self._temporaries[name]

    def local(self, reg: Reg) -> int:
        """The register's local; the low word's of a decimal."""
        return self._registers[reg.number]

    def low(self, operand: Operand) -> None:
        """Push a word, or the low word of a decimal."""
        if isinstance(operand, Const):
            self.const(operand.value)
        else:
            self.get(self.local(operand))

    def high(self, operand: Operand) -> None:
        """Push the high word of a decimal."""
        if isinstance(operand, Const):
            self.const(operand.value >> 64)
        else:
            self.get(self.local(operand) + 1)

    def push(self, operand: Operand) -> None:
        """Push all words of an operand, low first."""
        self.low(operand)
        if operand.kind == "d":
            self.high(operand)

    def pop(self, *outs: Reg) -> None:
        """Assign what the stack holds to registers, the last on top."""
        for out in reversed(outs):
            if out.kind == "d":
                self.set(self.local(out) + 1)
            self.set(self.local(out))

    def address(self, operand: Operand) -> None:
        """Push a word as an i32 address."""
        if isinstance(operand, Const):
            self.const32(operand.value)
        else:
            self.low(operand)
            self.add("i32.wrap_i64")

    # Labels

    def open(self, opcode: str, label: object, *immediates: object) -> None:
        """Open block, loop, if or try_table; `end` closes it."""
        self.code.append((opcode, *(immediates or ((),))))
        self.labels.append(label)

    def end(self) -> None:
        self.labels.pop()
        self.add("end")

    def depth(self, label: object) -> int:
        """Distance to the innermost block of this label."""
        return next(depth for depth, found in enumerate(reversed(self.labels)) if found == label)

    def branch(self, label: object) -> None:
        self.code.append(("br", self.depth(label)))

    def branch_if(self, label: object) -> None:
        self.code.append(("br_if", self.depth(label)))

    # Failures

    def throw(self, text: str) -> None:
        self.const(reason(text))
        self.add(("throw", REJECT))

    def open_failures(self) -> None:
        """Open the block whose end throws overflow; at the function's outside also that for want of gas."""
        if not self.labels:
            self.open("block", EXHAUSTED_LABEL)
        self.open("block", OVERFLOW_LABEL)

    def close_failures(self) -> None:
        """Close them; the code before must not fall through."""
        self.end()
        self.throw("overflow")
        if self.labels == [EXHAUSTED_LABEL]:
            self.end()
            self.add(("throw", EXHAUSTED))

    def overflow_if(self) -> None:
        """Pop an i32; throw overflow when it is not zero."""
        self.branch_if(OVERFLOW_LABEL)
