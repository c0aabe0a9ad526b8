"""
Loads, stores and the barrier as WASM.

Touch compares the marks of the first and the last line of its range with the current mark and calls `save` only for a
line not yet journalled. Eight bytes or fewer lie in one line: words are aligned, by the layout. A range longer than a
line goes through the runtime.
"""

from __future__ import annotations

from execution.compiler.ir import Const, Load, Operand, Release, Reserve, ScratchLoad, ScratchStore, Store, Touch
from execution.compiler.write_body import Body
from execution.compiler.write_names import MARKS, SCRATCH, STATE
from execution.vm.layout import LINE_BYTES, LINE_SHIFT, MARK_BYTES, WORD_BYTES

MARK_SHIFT = 3
assert 1 << MARK_SHIFT == MARK_BYTES


def write_load(body: Body, load: Load | ScratchLoad) -> None:
    """Read a word, a decimal or an unsigned u32."""
    memory = STATE if isinstance(load, Load) else SCRATCH
    narrow = isinstance(load, Load) and load.size == 4
    body.address(load.address)
    body.add(("i64.load32_u" if narrow else "i64.load", memory, load.offset))
    if load.out.kind == "d":
        body.address(load.address)
        body.add(("i64.load", memory, load.offset + WORD_BYTES))
    body.pop(load.out)


def write_store(body: Body, store: Store | ScratchStore) -> None:
    """Write a word, a decimal or the low 32 bits of a word."""
    memory = STATE if isinstance(store, Store) else SCRATCH
    narrow = isinstance(store, Store) and store.size == 4
    body.address(store.address)
    body.low(store.value)
    body.add(("i64.store32" if narrow else "i64.store", memory, store.offset))
    if store.value.kind == "d":
        body.address(store.address)
        body.high(store.value)
        body.add(("i64.store", memory, store.offset + WORD_BYTES))


def write_touch(body: Body, touch: Touch) -> None:
    """Journal every line of the range that is not yet saved under the current mark."""
    if isinstance(touch.address, Const):
        first = touch.address.value + touch.offset
        last = first if touch.size <= WORD_BYTES else first + touch.size - 1
        for line in range(first >> LINE_SHIFT, (last >> LINE_SHIFT) + 1):
            _save_known_line(body, line)
        return
    if touch.size > LINE_BYTES:
        _push_place(body, touch.address, touch.offset)
        body.const(touch.size)
        body.add(("call", body.names.runtime["touch"]))
        return
    _save_line_at(body, touch.address, touch.offset)
    if touch.size > WORD_BYTES:
        _push_place(body, touch.address, touch.offset)
        body.const(LINE_BYTES - 1)
        body.add("i64.and")
        body.const(LINE_BYTES - touch.size)
        body.add("i64.gt_u")
        body.open("if", "touch")
        _save_line_at(body, touch.address, touch.offset + touch.size - 1)
        body.end()


def write_reserve(body: Body, reserve: Reserve) -> None:
    """The stack pointer as it is, then moved up."""
    body.get_global("sp")
    body.add("i64.extend_i32_u")
    body.pop(reserve.out)
    body.get_global("sp")
    body.const32(reserve.size)
    body.add("i32.add")
    body.set_global("sp")


def write_release(body: Body, release: Release) -> None:
    body.address(release.address)
    body.set_global("sp")


def _push_place(body: Body, address: Operand, offset: int) -> None:
    body.low(address)
    if offset:
        body.const(offset)
        body.add("i64.add")


def _save_known_line(body: Body, line: int) -> None:
    body.const32(0)
    body.add(("i64.load", MARKS, line * MARK_BYTES))
    body.get_global("mark")
    body.add("i64.lt_s")
    body.open("if", "touch")
    body.const(line * LINE_BYTES)
    body.add(("call", body.names.runtime["save"]))
    body.end()


def _save_line_at(body: Body, address: Operand, offset: int) -> None:
    _push_place(body, address, offset)
    body.add("i32.wrap_i64")
    body.const32(LINE_SHIFT - MARK_SHIFT)
    body.add("i32.shr_u")
    body.const32(-MARK_BYTES)
    body.add("i32.and", ("i64.load", MARKS, 0))
    body.get_global("mark")
    body.add("i64.lt_s")
    body.open("if", "touch")
    _push_place(body, address, offset)
    body.add(("call", body.names.runtime["save"]))
    body.end()
