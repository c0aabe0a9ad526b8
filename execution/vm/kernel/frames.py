"""
Calls between programs: a stack of frames, each program at most once on it, bounded depth, own gas where a cap is
given.

`call` is what compiled programs import. The sender of a call is the calling program; whoever catches a rejection
unwinds the frames through its savepoint. Calls of the kernel itself start at `invoke` with the sender they stand for.
"""

from __future__ import annotations

from execution.vm.core import core, fill, i32, i64, load8, load64, shr_u, store8, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.journal import charge, leave_frame, undo_savepoints
from execution.vm.kernel.words import (
    DEEP,
    ON_STACK_REASON,
    OUT_OF_GAS,
    REJECT,
    SCRATCH,
    STATE,
    SYSTEM_GAS,
    UNKNOWN_PROGRAM,
    VALUE_K3,
    dispatch,
    exhausted,
    g,
    programs_at,
    registry_find,
    reject,
)


@core()
def entry_of(number: i64) -> i64:
    """State address of a program's registry entry; number ≥ 1."""
    place: i64 = programs_at(p.PROGRAMS, number - 1)
    return load64(STATE, place)


@core()
def lookup(a: i64, b: i64, c: i64) -> i64:
    """
    Registry entry of an address. Rejects "unknown program", also before the program is active.

    What was looked up lately is remembered, so the search is free: its price would tell what was remembered.
    """
    known = p.KNOWN + p.KNOWN_BYTES * ((a ^ shr_u(a, 24) ^ c) & (p.KNOWN_MAX - 1))
    entry = load64(SCRATCH, known + 24)
    if entry == 0 or load64(SCRATCH, known) != a or load64(SCRATCH, known + 8) != b or load64(SCRATCH, known + 16) != c:
        left = g.gas
        g.gas = SYSTEM_GAS
        entry = registry_find(p.REGISTRY, a, b, c)
        g.gas = left
        if entry == 0:
            raise reject(UNKNOWN_PROGRAM)
        store64(SCRATCH, known, a)
        store64(SCRATCH, known + 8, b)
        store64(SCRATCH, known + 16, c)
        store64(SCRATCH, known + 24, entry)
    if load64(STATE, entry + VALUE_K3 + 8 * p.RECORD_ACTIVE) > load64(SCRATCH, p.HEIGHT):
        raise reject(UNKNOWN_PROGRAM)
    return entry


@core()
def enter_frame(entry: i64, args: i32, flags: i32, a: i64, b: i64, c: i64) -> None:
    """
    Push a frame for the program of a registry entry, called by (a, b, c).

    It lies beyond all that the program can write at `args`: what its caller expects of it is the caller's belief.
    """
    number = load64(STATE, entry + VALUE_K3 + 8 * p.RECORD_NUMBER)
    depth = load64(SCRATCH, p.CALL_DEPTH) + 1
    if load8(SCRATCH, p.ON_STACK + number):
        raise reject(ON_STACK_REASON)
    sp = g.sp
    frame = args + p.ARGS_BYTES
    if sp > frame:
        frame = sp
    if depth > load64(SCRATCH, p.LIMIT_DEPTH) or frame > p.STACK_END - p.STACK_SLACK:
        raise reject(DEEP)
    store64(SCRATCH, frame + p.FRAME_SENDER, a)
    store64(SCRATCH, frame + p.FRAME_SENDER + 8, b)
    store64(SCRATCH, frame + p.FRAME_SENDER + 16, c)
    for i in unroll(3):
        store64(SCRATCH, frame + p.FRAME_ME + 8 * i, load64(STATE, entry + 16 + 8 * i))
    store64(SCRATCH, frame + p.FRAME_NUMBER, number)
    store64(SCRATCH, frame + p.FRAME_ARGS, u64(args))
    store64(SCRATCH, frame + p.FRAME_PREVIOUS, u64(g.frame))
    store64(SCRATCH, frame + p.FRAME_FLAGS, u64(flags))
    store64(SCRATCH, frame + p.FRAME_WORLD_SAVED, 0)
    store64(SCRATCH, frame + p.FRAME_SP, u64(sp))
    store8(SCRATCH, p.ON_STACK + number, 1)
    store64(SCRATCH, p.CALL_DEPTH, depth)
    g.frame = frame
    g.sp = frame + p.FRAME_BYTES


@core()
def enter_world(world: i32) -> None:
    """Make a World image ambient until the innermost frame is left."""
    frame = g.frame
    store64(SCRATCH, frame + p.FRAME_WORLD_SAVED, 1)
    for i in unroll(p.WORLD_WORDS):
        store64(SCRATCH, frame + p.FRAME_WORLD + 8 * i, load64(SCRATCH, p.WORLD + 8 * i))
    for i in unroll(p.WORLD_WORDS):
        store64(SCRATCH, p.WORLD + 8 * i, load64(SCRATCH, world + 8 * i))


@core()
def invoke(entry: i64, selector: i32, args: i32, flags: i32, world: i32, a: i64, b: i64, c: i64) -> None:
    """Run an entry point of a program in a frame of its own, under the gas there is."""
    enter_frame(entry, args, flags, a, b, c)
    if world:
        enter_world(world)
    dispatch(i32(load64(SCRATCH, g.frame + p.FRAME_NUMBER)), selector, args, flags)
    leave_frame()


@core()
def capped(entry: i64, selector: i32, args: i32, flags: i32, world: i32, a: i64, b: i64, c: i64, cap: i64) -> None:
    """`invoke` with gas of its own; running out of it is the callee's rejection, "out of gas"."""
    if cap > g.gas:
        raise exhausted()
    rest = g.gas - cap
    savepoints = load64(SCRATCH, p.SAVEPOINTS_OPEN)
    g.gas = cap
    try:
        invoke(entry, selector, args, flags, world, a, b, c)
    except reject as refusal:
        g.gas = g.gas + rest
        charge(REJECT)
        raise reject(refusal.value) from None
    except exhausted:
        undo_savepoints(savepoints)
        g.gas = rest
        charge(REJECT)
        raise reject(OUT_OF_GAS) from None
    g.gas = g.gas + rest


@core()
def clear_behind(args: i32, behind: i32, world: i32) -> None:
    """Zero the rest of a call's room for arguments and results, but for a world that lies there."""
    end = args + p.ARGS_BYTES
    if world:
        fill(SCRATCH, behind, 0, world - behind)
        behind = world + p.WORLD_BYTES
    if behind < end:
        fill(SCRATCH, behind, 0, end - behind)
