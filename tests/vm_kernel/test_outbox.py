"""Tables of the outbox at their bounds: withdrawals of a batch, and handlers that wait for the end of a call."""

from __future__ import annotations

import random
import struct

import pytest

from execution.vm.core_mirror import WASM_PAGE_BYTES, Cell, Mirror
from execution.vm.kernel import build
from execution.vm.kernel import places as p
from execution.vm.kernel.outbox import at_end, note_withdrawal
from execution.vm.kernel.words import TOO_MANY_EVENTS, TOO_MANY_HANDLERS, reject
from genesis.gas import GAS_TABLE

PLENTY = 1 << 40
PRICES = build.prices(dict(GAS_TABLE))


class Kernel:
    """Its memories, and functions of its source over them."""

    def __init__(self) -> None:
        self.scratch, self.io = (bytearray(build.MEMORIES[name][0] * WASM_PAGE_BYTES) for name in ("scratch", "io"))
        self.cells = {name: Cell(0) for name in (*build.GLOBALS, "self_index")}
        self.cells["frame"].value = p.STACK_START
        self.cells["gas"].value = PLENTY
        mirror = Mirror({"scratch": self.scratch, "io": self.io}, self.cells)
        self.note_withdrawal, self.at_end = (mirror.function(one, **PRICES) for one in (note_withdrawal, at_end))

    def put(self, place: int, value: int) -> None:
        struct.pack_into("<q", self.scratch, place, value)

    def get(self, place: int) -> int:
        return int(struct.unpack_from("<q", self.scratch, place)[0])


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_a_batch_has_as_many_withdrawals_as_there_is_room_for(kernel: Kernel) -> None:
    kernel.put(p.WITHDRAWALS, p.WITHDRAWALS_MAX - 1)
    kernel.note_withdrawal(7)
    assert struct.unpack_from("<I", kernel.io, p.IO_WITHDRAWALS + 4 * (p.WITHDRAWALS_MAX - 1)) == (7,)
    with pytest.raises(reject) as refused:
        kernel.note_withdrawal(8)
    assert refused.value.value == TOO_MANY_EVENTS and kernel.get(p.WITHDRAWALS) == p.WITHDRAWALS_MAX


def test_withdrawals_that_were_undone_make_room_for_the_next(kernel: Kernel) -> None:
    for event in (1, 4, 5, 9):
        kernel.note_withdrawal(event)
    kernel.note_withdrawal(4)
    assert kernel.get(p.WITHDRAWALS) == 2
    assert struct.unpack_from("<2I", kernel.io, p.IO_WITHDRAWALS) == (1, 4)


def test_as_many_handlers_wait_as_there_is_room_for_each_once(kernel: Kernel) -> None:
    for account in range(p.QUEUE_MAX):
        kernel.at_end(5, account // 2, 0, 0)
        kernel.at_end(5, account, 0, 0)
    assert kernel.get(p.QUEUE_TOP) == p.QUEUE_MAX
    with pytest.raises(reject) as refused:
        kernel.at_end(5, p.QUEUE_MAX, 0, 0)
    assert refused.value.value == TOO_MANY_HANDLERS


@pytest.mark.parametrize("vary", ["program", "selector", "first", "second", "third"])
def test_handlers_that_differ_in_one_word_seldom_meet_in_the_table(kernel: Kernel, vary: str) -> None:
    """
    A table filled to a quarter, places as if drawn by dice: an entry finds a sixth of a place taken, on the average.
    Whoever calls pays for each.
    """
    dice = random.Random(vary)
    words = {name: dice.getrandbits(31) for name in ("program", "selector", "first", "second", "third")}
    count = p.TABLE_SLOTS // 4
    for value in dice.sample(range(1 << 20), count):
        words[vary] = value
        kernel.put(p.STACK_START + p.FRAME_NUMBER, words["program"])
        kernel.at_end(words["selector"], words["first"], words["second"], words["third"])
    assert kernel.get(p.QUEUE_TOP) == count
    assert PLENTY - kernel.cells["gas"].value < count * PRICES["probe"] / 4
