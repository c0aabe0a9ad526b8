"""A program that calls the next one up, as high as it goes."""

from __future__ import annotations

from execution.vm.core import core, i32, load64, store64
from tests.vm_kernel.tiny import SCRATCH, SET, call, g, put

TOP = 0xC5C5C5C5C5C5C5C5 - (1 << 64)


@core()
def climb(which: i32, args: i32, flags: i32) -> None:
    me = load64(SCRATCH, g.frame + 24)
    put(128, 1)
    if me != TOP:
        above = me + 0x0101010101010101
        to = g.sp
        g.sp = to + 8
        store64(SCRATCH, to, 0)
        call(above, above, above & 0xFFFFFFFF, SET, to, 1, 0, -1, 0)
        g.sp = to
