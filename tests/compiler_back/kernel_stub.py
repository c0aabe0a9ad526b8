"""
A kernel small enough for tests, in core Python: it runs as WASM and under CPython, so that both legs stand on the
same ground.

One program, number 1. `call`, `emit`, `at_end` and `service` write what they are given into a log in scratch; `call`
and `service` answer with numbers made from it. Savepoints are real.
"""

from __future__ import annotations

from execution.vm.core import Globals, Memory, Table, core, i32, i64, load32, load64, store32, store64
from execution.vm.runtime.words import exhausted, reject

SCRATCH = Memory("scratch")
UNDO = Memory("undo")
restore = Table("restore", ("i32", "i32"), ())
dispatch = Table("dispatch", ("i32", "i32", "i32"), ())
g = Globals(gas="i64", mark="i64", block_mark="i64", undo_top="i32", before_top="i32", sp="i32", frame="i32")

STATUS = 512  # of the last run: 0 done, 1 rejected, 2 exhausted; the reason in the next word
DEPTH = 528  # open savepoints
SAVEPOINTS = 0x10000  # undo_top, sp, frame
LOG_TOP = 536
LOG = 0x20000
LOG_END = 0x30000
FRAME = 1024
ARGS = 2048
SP = 4096
RECORD_BYTES = 136
REFUSED = 77


@core()
def log(value: i64) -> None:
    top = load64(SCRATCH, LOG_TOP)
    if top < LOG_END - LOG:
        store64(SCRATCH, LOG + top, value)
        store64(SCRATCH, LOG_TOP, top + 8)


@core()
def log_words(address: i32, count: i32) -> None:
    place = i64(address)
    for _ in range(i64(count)):
        log(load64(SCRATCH, place))
        place += 8


@core()
def open_savepoint() -> None:
    depth = load64(SCRATCH, DEPTH)
    g.mark += 1
    store32(SCRATCH, SAVEPOINTS + depth * 16, g.undo_top)
    store32(SCRATCH, SAVEPOINTS + depth * 16 + 4, g.sp)
    store32(SCRATCH, SAVEPOINTS + depth * 16 + 8, g.frame)
    store64(SCRATCH, DEPTH, depth + 1)


@core()
def keep_savepoint() -> None:
    store64(SCRATCH, DEPTH, load64(SCRATCH, DEPTH) - 1)
    g.mark += 1


@core()
def undo_to(top: i32) -> None:
    while g.undo_top > top:
        g.undo_top -= RECORD_BYTES
        program = i32(load32(UNDO, g.undo_top))
        restore(program, i32(load32(UNDO, g.undo_top + 4)), g.undo_top + 8)


@core()
def undo_savepoint() -> None:
    depth = load64(SCRATCH, DEPTH) - 1
    store64(SCRATCH, DEPTH, depth)
    undo_to(i32(load32(SCRATCH, SAVEPOINTS + depth * 16)))
    g.sp = i32(load32(SCRATCH, SAVEPOINTS + depth * 16 + 4))
    g.frame = i32(load32(SCRATCH, SAVEPOINTS + depth * 16 + 8))
    g.mark += 1


@core()
def call(
    target_a: i64,
    target_b: i64,
    target_c: i64,
    selector: i32,
    args: i32,
    words: i32,
    flags: i32,
    cap: i64,
    world: i32,
) -> None:
    """Refuses selector 7; else each result word is the argument word there plus one."""
    log(target_a ^ target_b ^ target_c)
    log(i64(selector))
    log(i64(flags))
    log(cap)
    log(i64(g.sp) - i64(args))
    log_words(args, words)
    if world != 0:
        log_words(world, i32(6))
    if selector == 7:
        raise reject(REFUSED)
    place = i64(args)
    for _ in range(8):
        store64(SCRATCH, place, load64(SCRATCH, place) + 1)
        place += 8


@core()
def emit(event: i32, args: i32, words: i32) -> None:
    log(i64(event))
    log_words(args, words)


@core()
def at_end(selector: i32, a: i64, b: i64, c: i64) -> None:
    log(i64(selector))
    log(a ^ b ^ c)


@core()
def service(number: i32, args: i32) -> None:
    log(i64(number))
    log(load64(SCRATCH, args))
    place = i64(args)
    for _ in range(7):
        store64(SCRATCH, place, (load64(SCRATCH, place) & 1023) - 100)
        place += 8


@core()
def run(selector: i32, flags: i32, gas: i64) -> None:
    """One transaction of program 1, undone when it fails."""
    g.mark += 1
    if g.block_mark == 0:
        g.block_mark = g.mark
        g.mark += 1
    g.undo_top = i32(0)
    g.sp = i32(SP)
    g.frame = i32(FRAME)
    g.gas = gas
    store64(SCRATCH, DEPTH, 0)
    store64(SCRATCH, LOG_TOP, 0)
    store64(SCRATCH, STATUS, 0)
    store64(SCRATCH, STATUS + 8, 0)
    try:
        dispatch(i32(1), selector, i32(ARGS), flags)
    except reject as caught:
        store64(SCRATCH, STATUS, 1)
        store64(SCRATCH, STATUS + 8, caught.value)
        undo_to(i32(0))
    except exhausted:
        store64(SCRATCH, STATUS, 2)
        undo_to(i32(0))


FUNCTIONS = {
    "call": call,
    "open_savepoint": open_savepoint,
    "keep_savepoint": keep_savepoint,
    "undo_savepoint": undo_savepoint,
    "emit": emit,
    "at_end": at_end,
    "service": service,
    "run": run,
}
