"""
What compiled programs import as `call`: another program's entry, or, at an address that no account has, a new program.

A new program is asked for here and made when the next block opens (`creations`): its address is known at once, a call
to it before is "unknown program".
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load32, load64, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import capped, clear_behind, entry_of, invoke, lookup
from execution.vm.kernel.journal import charge
from execution.vm.kernel.outbox import check_writable
from execution.vm.kernel.words import (
    ARGUMENT_WORD,
    BAD_ARGUMENT,
    INSTANCE,
    SCRATCH,
    STATE,
    TOO_MANY_PROGRAMS,
    VALUE_K1,
    VALUE_K3,
    creations_put,
    g,
    reject,
    touch,
)
from execution.vm.runtime.sha256 import sha256
from genesis.derived import CREATED_TAG

CREATED_LOW = int.from_bytes(CREATED_TAG[:8], "little", signed=True)
CREATED_HIGH = int.from_bytes(CREATED_TAG[8:], "little", signed=True)
PREIMAGE_BYTES = 48  # one block: tag, creator, number

# The words of a request: template (3), admin (3), selector of `create`, its arguments; the address (3) replaces them.
ASKED_ADMIN = 24
ASKED_SELECTOR = 48
ASKED_ARGUMENTS = 56
ASKED_WORDS = 7


@core()
def next_address(creator: i64, to: i64) -> None:
    """Write the address of the creator's next program at scratch[to]; count it. creator: its registry entry."""
    place = creator + VALUE_K3 + 8 * p.RECORD_CREATED
    number = load64(STATE, place)
    touch(place, 8)
    store64(STATE, place, number + 1)
    at = g.sp
    store64(SCRATCH, at, CREATED_LOW)
    store64(SCRATCH, at + 8, CREATED_HIGH)
    for i in unroll(3):
        store64(SCRATCH, at + 16 + 8 * i, load64(STATE, creator + 16 + 8 * i))
    store64(SCRATCH, at + 40, number)
    sha256(at, PREIMAGE_BYTES)
    store64(SCRATCH, to, load64(SCRATCH, at))
    store64(SCRATCH, to + 8, load64(SCRATCH, at + 8))
    store64(SCRATCH, to + 16, load32(SCRATCH, at + 16))


@core()
def ask_for_program(args: i64, words: i64, cap: i64) -> None:
    """
    Queue a program like the template for the next block. cap: gas of its `create`, paid now as the instance is.

    Rejects "unknown program" for the template; "too many programs" of the next block or of the chain.
    """
    check_writable()
    count = words - ASKED_WORDS
    if count < 0 or count > p.CREATION_ARGUMENT_WORDS_MAX or cap < 0:
        raise reject(BAD_ARGUMENT)
    charge(cap)
    charge(INSTANCE + ARGUMENT_WORD * words)
    template = lookup(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    waiting = load64(STATE, p.CREATIONS)
    if waiting >= p.CREATIONS_MAX or waiting + load64(STATE, p.PROGRAMS) >= load64(SCRATCH, p.LIMIT_PROGRAMS):
        raise reject(TOO_MANY_PROGRAMS)
    creator = entry_of(load64(SCRATCH, g.frame + p.FRAME_NUMBER))
    touch(p.CREATED, 8)
    number = load64(STATE, p.CREATED) + 1
    store64(STATE, p.CREATED, number)
    value = creations_put(p.CREATIONS, number) + VALUE_K1
    touch(value, 8 * p.CREATION_WORDS)
    store64(STATE, value, load64(STATE, template + VALUE_K3 + 8 * p.RECORD_NUMBER))
    next_address(creator, args)
    for i in unroll(3):
        store64(STATE, value + 8 * p.CREATION_ADDRESS + 8 * i, load64(SCRATCH, args + 8 * i))
        store64(STATE, value + 8 * p.CREATION_CREATOR + 8 * i, load64(STATE, creator + 16 + 8 * i))
        store64(STATE, value + 8 * p.CREATION_ADMIN + 8 * i, load64(SCRATCH, args + ASKED_ADMIN + 8 * i))
    store64(STATE, value + 8 * p.CREATION_SELECTOR, load64(SCRATCH, args + ASKED_SELECTOR))
    store64(STATE, value + 8 * p.CREATION_GAS, cap)
    store64(STATE, value + 8 * p.CREATION_COUNT, count)
    for i in range(count):
        store64(STATE, value + 8 * p.CREATION_ARGUMENTS + 8 * i, load64(SCRATCH, args + ASKED_ARGUMENTS + 8 * i))


@core()
def call(a: i64, b: i64, c: i64, selector: i32, args: i32, words: i32, flags: i32, cap: i64, world: i32) -> None:
    """
    Call another program from the one on top of the stack.

    words: argument words at `args`, already checked by the compiler; what lies behind them is zeroed, so that neither a
    callee that answers less nor one that reads more sees what was on the stack before. flags: bit 0 view, inherited by
    everything below. cap: gas of its own, negative for none. world: scratch address of a World, views only; 0 for none.
    """
    if c < 0:  # no account has such a third word
        ask_for_program(u64(args), u64(words), cap)
        return
    frame = g.frame
    flags = flags | i32(load64(SCRATCH, frame + p.FRAME_FLAGS) & p.FLAG_VIEW)
    if world and (not flags & p.FLAG_VIEW or load64(SCRATCH, world) < 1):
        raise reject(BAD_ARGUMENT)
    entry = lookup(a, b, c)
    clear_behind(args, args + 8 * words, world)
    x = load64(SCRATCH, frame + p.FRAME_ME)
    y = load64(SCRATCH, frame + p.FRAME_ME + 8)
    z = load64(SCRATCH, frame + p.FRAME_ME + 16)
    if cap < 0:
        invoke(entry, selector, args, flags, world, x, y, z)
    else:
        capped(entry, selector, args, flags, world, x, y, z, cap)
