"""
IR instructions as Python closures: one per instruction, made once, each taking the registers of the running function.

Registers are a list of ints: the function's own, then the literals it uses, so that every operand is an index. A step
answers None to go on, a label to leave to, or the tuple of results to return.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from execution.compiler.interpret_arithmetic import MEANING, signed
from execution.compiler.ir import (
    Block,
    Gas,
    Load,
    Op,
    Operand,
    Reg,
    Release,
    Reserve,
    Runtime,
    ScratchLoad,
    ScratchStore,
    Store,
    Touch,
)
from execution.vm.core_mirror import Mirror
from execution.vm.layout import LINE_BYTES, MARK_BYTES, WORD_BYTES
from execution.vm.runtime import mirror_runtime
from execution.vm.runtime.words import exhausted

Watch = Callable[[Block], list[int]]
Registers = list[int]
Signal = None | int | tuple[int, ...]
Step = Callable[[Registers], Signal]

_WORD = Struct("<q")
_UNSIGNED = Struct("<Q")
_HALF = Struct("<I")
_U32 = (1 << 32) - 1
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Ground:
    """
    What an interpreted program stands on.

    mirror: memories, globals and imported functions by the names of `write_names`; those of the kernel are shared with
    it, `state`, `marks` and `self_index` are the program's own. gas: the chain's table, for what the runtime charges.
    watch: gives a block of instructions the cell that counts how often it is entered; None to count nothing.
    """

    mirror: Mirror
    gas: Mapping[str, int]
    watch: Watch | None = None

    def function(self, name: str) -> Callable[..., Any]:
        """A function of the runtime, by its IR name."""
        return mirror_runtime(self.mirror, (name,), self.gas)[name]


class Slots:
    """Where operands stand in the registers of one function; grows by the literals it meets."""

    def __init__(self, registers: int) -> None:
        self._registers = registers
        self._constants: dict[int, int] = {}

    def __getitem__(self, operand: Operand) -> int:
        if isinstance(operand, Reg):
            return operand.number
        return self._constants.setdefault(operand.value, self._registers + len(self._constants))

    def template(self) -> Registers:
        """Registers at the start of a call: zeros, then the literals."""
        return [0] * self._registers + list(self._constants)


def op_step(op: Op, slots: Slots) -> Step:
    """A pure or checked operation; Failure where it rejects."""
    meaning, out = MEANING[op.name], op.out[0].number
    places = [slots[arg] for arg in op.args]
    if op.name.startswith("copy."):
        return _copy(out, places[0])
    if len(places) == 1:
        return _one(meaning, out, places[0])
    if len(places) == 2:
        return _two(meaning, out, places[0], places[1])
    return _three(meaning, out, places[0], places[1], places[2])


def _copy(out: int, source: int) -> Step:
    def step(r: Registers) -> None:
        r[out] = r[source]

    return step


def _one(meaning: Callable[[int], int], out: int, a: int) -> Step:
    def step(r: Registers) -> None:
        r[out] = meaning(r[a])

    return step


def _two(meaning: Callable[[int, int], int], out: int, a: int, b: int) -> Step:
    def step(r: Registers) -> None:
        r[out] = meaning(r[a], r[b])

    return step


def _three(meaning: Callable[[int, int, int], int], out: int, a: int, b: int, c: int) -> Step:
    def step(r: Registers) -> None:
        r[out] = meaning(r[a], r[b], r[c])

    return step


def load_step(load: Load | ScratchLoad, slots: Slots, mirror: Mirror) -> Step:
    """A word, a decimal, or an unsigned u32; struct.error outside the memory, where WASM would trap."""
    memory = mirror.memories["state" if isinstance(load, Load) else "scratch"]
    out, address, offset = load.out.number, slots[load.address], load.offset
    if load.out.kind == "d":

        def decimal(r: Registers) -> None:
            place = (r[address] & _U32) + offset
            low, high = _UNSIGNED.unpack_from(memory, place)[0], _WORD.unpack_from(memory, place + WORD_BYTES)[0]
            r[out] = high << 64 | low

        return decimal
    unpack = (_HALF if isinstance(load, Load) and load.size == 4 else _WORD).unpack_from

    def word(r: Registers) -> None:
        r[out] = unpack(memory, (r[address] & _U32) + offset)[0]

    return word


def store_step(store: Store | ScratchStore, slots: Slots, mirror: Mirror) -> Step:
    """The counterpart of `load_step`."""
    memory = mirror.memories["state" if isinstance(store, Store) else "scratch"]
    address, offset, value = slots[store.address], store.offset, slots[store.value]
    if store.value.kind == "d":

        def decimal(r: Registers) -> None:
            place = (r[address] & _U32) + offset
            _UNSIGNED.pack_into(memory, place, r[value] & _U64)
            _WORD.pack_into(memory, place + WORD_BYTES, r[value] >> 64)

        return decimal
    narrow = isinstance(store, Store) and store.size == 4
    pack, mask = (_HALF.pack_into, _U32) if narrow else (_UNSIGNED.pack_into, _U64)

    def word(r: Registers) -> None:
        pack(memory, (r[address] & _U32) + offset, r[value] & mask)

    return word


def touch_step(touch: Touch, slots: Slots, ground: Ground) -> Step:
    """Save the lines of the range whose mark is behind; the same lines, in the same order, as the WASM does."""
    marks, mark = ground.mirror.memories["marks"], ground.mirror.globals["mark"]
    save = ground.function("save")
    address, offset = slots[touch.address], touch.offset
    if touch.size > LINE_BYTES and isinstance(touch.address, Reg):
        whole, size = ground.function("touch"), touch.size

        def long(r: Registers) -> None:
            whole(signed(r[address] + offset), size)

        return long
    last = 0 if touch.size <= WORD_BYTES else touch.size - 1

    def step(r: Registers) -> None:
        start = r[address] + offset
        for line in range(start // LINE_BYTES, (start + last) // LINE_BYTES + 1):
            if _WORD.unpack_from(marks, line * MARK_BYTES)[0] < mark.value:
                save(line * LINE_BYTES)

    return step


def reserve_step(reserve: Reserve, mirror: Mirror) -> Step:
    """The stack pointer as it is, then moved up."""
    sp, out, size = mirror.globals["sp"], reserve.out.number, reserve.size

    def step(r: Registers) -> None:
        r[out] = sp.value
        sp.value += size

    return step


def release_step(release: Release, slots: Slots, mirror: Mirror) -> Step:
    sp, address = mirror.globals["sp"], slots[release.address]

    def step(r: Registers) -> None:
        sp.value = r[address]

    return step


def gas_step(gas: Gas, mirror: Mirror) -> Step:
    """Charge; exhausted when less than nothing is left."""
    left, amount = mirror.globals["gas"], gas.amount

    def step(_: Registers) -> None:
        left.value -= amount
        if left.value < 0:
            raise exhausted()

    return step


def runtime_step(call: Runtime, slots: Slots, ground: Ground) -> Step:
    """Call the container function, as core Python."""
    return call_step(ground.function(call.name), call.out, [slots[arg] for arg in call.args])


def call_step(function: Callable[..., Any], outs: Sequence[Reg], args: Sequence[int]) -> Step:
    """Call a Python function that answers None, an int or a tuple of ints."""
    if len(outs) == 1:
        out = outs[0].number

        def single(r: Registers) -> None:
            r[out] = function(*[r[arg] for arg in args])

        return single
    numbers = [out.number for out in outs]

    def several(r: Registers) -> None:
        results = function(*[r[arg] for arg in args])
        for number, result in zip(numbers, results or ()):
            r[number] = result

    return several
