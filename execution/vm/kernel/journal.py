"""
Savepoints: what is remembered on entry, and how everything since goes back.

The mark moves on entry and on leaving: a line saved inside a savepoint must be saved again by whoever writes after
it, and a line saved before it again by whoever writes inside. Images are undone newest first, so that the oldest
wins.
"""

from __future__ import annotations

from execution.vm.core import copy, core, i32, i64, load32, load64, store8, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.words import BEFORE, DEEP, SCRATCH, UNDO, exhausted, g, reject, restore
from execution.vm.layout import LINE_BYTES, LINES_PER_PAGE
from execution.vm.runtime.barrier import LINE_RECORD_BYTES, PAGE_RECORD_BYTES


@core()
def charge(amount: i64) -> None:
    g.gas -= amount
    if g.gas < 0:
        raise exhausted()


@core()
def undo_to(top: i32) -> None:
    """Put back the lines saved above `top`, newest first."""
    while g.undo_top > top:
        g.undo_top -= LINE_RECORD_BYTES
        restore(i32(load32(UNDO, g.undo_top)), i32(load32(UNDO, g.undo_top + 4)), g.undo_top + 8)


@core()
def undo_before() -> None:
    """Put back the newest page of the block's journal."""
    g.before_top -= PAGE_RECORD_BYTES
    copy(UNDO, BEFORE, 0, g.before_top, PAGE_RECORD_BYTES)
    line = i32(load32(UNDO, 4)) * LINES_PER_PAGE
    for i in unroll(LINES_PER_PAGE):
        restore(i32(load32(UNDO, 0)), line + i, 8 + LINE_BYTES * i)


@core()
def leave_frame() -> None:
    """Pop the innermost call frame: its program may be called again, the world is the caller's."""
    frame = g.frame
    store8(SCRATCH, p.ON_STACK + load64(SCRATCH, frame + p.FRAME_NUMBER), 0)
    if load64(SCRATCH, frame + p.FRAME_WORLD_SAVED):
        for i in unroll(p.WORLD_WORDS):
            store64(SCRATCH, p.WORLD + 8 * i, load64(SCRATCH, frame + p.FRAME_WORLD + 8 * i))
    g.sp = i32(load64(SCRATCH, frame + p.FRAME_SP))
    g.frame = i32(load64(SCRATCH, frame + p.FRAME_PREVIOUS))
    store64(SCRATCH, p.CALL_DEPTH, load64(SCRATCH, p.CALL_DEPTH) - 1)


@core()
def open_savepoint() -> None:
    count = load64(SCRATCH, p.SAVEPOINTS_OPEN)
    if count >= p.SAVEPOINTS_MAX:
        raise reject(DEEP)
    at = p.SAVEPOINTS + p.SAVEPOINT_BYTES * count
    store64(SCRATCH, at, u64(g.undo_top))
    store64(SCRATCH, at + 8, load64(SCRATCH, p.EVENTS_TOP))
    store64(SCRATCH, at + 16, load64(SCRATCH, p.EVENTS_COUNT))
    store64(SCRATCH, at + 24, load64(SCRATCH, p.QUEUE_TOP))
    store64(SCRATCH, at + 32, u64(g.sp))
    store64(SCRATCH, at + 40, u64(g.frame))
    store64(SCRATCH, at + 48, load64(SCRATCH, p.INVARIANTS_TOP))
    store64(SCRATCH, at + 56, g.owed)
    store64(SCRATCH, p.SAVEPOINTS_OPEN, count + 1)
    g.mark += 1


@core()
def keep_savepoint() -> None:
    store64(SCRATCH, p.SAVEPOINTS_OPEN, load64(SCRATCH, p.SAVEPOINTS_OPEN) - 1)
    g.mark += 1


@core()
def undo_savepoint() -> None:
    """Undo pages, events, queued handlers and frames since the innermost savepoint, and close it."""
    count = load64(SCRATCH, p.SAVEPOINTS_OPEN) - 1
    at = p.SAVEPOINTS + p.SAVEPOINT_BYTES * count
    store64(SCRATCH, p.SAVEPOINTS_OPEN, count)
    undo_to(i32(load64(SCRATCH, at)))
    store64(SCRATCH, p.EVENTS_TOP, load64(SCRATCH, at + 8))
    store64(SCRATCH, p.EVENTS_COUNT, load64(SCRATCH, at + 16))
    store64(SCRATCH, p.QUEUE_TOP, load64(SCRATCH, at + 24))
    store64(SCRATCH, p.INVARIANTS_TOP, load64(SCRATCH, at + 48))
    g.owed = load64(SCRATCH, at + 56)
    frame = i32(load64(SCRATCH, at + 40))
    while g.frame != frame:
        leave_frame()
    g.sp = i32(load64(SCRATCH, at + 32))
    g.mark += 1


@core()
def undo_savepoints(count: i64) -> None:
    """Undo all savepoints but the outer `count`: whoever runs out of gas inside a `try` leaves its savepoint open."""
    while load64(SCRATCH, p.SAVEPOINTS_OPEN) > count:
        undo_savepoint()
