"""
Programs that programs asked for (`requests`), handed to the host one by one when a block opens.

What `create_program` takes is written into io from the queue and the template's record; the instance is the host's
part. Whatever becomes of it, the entry leaves the queue and an event of the kernel says so.
"""

from __future__ import annotations

from execution.vm.core import core, i64, load64, store32, store64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.frames import entry_of
from execution.vm.kernel.hooks import assert_full
from execution.vm.kernel.outbox import append_event
from execution.vm.kernel.system import NEW_ADDRESS, NEW_CALL, NEW_RECORD, NEW_SENDER, begin_system
from execution.vm.kernel.words import IO, SCRATCH, STATE, VALUE_K1, VALUE_K3, creations_drop, g, reject


@core()
def creations() -> i64:
    """Programs waiting to be created."""
    return load64(STATE, p.CREATIONS)


@core()
def write_record(value: i64, template: i64) -> None:
    """The registry record of a new program at io's NEW_RECORD: the template's code, version 1, an admin of its own."""
    for i in unroll(p.RECORD_WORDS):
        store64(IO, NEW_RECORD + 8 * i, 0)
    for i in unroll(3):
        store64(IO, NEW_RECORD + 8 * p.RECORD_ADMIN + 8 * i, load64(STATE, value + 8 * p.CREATION_ADMIN + 8 * i))
    store64(IO, NEW_RECORD + 8 * p.RECORD_VERSION, 1)
    store64(IO, NEW_RECORD + 8 * p.RECORD_ACTIVE, load64(SCRATCH, p.HEIGHT))
    for i in unroll(12):  # hashes of layout, code and source
        at = 8 * p.RECORD_LAYOUT + 8 * i
        store64(IO, NEW_RECORD + at, load64(STATE, template + VALUE_K3 + at))


@core()
def take_creation() -> i64:
    """
    Take the first waiting program off the queue and describe it in io as `create_program` wants it.

    Returns:
        Number of its template.
    """
    begin_system()
    entry = load64(STATE, p.CREATIONS + 8)
    value = entry + VALUE_K1
    template = load64(STATE, value)
    write_record(value, entry_of(template))
    for i in unroll(3):
        store64(IO, NEW_ADDRESS + 8 * i, load64(STATE, value + 8 * p.CREATION_ADDRESS + 8 * i))
        store64(IO, NEW_SENDER + 8 * i, load64(STATE, value + 8 * p.CREATION_CREATOR + 8 * i))
    count = load64(STATE, value + 8 * p.CREATION_COUNT)
    store32(IO, NEW_CALL + p.CALL_SELECTOR, load64(STATE, value + 8 * p.CREATION_SELECTOR))
    store32(IO, NEW_CALL + p.CALL_WORDS, count)
    store64(IO, NEW_CALL + p.CALL_GAS, load64(STATE, value + 8 * p.CREATION_GAS))
    for i in range(count):
        store64(IO, NEW_CALL + p.CALL_ARGS + 8 * i, load64(STATE, value + 8 * p.CREATION_ARGUMENTS + 8 * i))
    creations_drop(p.CREATIONS, load64(STATE, entry + 16))
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
    return template


@core()
def tell_creation(why: i64) -> None:
    """Emit what became of the program described in io: its number, or the reason why there is none."""
    begin_system()
    args = g.sp
    store64(SCRATCH, args, why if why else load64(STATE, p.PROGRAMS))
    for i in unroll(3):
        store64(SCRATCH, args + 8 + 8 * i, load64(IO, NEW_ADDRESS + 8 * i))
        store64(SCRATCH, args + 32 + 8 * i, load64(IO, NEW_SENDER + 8 * i))
    try:
        append_event(0, p.KERNEL_EVENT_NOT_CREATED if why else p.KERNEL_EVENT_CREATED, args, 7)
    except reject as refusal:
        assert_full(refusal.value)
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)
