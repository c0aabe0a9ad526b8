"""
What a program asks of the kernel, interpreted: the same packing at scratch[sp] as `write_kernel` emits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from execution.compiler.interpret_steps import Registers, Slots, Step
from execution.compiler.ir import AtEnd, Context, Emit, Invoke, Operand, Reg, Service
from execution.compiler.write_kernel import ACCOUNT_WORDS, NO_CAP, words
from execution.compiler.write_names import FLAG_VIEW, SERVICE_NUMBERS
from execution.vm.core_mirror import Mirror
from execution.vm.kernel.places import FRAME_ME, FRAME_SENDER, GAP, HEIGHT, SIGNER, TIME, WORLD, WORLD_SHIFT
from execution.vm.layout import WORD_BYTES

Pack = Callable[[Registers, int], None]
Unpack = Callable[[Registers, int], None]


def read_word(memory: bytearray, address: int) -> int:
    """The signed word at a byte address."""
    return int.from_bytes(memory[address : address + WORD_BYTES], "little", signed=True)


def context_step(context: Context, mirror: Mirror) -> Step:
    """In a world other than 0 time is shifted, and sender and signer are zero."""
    scratch, frame = mirror.memories["scratch"], mirror.globals["frame"]
    outs = [out.number for out in context.out]
    plain = {"height": HEIGHT, "gap": GAP, "world": WORLD, "time": TIME}
    if context.name in plain:
        place, out, shifted = plain[context.name], outs[0], context.name == "time"

        def ambient(r: Registers) -> None:
            shift = read_word(scratch, WORLD_SHIFT) if shifted and read_word(scratch, WORLD) else 0
            r[out] = read_word(scratch, place) + shift

        return ambient
    offset = {"sender": FRAME_SENDER, "me": FRAME_ME, "signer": SIGNER}[context.name]
    hidden, framed = context.name != "me", context.name != "signer"

    def account(r: Registers) -> None:
        base = offset + (frame.value if framed else 0)
        zero = hidden and read_word(scratch, WORLD)
        for index in range(ACCOUNT_WORDS):
            r[outs[index]] = 0 if zero else read_word(scratch, base + index * WORD_BYTES)

    return account


def _packer(operands: Sequence[Operand], slots: Slots, scratch: bytearray) -> Pack:
    """Store operands at an address, low word first."""
    fields = [(slots[operand], WORD_BYTES if operand.kind == "w" else 2 * WORD_BYTES) for operand in operands]

    def pack(r: Registers, address: int) -> None:
        for slot, size in fields:
            scratch[address : address + size] = r[slot].to_bytes(size, "little", signed=True)
            address += size

    return pack


def _unpacker(outs: Sequence[Reg], scratch: bytearray) -> Unpack:
    fields = [(out.number, WORD_BYTES if out.kind == "w" else 2 * WORD_BYTES) for out in outs]

    def unpack(r: Registers, address: int) -> None:
        for number, size in fields:
            r[number] = int.from_bytes(scratch[address : address + size], "little", signed=True)
            address += size

    return unpack


def invoke_step(invoke: Invoke, slots: Slots, mirror: Mirror) -> Step:
    """Pack, call through the kernel, load the results, sp as before; a rejection leaves sp where it is."""
    scratch, sp, call = mirror.memories["scratch"], mirror.globals["sp"], mirror.functions["call"]
    pack, unpack = _packer(invoke.args, slots, scratch), _unpacker(invoke.out, scratch)
    pack_world = _packer(invoke.world, slots, scratch)
    a, b, c = (slots[word] for word in invoke.target)
    cap = None if invoke.gas is None else slots[invoke.gas]
    packed = max(words(invoke.args), words(invoke.out)) * WORD_BYTES
    size, count = packed + words(invoke.world) * WORD_BYTES, words(invoke.args)
    selector = _i32(invoke.selector)
    flags, in_world = FLAG_VIEW if invoke.view else 0, bool(invoke.world)

    def step(r: Registers) -> None:
        args = sp.value
        pack(r, args)
        pack_world(r, args + packed)
        sp.value = args + size
        gas = NO_CAP if cap is None else max(r[cap], 0)
        call(r[a], r[b], r[c], selector, args, count, flags, gas, args + packed if in_world else 0)
        sp.value -= size
        unpack(r, sp.value)

    return step


def _i32(selector: int) -> int:
    return selector - (1 << 32) if selector >= 1 << 31 else selector


def emit_step(emit: Emit, slots: Slots, mirror: Mirror) -> Step:
    """Pack at sp and hand over."""
    sp, function = mirror.globals["sp"], mirror.functions["emit"]
    pack, count, event = _packer(emit.args, slots, mirror.memories["scratch"]), words(emit.args), emit.event

    def step(r: Registers) -> None:
        pack(r, sp.value)
        function(event, sp.value, count)

    return step


def at_end_step(at_end: AtEnd, slots: Slots, mirror: Mirror) -> Step:
    function: Callable[..., Any] = mirror.functions["at_end"]
    selector, (a, b, c) = _i32(at_end.selector), tuple(slots[word] for word in at_end.account)

    def step(r: Registers) -> None:
        function(selector, r[a], r[b], r[c])

    return step


def service_step(service: Service, slots: Slots, mirror: Mirror) -> Step:
    """Arguments at sp; sp stands behind arguments and results while the kernel works."""
    scratch, sp, function = mirror.memories["scratch"], mirror.globals["sp"], mirror.functions["service"]
    pack, unpack = _packer(service.args, slots, scratch), _unpacker(service.out, scratch)
    size = max(words(service.args), words(service.out)) * WORD_BYTES
    number = SERVICE_NUMBERS[service.name]

    def step(r: Registers) -> None:
        args = sp.value
        pack(r, args)
        sp.value = args + size
        function(number, args)
        sp.value -= size
        unpack(r, sp.value)

    return step
