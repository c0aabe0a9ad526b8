"""
What a program asks of the kernel, as WASM: context, calls of other programs, events, the queue of the end, services.

Operands are packed at scratch[sp], low word first. Around a call of another program sp stands behind the packed
words, so that the callee packs its own above; a rejection leaves sp to undo_savepoint, which restores it.
"""

from __future__ import annotations

from collections.abc import Sequence

from execution.compiler.ir import AtEnd, Const, Context, Emit, Invoke, Operand, Reg, Service
from execution.compiler.write_body import Body
from execution.compiler.write_names import FLAG_VIEW, SCRATCH, SERVICE_NUMBERS
from execution.vm.kernel.places import FRAME_ME, FRAME_SENDER, GAP, HEIGHT, SIGNER, TIME, WORLD, WORLD_SHIFT
from execution.vm.layout import WORD_BYTES

ACCOUNT_WORDS = 3
NO_CAP = -1


def words(operands: Sequence[Operand]) -> int:
    """How many words the operands take when packed."""
    return sum(1 if operand.kind == "w" else 2 for operand in operands)


def selector_number(selector: int) -> int:
    """A selector, an unsigned 32-bit number, as the i32 constant of the same bits."""
    return selector - (1 << 32) if selector >= 1 << 31 else selector


def write_context(body: Body, context: Context) -> None:
    """In a world other than 0 time is shifted, and sender and signer are zero."""
    match context.name:
        case "height" | "gap" | "world":
            _ambient(body, {"height": HEIGHT, "gap": GAP, "world": WORLD}[context.name])
        case "time":
            _ambient(body, TIME)
            _ambient(body, WORLD_SHIFT)
            body.const(0)
            _in_world(body)
            body.add("select", "i64.add")
        case "me":
            for word in range(ACCOUNT_WORDS):
                body.get_global("frame")
                body.add(("i64.load", SCRATCH, FRAME_ME + word * WORD_BYTES))
        case _:
            _account(body, context.name)
    body.pop(*context.out)


def _account(body: Body, name: str) -> None:
    for word in range(ACCOUNT_WORDS):
        body.const(0)
        if name == "sender":
            body.get_global("frame")
            body.add(("i64.load", SCRATCH, FRAME_SENDER + word * WORD_BYTES))
        else:
            _ambient(body, SIGNER + word * WORD_BYTES)
        _in_world(body)
        body.add("select")


def _ambient(body: Body, offset: int) -> None:
    body.const32(0)
    body.add(("i64.load", SCRATCH, offset))


def _in_world(body: Body) -> None:
    _ambient(body, WORLD)
    body.const(0)
    body.add("i64.ne")


def _pack(body: Body, operands: Sequence[Operand], offset: int = 0) -> None:
    """Store operands at sp + offset."""
    for operand in operands:
        for push in (body.low, body.high) if operand.kind == "d" else (body.low,):
            body.get_global("sp")
            push(operand)
            body.add(("i64.store", SCRATCH, offset))
            offset += WORD_BYTES


def _unpack(body: Body, outs: Sequence[Reg]) -> None:
    """Load registers from the words at sp."""
    offset = 0
    for out in outs:
        for _ in range(1 if out.kind == "w" else 2):
            body.get_global("sp")
            body.add(("i64.load", SCRATCH, offset))
            offset += WORD_BYTES
        body.pop(out)


def _move_sp(body: Body, size: int) -> None:
    body.get_global("sp")
    body.const32(size)
    body.add("i32.add")
    body.set_global("sp")


def write_invoke(body: Body, invoke: Invoke) -> None:
    """Pack, call through the kernel, load the results, sp as before."""
    packed = max(words(invoke.args), words(invoke.out)) * WORD_BYTES
    size = packed + words(invoke.world) * WORD_BYTES
    _pack(body, invoke.args)
    _pack(body, invoke.world, packed)
    for word in invoke.target:
        body.low(word)
    body.const32(selector_number(invoke.selector))
    body.get_global("sp")
    body.const32(words(invoke.args))
    body.const32(FLAG_VIEW if invoke.view else 0)
    _cap(body, invoke.gas)
    if invoke.world:
        body.get_global("sp")
        body.const32(packed)
        body.add("i32.add")
    else:
        body.const32(0)
    _move_sp(body, size)
    body.call("call")
    _move_sp(body, -size)
    _unpack(body, invoke.out)


def _cap(body: Body, gas: Operand | None) -> None:
    """A negative cap would mean none: it counts as 0."""
    if gas is None:
        body.const(NO_CAP)
    elif isinstance(gas, Const):
        body.const(max(gas.value, 0))
    else:
        body.low(gas)
        body.const(0)
        body.low(gas)
        body.const(0)
        body.add("i64.gt_s", "select")


def write_emit(body: Body, emit: Emit) -> None:
    _pack(body, emit.args)
    body.const32(emit.event)
    body.get_global("sp")
    body.const32(words(emit.args))
    body.call("emit")


def write_at_end(body: Body, at_end: AtEnd) -> None:
    body.const32(selector_number(at_end.selector))
    for word in at_end.account:
        body.low(word)
    body.call("at_end")


def write_service(body: Body, service: Service) -> None:
    """Arguments at sp; sp stands behind arguments and results while the kernel works."""
    size = max(words(service.args), words(service.out)) * WORD_BYTES
    _pack(body, service.args)
    body.const32(SERVICE_NUMBERS[service.name])
    body.get_global("sp")
    _move_sp(body, size)
    body.call("service")
    _move_sp(body, -size)
    _unpack(body, service.out)
