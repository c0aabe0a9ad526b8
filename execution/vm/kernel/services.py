"""
What programs ask of the kernel besides calls: quotes, derived addresses, subscriptions to prices and fills, schedules.

Arguments and results are words in scratch; numbers are the order of SERVICES in `compiler.ir`. A quote published in
one batch makes its subscribers due in the next, so publishing is O(1) and pays for nobody else's handlers.
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load32, load64, lt_u, store64, u64, unroll
from execution.vm.kernel import places as p
from execution.vm.kernel.crossings import subscribe_cross, unsubscribe_cross, widen
from execution.vm.kernel.due import unpark
from execution.vm.kernel.fills import hears_fills, number_of, report_fill, subscribe_fills, unsubscribe_fills
from execution.vm.kernel.frames import entry_of
from execution.vm.kernel.journal import charge
from execution.vm.kernel.outbox import check_writable, keep_invariants
from execution.vm.kernel.words import (
    BAD_ARGUMENT,
    NOT_AUTHORISED,
    SCRATCH,
    SHA256_BLOCK,
    STATE,
    TOO_MANY_SCHEDULES,
    TOO_MANY_SUBSCRIBERS,
    VALUE_K1,
    VALUE_K2,
    VALUE_K3,
    feeds_find,
    feeds_put,
    g,
    moved_put,
    mul_d,
    reject,
    schedules_put,
    subscribers_drop,
    subscribers_put,
    touch,
)
from execution.vm.runtime.sha256 import sha256
from genesis.derived import DERIVED_TAG

QUOTE_SERVICE = 0
PUBLISH = 1
SUBSCRIBE = 2
UNSUBSCRIBE = 3
SCHEDULE = 4
DERIVE = 5
INVARIANTS = 6
SUBSCRIBE_CROSS = 7
UNSUBSCRIBE_CROSS = 8
SUBSCRIBE_FILLS = 9
UNSUBSCRIBE_FILLS = 10
HEARS_FILLS = 11
REPORT_FILL = 12
RESUME = 13

TAG_LOW = int.from_bytes(DERIVED_TAG[:8], "little", signed=True)
TAG_HIGH = int.from_bytes(DERIVED_TAG[8:], "little", signed=True)
PREIMAGE_BYTES = 48  # one block: tag, account, number


@core()
def quote_status(feed: i64) -> i64:
    """MISSING, FRESH, STALE or HALTED of a feed's record, judged by the block's own time."""
    if load64(STATE, feed + 8 * p.FEED_PUBLISHED) == 0:
        return p.QUOTE_MISSING
    age = load64(STATE, feed + 8 * p.FEED_MAX_AGE)
    if age < 0:
        return p.QUOTE_HALTED
    if load64(SCRATCH, p.TIME) - load64(STATE, feed + 8 * p.FEED_TIME) > age:
        return p.QUOTE_STALE
    return p.QUOTE_FRESH


@core()
def write_quote(number: i64, to: i64) -> None:
    """
    Write the seven words of a Quote at scratch[to]; zeros and MISSING for a feed nobody published.

    In a world other than 0 the price is multiplied by its factor (half even) and the time shifted.
    """
    feed = feeds_find(p.FEEDS, number)
    store64(SCRATCH, to, number)
    for i in range(1, 7):
        store64(SCRATCH, to + 8 * i, 0)
    if feed == 0:
        return
    feed += VALUE_K1
    low = load64(STATE, feed)
    high = load64(STATE, feed + 8)
    time = load64(STATE, feed + 8 * p.FEED_TIME)
    if load64(SCRATCH, p.WORLD):
        low, high = mul_d(low, high, load64(SCRATCH, p.WORLD_PRICE), load64(SCRATCH, p.WORLD_PRICE + 8))
        time += load64(SCRATCH, p.WORLD_SHIFT)
    store64(SCRATCH, to + 8, low)
    store64(SCRATCH, to + 16, high)
    store64(SCRATCH, to + 24, load64(STATE, feed + 8 * p.FEED_CONFIDENCE))
    store64(SCRATCH, to + 32, load64(STATE, feed + 8 * p.FEED_CONFIDENCE + 8))
    store64(SCRATCH, to + 40, time)
    store64(SCRATCH, to + 48, quote_status(feed))


@core()
def publish(args: i64) -> None:
    """feed, price (2), confidence (2), time, max_age: the pinned oracle's word on a feed."""
    if load64(SCRATCH, g.frame + p.FRAME_NUMBER) != load64(STATE, p.ORACLE):
        raise reject(NOT_AUTHORISED)
    number = load64(SCRATCH, args)
    feed = feeds_put(p.FEEDS, number) + VALUE_K1
    touch(feed, 8 * p.FEED_SUBSCRIBERS)
    for i in range(6):
        store64(STATE, feed + 8 * i, load64(SCRATCH, args + 8 + 8 * i))
    store64(STATE, feed + 8 * p.FEED_PUBLISHED, load64(STATE, feed + 8 * p.FEED_PUBLISHED) + 1)
    if load64(STATE, feed + 8 * p.FEED_MAX_AGE) >= 0:
        widen(feed, load64(STATE, feed), load64(STATE, feed + 8))
    moved = moved_put(p.MOVED, number) + VALUE_K1
    touch(moved, 8)
    store64(STATE, moved, load64(SCRATCH, p.BATCH_NUMBER))


@core()
def subscribe(args: i64) -> None:
    """
    feed, selector: call the handler of the calling program in the batch after each new quote. Clearing finds a place
    also where others have taken all.
    """
    if lt_u(p.FEEDS_MAX - 1, load64(SCRATCH, args)):
        raise reject(BAD_ARGUMENT)
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    feed = feeds_put(p.FEEDS, load64(SCRATCH, args)) + VALUE_K1
    header = feed + 8 * p.FEED_SUBSCRIBERS
    entry = subscribers_put(header, program, load64(SCRATCH, args + 8))
    if load64(STATE, header) > load64(SCRATCH, p.LIMIT_SUBSCRIBERS) and program != load64(STATE, p.CLEARING):
        raise reject(TOO_MANY_SUBSCRIBERS)
    touch(entry + VALUE_K2, 8)
    store64(STATE, entry + VALUE_K2, 1)


@core()
def unsubscribe(args: i64) -> None:
    feed = feeds_find(p.FEEDS, load64(SCRATCH, args))
    if feed:
        header = feed + VALUE_K1 + 8 * p.FEED_SUBSCRIBERS
        subscribers_drop(header, load64(SCRATCH, g.frame + p.FRAME_NUMBER), load64(SCRATCH, args + 8))


@core()
def schedule(args: i64) -> None:
    """
    time_ms, selector: call the handler in the first batch at or after the time, at the earliest the next one. At most
    SCHEDULES_MAX of a program wait for their time.
    """
    time = load64(SCRATCH, args)
    if time < 0:
        raise reject(BAD_ARGUMENT)
    program = load64(SCRATCH, g.frame + p.FRAME_NUMBER)
    if count_schedule(program, 1) > p.SCHEDULES_MAX:
        raise reject(TOO_MANY_SCHEDULES)
    touch(p.SCHEDULED, 8)
    number = load64(STATE, p.SCHEDULED) + 1
    store64(STATE, p.SCHEDULED, number)
    entry = schedules_put(p.SCHEDULES, number, time) + VALUE_K2
    touch(entry, 16)
    store64(STATE, entry, program)
    store64(STATE, entry + 8, load64(SCRATCH, args + 8))


@core()
def count_schedule(program: i64, change: i64) -> i64:
    """Change and return how many schedules of a program wait."""
    place = entry_of(program) + VALUE_K3 + 8 * p.RECORD_SCHEDULED
    count = load64(STATE, place) + change
    touch(place, 8)
    store64(STATE, place, count)
    return count


@core()
def resume(args: i64) -> None:
    """program (3): the pinned bank says that its purse was filled; a parked hook gets another try."""
    bank = load64(STATE, p.BANK)
    if bank != 0 and bank != load64(SCRATCH, g.frame + p.FRAME_NUMBER):
        raise reject(NOT_AUTHORISED)
    if load64(STATE, p.PARKED):
        program = number_of(load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
        if program:
            unpark(program, 1)


@core()
def derive(at: i64) -> None:
    """account (3), number → the account derived from them (3), as `genesis.derived` says; one block is charged."""
    charge(SHA256_BLOCK)
    to = g.sp
    store64(SCRATCH, to, TAG_LOW)
    store64(SCRATCH, to + 8, TAG_HIGH)
    for i in unroll(4):
        store64(SCRATCH, to + 16 + 8 * i, load64(SCRATCH, at + 8 * i))
    sha256(to, PREIMAGE_BYTES)
    store64(SCRATCH, at, load64(SCRATCH, to))
    store64(SCRATCH, at + 8, load64(SCRATCH, to + 8))
    store64(SCRATCH, at + 16, load32(SCRATCH, to + 16))


@core()
def change(number: i32, at: i64) -> None:
    """The services that write."""
    if number == PUBLISH:
        publish(at)
    elif number == SUBSCRIBE:
        subscribe(at)
    elif number == UNSUBSCRIBE:
        unsubscribe(at)
    elif number == SCHEDULE:
        schedule(at)
    elif number == SUBSCRIBE_CROSS:
        subscribe_cross(at)
    elif number == UNSUBSCRIBE_CROSS:
        unsubscribe_cross(at)
    elif number == SUBSCRIBE_FILLS:
        subscribe_fills(at)
    elif number == UNSUBSCRIBE_FILLS:
        unsubscribe_fills(at)
    elif number == REPORT_FILL:
        report_fill(at)
    elif number == RESUME:
        resume(at)
    else:
        raise reject(BAD_ARGUMENT)


@core()
def service(number: i32, args: i32) -> None:
    """What compiled programs import; results replace the arguments. Views may ask for quotes and addresses."""
    at = u64(args)
    if number == QUOTE_SERVICE:
        write_quote(load64(SCRATCH, at), at)
        return
    if number == DERIVE:
        derive(at)
        return
    if number == HEARS_FILLS:
        hears_fills(at)
        return
    if number == INVARIANTS:
        keep_invariants()
        return
    check_writable()
    change(number, at)
