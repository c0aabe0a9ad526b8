"""
The checker of the IR, run on what `lower` wrote and between all passes of `optimise`.

A module that breaks the form is the compiler's own fault: BrokenIr, an AssertionError, naming function and instruction.
A module that is well formed but too large is its author's: Invalid, saying what to split.
Stores are held to "touched before, with no move of the mark between" in `ir_check_touch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from execution.compiler.errors import TooLarge
from execution.compiler.ir import (
    CONTEXT,
    OPS,
    SERVICES,
    AtEnd,
    Block,
    CallFunction,
    Context,
    Function,
    Gas,
    If,
    Instruction,
    Invoke,
    Keep,
    Kind,
    Leave,
    Load,
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
    Service,
    Store,
    Touch,
    Try,
)
from execution.compiler.ir_check_touch import check_touches
from execution.compiler.ir_walk import blocks, falls_through, reads, walk, writes

INSTRUCTIONS_MAX = 12_000  # per function: Cranelift is superlinear in the length of one function
FRAME_BYTES_MAX = (
    65_536  # deepest path through one program; times the depth of calls it stays far below the engine's stack
)
FRAME_OVERHEAD = 256  # bytes: return address, saved registers, temporaries of one operation
SCRATCH_BYTES_MAX = 32_768  # reserved on the deepest path through one program: half of what the kernel leaves to each
RUNTIME_FRAME_BYTES = 2_048  # bytes: deepest path through the container functions
LIMITS = {"w": (-(1 << 63), (1 << 63) - 1), "d": (-(1 << 127), (1 << 127) - 1)}
WORLD_KINDS: tuple[Kind, ...] = ("w", "d", "d", "w")


class BrokenIr(AssertionError):
    """A pass wrote a module that is not in the form; never the author's fault."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the checker stands: enclosing labels from outside in, None for the body of a Try."""

    module: Module
    function: Function
    signatures: dict[str, Function]
    around: tuple[int | None, ...] = ()

    def inside(self, label: int | None) -> _Place:
        return _Place(self.module, self.function, self.signatures, (*self.around, label))

    def fail(self, instruction: Instruction | None, what: str) -> BrokenIr:
        line = f" (line {instruction.line})" if instruction else ""
        name = f": {type(instruction).__name__}{line}" if instruction else ""
        return BrokenIr(f"{self.module.name}.{self.function.name}{name}: {what}")


def check(module: Module, before: Module | None = None) -> None:
    """
    Raise BrokenIr for a module out of form, TooLarge for one beyond a bound; else nothing.

    Args:
        before: a module checked before; what is the very same function there is not looked at again.
    """
    signatures = {function.name: function for function in module.functions}
    if len(signatures) != len(module.functions):
        raise BrokenIr(f"{module.name}: two functions share a name")
    known = _known(module, before)
    for function in module.functions:
        if id(function) not in known:
            _check_function(_Place(module, function, signatures))
    for entry in module.entries:
        target = signatures.get(entry.function)
        if target is None or [p.kind for p in target.params] != ["w"] or target.results:
            raise BrokenIr(f"{module.name}: entry {entry.function} needs a function of one word without results")
    if module.heap % 1024 or module.heap < 1024:
        raise BrokenIr(f"{module.name}: heap {module.heap} is not a positive multiple of 1,024")
    if len({entry.selector for entry in module.entries}) != len(module.entries):
        raise BrokenIr(f"{module.name}: two entries have the same selector")
    _check_depth(module, signatures)
    check_touches(module, known)


def _known(module: Module, before: Module | None) -> frozenset[int]:
    """Identities of the functions of `before`, when every function there is has kept its parameters and results."""
    if before is None:
        return frozenset()
    then, now = ({f.name: (f.params, f.results) for f in each.functions} for each in (before, module))
    return frozenset(map(id, before.functions)) if then == now else frozenset()


def _check_function(place: _Place) -> None:
    function = place.function
    for number, param in enumerate(function.params):
        if param.number != number or number >= len(function.registers):
            raise place.fail(None, "parameters are not the first registers")
        _check_operand(place, None, param)
    count = sum(1 for _ in walk(function.body))
    if count > INSTRUCTIONS_MAX:
        wrong = f"the function compiles to {count:,} instructions, at most {INSTRUCTIONS_MAX:,} are allowed"
        raise TooLarge(function.name, function.line, wrong, "split it into several")
    _check_block(place, function.body)
    if function.results and falls_through(function.body):
        raise place.fail(None, "the end is reached without a Return")


def _check_block(place: _Place, block: Block) -> None:
    keeps = 0
    for index, instruction in enumerate(block):
        last = index == len(block) - 1
        if not last and isinstance(instruction, (Reject, Leave, Return)):
            raise place.fail(instruction, "something stands after it in its block")
        _check_kinds(place, instruction)
        if isinstance(instruction, (Leave, Return)):
            _check_crossing(place, instruction, keeps)
        keeps = keeps + 1 if isinstance(instruction, Keep) else 0
        if keeps and (last or not isinstance(block[index + 1], (Keep, Leave, Return))):
            raise place.fail(instruction, "a Keep stands only right before a Leave or Return out of its Try")
        _check_inner(place, instruction)


def _check_inner(place: _Place, instruction: Instruction) -> None:
    match instruction:
        case Scope(label, body):
            if label in place.around:
                raise place.fail(instruction, f"label {label} stands within itself")
            _check_block(place.inside(label), body)
        case Try(body, _, handler):
            _check_block(place.inside(None), body)
            _check_block(place, handler)
        case _:
            for inner in blocks(instruction):
                _check_block(place, inner)


def _check_crossing(place: _Place, instruction: Leave | Return, keeps: int) -> None:
    match instruction:
        case Leave(label):
            if label not in place.around:
                raise place.fail(instruction, f"no Scope {label} stands around it")
            crossed = place.around[place.around.index(label) :].count(None)
        case Return():
            crossed = place.around.count(None)
    if crossed != keeps:
        raise place.fail(instruction, f"it crosses {crossed} Try and stands after {keeps} Keep")


def _check_operand(place: _Place, instruction: Instruction | None, operand: Operand) -> None:
    if isinstance(operand, Reg):
        number, registers = operand.number, place.function.registers
        if not 0 <= number < len(registers) or registers[number] != operand.kind:
            raise place.fail(instruction, f"{operand} is not among the function's registers")
    else:
        low, high = LIMITS[operand.kind]
        if not low <= operand.value <= high:
            raise place.fail(instruction, f"{operand} is out of range")


def _check_kinds(place: _Place, instruction: Instruction) -> None:
    operands, outs = reads(instruction), writes(instruction)
    for operand in (*operands, *outs):
        _check_operand(place, instruction, operand)
    expected = _signature(place, instruction)
    if expected is not None and (tuple([o.kind for o in operands]), tuple([reg.kind for reg in outs])) != expected:
        found = tuple(o.kind for o in operands), tuple(reg.kind for reg in outs)
        raise place.fail(instruction, f"takes and gives {expected}, not {found}")


_Signature = tuple[tuple[Kind, ...], tuple[Kind, ...]]
_Value = TypeVar("_Value")


def _signature(place: _Place, instruction: Instruction) -> _Signature | None:
    """Kinds read and written; None where any will do."""
    match instruction:
        case Op(name):
            return _named(place, instruction, OPS, name)
        case Service(_, name):
            return _named(place, instruction, SERVICES, name)
        case Context(_, name):
            return (), _named(place, instruction, CONTEXT, name)
        case CallFunction(_, name):
            callee = _named(place, instruction, place.signatures, name)
            return tuple(p.kind for p in callee.params), callee.results
        case Runtime(out, _, args):
            return tuple("w" for _ in args), tuple("w" for _ in out)
        case Return():
            return place.function.results, ()
        case AtEnd():
            return ("w", "w", "w"), ()
        case If() | Reject():
            return ("w",), ()
        case Try():
            return (), ("w",)
        case _:
            return _memory_signature(place, instruction)


def _memory_signature(place: _Place, instruction: Instruction) -> _Signature | None:
    match instruction:
        case Load(out, _, offset, size) | Store(_, offset, out, size):
            if offset < 0 or size not in ((8, 16) if out.kind == "d" else (4, 8)):
                raise place.fail(instruction, f"a {out.kind} cannot be {size} bytes at offset {offset}")
            return (("w",), (out.kind,)) if isinstance(instruction, Load) else (("w", out.kind), ())
        case Touch(_, offset, size):
            if offset < 0 or size < 1:
                raise place.fail(instruction, f"{size} bytes at offset {offset} cannot be touched")
            return ("w",), ()
        case ScratchLoad(out):
            return ("w",), (out.kind,)
        case Reserve(_, size):
            if size < 8 or size % 8:
                raise place.fail(instruction, f"{size} bytes of scratch are no words")
            return (), ("w",)
        case Release():
            return ("w",), ()
        case Invoke(out, _, _, args, gas, world, view):
            if world and not view:
                raise place.fail(instruction, "only a view is called in a world")
            kinds = ("w", "w", "w", *(arg.kind for arg in args), *(() if gas is None else ("w",)))
            return (*kinds, *(WORLD_KINDS if world else ())), tuple(reg.kind for reg in out)
        case Gas(amount) if amount < 0:
            raise place.fail(instruction, f"gas of {amount} would be a gift")
        case _:
            return None


def _named(place: _Place, instruction: Instruction, table: dict[str, _Value], name: str) -> _Value:
    if name not in table:
        raise place.fail(instruction, f"there is no {name}")
    return table[name]


def frame_bytes(function: Function) -> int:
    """Upper estimate of the machine stack one activation takes: 8 bytes a word, 16 a decimal, and the overhead."""
    return FRAME_OVERHEAD + sum(8 if kind == "w" else 16 for kind in function.registers)


def _check_depth(module: Module, signatures: dict[str, Function]) -> None:
    depths: dict[str, tuple[int, int]] = {}
    for name in signatures:
        stack, scratch = _depth(name, signatures, depths, frozenset())
        if stack > FRAME_BYTES_MAX:
            wrong = f"the deepest calls from here need {stack:,} bytes of stack, at most {FRAME_BYTES_MAX:,} are there"
            raise TooLarge(name, signatures[name].line, wrong, "call less deeply, or hold fewer values at a time")
        if scratch > SCRATCH_BYTES_MAX:
            wrong = (
                f"arrays on the deepest calls from here need {scratch:,} bytes, at most {SCRATCH_BYTES_MAX:,} are there"
            )
            raise TooLarge(name, signatures[name].line, wrong, "call less deeply, or use smaller arrays")


def _depth(
    name: str, signatures: dict[str, Function], depths: dict[str, tuple[int, int]], around: frozenset[str]
) -> tuple[int, int]:
    """Bytes of the machine's stack and of scratch that a call may need; around: the functions on the way to it."""
    if name in depths:
        return depths[name]
    if name in around:
        wrong = "the function calls itself, directly or through others"
        raise TooLarge(name, signatures[name].line, wrong, "use a loop")
    body = tuple(walk(signatures[name].body))
    called = [i.function for i in body if isinstance(i, CallFunction)]
    callees = [_depth(callee, signatures, depths, around | {name}) for callee in called]
    stack = frame_bytes(signatures[name]) + max([RUNTIME_FRAME_BYTES, *(stack for stack, _ in callees)])
    reserved = sum(i.size for i in body if isinstance(i, Reserve))
    depths[name] = stack, reserved + max([0, *(scratch for _, scratch in callees)])
    return depths[name]
