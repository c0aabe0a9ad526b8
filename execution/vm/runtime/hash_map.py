"""
Map: entries in insertion order, found through an index that grows a few slots at a time.

Up to SMALL entries are searched one by one. Then an index of 8-byte slots is kept at most three quarters full: open
addressing, linear probing, the hash's top bits choosing the slot, so that neighbours stay neighbours when it doubles.
A full index becomes the old one; every insert and delete moves eight of its slots (zeroing them) until it is empty
and freed. Lookups read the new index, then what is left of the old. A key that would lie PROBES_MAX slots from its
place makes the index grow early, down to an eighth full; beyond that it lies where there is room. No key is refused:
chosen keys cost their chooser an entry each, and whoever comes near them probes, paid by the slot.
"""

from __future__ import annotations

from execution.vm.core import (
    Words,
    apart,
    core,
    i32,
    i64,
    load32,
    load64,
    mul_fold,
    parameter,
    select,
    shr_u,
    store32,
    store64,
    unroll,
)
from execution.vm.layout import (
    COUNT,
    CURSOR,
    FIRST,
    HASH,
    HEADER_BYTES,
    KEY,
    LAST,
    NEXT,
    OLD_BITS,
    OLD_TABLE,
    PREV,
    SLOT_BYTES,
    TABLE,
    TABLE_BITS,
)
from execution.vm.runtime.barrier import charge, touch
from execution.vm.runtime.heap import allocate, release, zero
from execution.vm.runtime.slots import check_still, drop_entry, free_segments, new_entry
from execution.vm.runtime.words import PROBE, STATE, STATE_FULL, reject

K = parameter("K")

SMALL = 8
BITS_MIN = 7  # 128 slots: 1 KiB
BITS_MAX = 24  # 128 MiB
PROBES_MAX = 128
PROBES_FREE = 4
MIGRATED = 8  # slots a step
NEAR_BITS = 14  # up to 128 KiB of slots, index and entries are mostly found in the processor's caches
FAR_PROBES = 4  # what each doubling beyond that costs, in probes
FAR_BITS = NEAR_BITS + PROBES_FREE // FAR_PROBES  # the free ones are the first doubling's
DELETED = 1 << 32
MULTIPLIERS = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
    0x8EBC6AF09C88C6E3,
)


def multiplier(number: int) -> int:
    return MULTIPLIERS[number]


@core(key=K)
def hash_key(key: Words) -> i64:
    """32 bits: products of 64 bits folded, word by word."""
    h = multiplier(6)
    for i in unroll(K):
        h = mul_fold(h ^ key[i], multiplier(i)) + key[i]
    return shr_u(mul_fold(h, multiplier(6)), 32)


@core(key=K)
def other_key(entry: i64, key: Words) -> i64:
    """0 when the entry has this key."""
    difference = 0
    for i in unroll(K):
        difference |= load64(STATE, entry + (KEY + 8 * i)) ^ key[i]
    return difference


@core()
def charge_probes(probes: i64) -> None:
    if probes > PROBES_FREE:
        charge((probes - PROBES_FREE) * PROBE)


@core()
def charge_search(probes: i64, bits: i64) -> None:
    """What finding a slot costs for the size of the index and for the slots looked at."""
    charge_probes(probes + ((bits - NEAR_BITS) * FAR_PROBES if bits > NEAR_BITS else 0))


@core()
def charge_size(bits: i64) -> None:
    """`charge_search` without probes, in fewer instructions."""
    if bits > FAR_BITS:
        charge((bits - FAR_BITS) * (FAR_PROBES * PROBE))


@apart(key=K)
def search_few(header: i64, hashed: i64, key: Words) -> i64:
    """The entry among a few, or 0."""
    entry = load64(STATE, header + FIRST)
    while entry:
        if load32(STATE, entry + HASH) == hashed and other_key(entry, key) == 0:
            return entry
        entry = load32(STATE, entry + NEXT)
    return 0


@core(key=K)
def search(table: i64, bits: i64, start: i64, hashed: i64, key: Words) -> i64:
    """Address of the key's slot, or 0. Slots before `start` have been migrated: probing steps over them."""
    slots = 1 << bits
    i = shr_u(hashed, 32 - bits)
    if i < start:
        i = start
    probes = 0
    while probes < slots - start:
        word = load64(STATE, table + i * SLOT_BYTES)
        if word == 0:
            break
        if word & 0xFFFFFFFF == hashed:
            entry = shr_u(word, 32)
            if entry != 1 and other_key(entry, key) == 0:
                charge_search(probes, bits)
                return table + i * SLOT_BYTES
        i += 1
        if i == slots:
            i = start
        probes += 1
    charge_search(probes, bits)
    return 0


@core(key=K)
def find_near(header: i64, hashed: i64, key: Words) -> tuple[i64, i64]:
    """
    Slot and entry where the slot is one of the key's first three, else zeros and nothing is charged.

    Which of them is not guessed: a wrong guess would wait for the index, and for the entry after that.
    """
    table = load32(STATE, header + TABLE)
    bits = load32(STATE, header + TABLE_BITS)
    i = shr_u(hashed, 32 - bits)
    mask = (1 << bits) - 1
    first = table + i * SLOT_BYTES
    second = table + ((i + 1) & mask) * SLOT_BYTES
    third = table + ((i + 2) & mask) * SLOT_BYTES
    a, b, c = load64(STATE, first), load64(STATE, second), load64(STATE, third)
    in_first, in_second = i32(a) == i32(hashed), i32(b) == i32(hashed)
    word = select(in_first, a, select(in_second, b, c))
    if i32(word) == i32(hashed):
        entry = shr_u(word, 32)
        if entry > 1 and other_key(entry, key) == 0:
            charge_size(bits)
            return select(in_first, first, select(in_second, second, third)), entry
    return 0, 0


@apart(key=K)
def find_far(header: i64, hashed: i64, key: Words) -> tuple[i64, i64]:
    """Slot and entry, or zeros; while there is no index the slot is 0."""
    table = load32(STATE, header + TABLE)
    if table == 0:
        return 0, search_few(header, hashed, key)
    slot = search(table, load32(STATE, header + TABLE_BITS), 0, hashed, key)
    if slot == 0:
        old = load32(STATE, header + OLD_TABLE)
        if old:
            slot = search(old, load32(STATE, header + OLD_BITS), load32(STATE, header + CURSOR), hashed, key)
    return slot, load32(STATE, slot + 4) if slot else 0


@core(key=K)
def map_find(header: i64, key: Words) -> i64:
    """The entry, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    hashed = hash_key(key)
    if load32(STATE, header + TABLE):
        _, entry = find_near(header, hashed, key)
        if entry:
            return entry
    _, entry = find_far(header, hashed, key)
    return entry


@core()
def place(table: i64, bits: i64, hashed: i64, entry: i64, most: i64) -> i64:
    """Enter an entry into the first free slot; 0 when that lies `most` slots away."""
    mask = (1 << bits) - 1
    i = shr_u(hashed, 32 - bits)
    probes = 0
    while load64(STATE, table + i * SLOT_BYTES):
        i = (i + 1) & mask
        probes += 1
        if probes >= most:
            return 0
    charge_probes(probes)
    touch(table + i * SLOT_BYTES, SLOT_BYTES)
    store64(STATE, table + i * SLOT_BYTES, hashed | (entry << 32))
    return 1


@core()
def migrate(header: i64) -> None:
    """Move the next slots of the old index, or free it when none is left. The header was touched before."""
    old = load32(STATE, header + OLD_TABLE)
    bits = load32(STATE, header + OLD_BITS)
    cursor = load32(STATE, header + CURSOR)
    if cursor == 1 << bits:
        store32(STATE, header + OLD_TABLE, 0)
        store32(STATE, header + OLD_BITS, 0)
        store32(STATE, header + CURSOR, 0)
        release(old, bits - BITS_MIN)
        return
    table = load32(STATE, header + TABLE)
    table_bits = load32(STATE, header + TABLE_BITS)
    slot = old + cursor * SLOT_BYTES
    end = slot + MIGRATED * SLOT_BYTES
    touch(slot, MIGRATED * SLOT_BYTES)
    while slot < end:
        word = load64(STATE, slot)
        if word:
            store64(STATE, slot, 0)
            if shr_u(word, 32) != 1:
                place(table, table_bits, word & 0xFFFFFFFF, shr_u(word, 32), 1 << BITS_MAX)
        slot += SLOT_BYTES
    store32(STATE, header + CURSOR, cursor + MIGRATED)


@core()
def enlarge(header: i64) -> None:
    """Make the index the old one and begin another of twice the size. There is no old one; the header was touched."""
    bits = load32(STATE, header + TABLE_BITS)
    if bits >= BITS_MAX:
        raise reject(STATE_FULL)
    table = allocate(bits + 1 - BITS_MIN)
    store32(STATE, header + OLD_TABLE, load32(STATE, header + TABLE))
    store32(STATE, header + OLD_BITS, bits)
    store32(STATE, header + CURSOR, 0)
    store32(STATE, header + TABLE, table)
    store32(STATE, header + TABLE_BITS, bits + 1)


@core()
def first_index(header: i64) -> None:
    """Enter the few entries into an index of the smallest size."""
    table = allocate(0)
    store32(STATE, header + TABLE, table)
    store32(STATE, header + TABLE_BITS, BITS_MIN)
    entry = load64(STATE, header + FIRST)
    while entry:
        place(table, BITS_MIN, load32(STATE, entry + HASH), entry, 1 << BITS_MAX)
        entry = load32(STATE, entry + NEXT)


@core()
def make_room(header: i64) -> None:
    """Keep the index fit for one entry more: a step of migration, or a larger index."""
    count = load64(STATE, header + COUNT)
    if load32(STATE, header + TABLE) == 0:
        if count == SMALL:
            first_index(header)
    elif load32(STATE, header + OLD_TABLE):
        migrate(header)
    elif (count + 1) * 4 > 3 << load32(STATE, header + TABLE_BITS):
        enlarge(header)


@core()
def enter(header: i64, hashed: i64, entry: i64) -> None:
    """Put a new entry into the index, if there is one."""
    table = load32(STATE, header + TABLE)
    bits = load32(STATE, header + TABLE_BITS)
    if table == 0 or place(table, bits, hashed, entry, PROBES_MAX) != 0:
        return
    if load32(STATE, header + OLD_TABLE) == 0 and load64(STATE, header + COUNT) * 8 >= 1 << bits:
        enlarge(header)
        table = load32(STATE, header + TABLE)
        bits += 1
    place(table, bits, hashed, entry, 1 << BITS_MAX)


@core()
def link_last(header: i64, entry: i64) -> None:
    """Put a new entry behind all others in iteration order; it and the header were touched before."""
    before = load64(STATE, header + LAST)
    store64(STATE, header + LAST, entry)
    store32(STATE, entry + PREV, before)
    if before:
        touch(before, 4)
        store32(STATE, before + NEXT, entry)
    else:
        store64(STATE, header + FIRST, entry)


@core()
def unlink(header: i64, entry: i64) -> None:
    """Take an entry out of the iteration order; the header was touched before."""
    before = load32(STATE, entry + PREV)
    after = load32(STATE, entry + NEXT)
    if before:
        touch(before, 4)
        store32(STATE, before + NEXT, after)
    else:
        store64(STATE, header + FIRST, after)
    if after:
        touch(after, 8)
        store32(STATE, after + PREV, before)
    else:
        store64(STATE, header + LAST, before)


@apart(key=K)
def put_far(header: i64, hashed: i64, key: Words) -> i64:
    """As `map_put`, when the entry is not near."""
    _, entry = find_far(header, hashed, key)
    if entry:
        return entry
    check_still(header)
    touch(header, HEADER_BYTES)
    make_room(header)
    entry = new_entry(header, key)
    store32(STATE, entry + HASH, hashed)
    link_last(header, entry)
    enter(header, hashed, entry)
    return entry


@core(key=K)
def map_put(header: i64, key: Words) -> i64:
    """The key's entry; a new one, zeroed, when there was none."""
    hashed = hash_key(key)
    if load32(STATE, header + TABLE):
        _, entry = find_near(header, hashed, key)
        if entry:
            return entry
    return put_far(header, hashed, key)


@core()
def close_gap(table: i64, bits: i64, slot: i64) -> None:
    """Empty a slot of the index, shifting back what was pushed past it."""
    mask = (1 << bits) - 1
    hole = shr_u(slot - table, 3)
    i = hole
    probes = 0
    while True:
        i = (i + 1) & mask
        probes += 1
        word = load64(STATE, table + i * SLOT_BYTES)
        if word == 0:
            break
        home = shr_u(word & 0xFFFFFFFF, 32 - bits)
        if ((i - home) & mask) >= ((i - hole) & mask):
            touch(table + hole * SLOT_BYTES, SLOT_BYTES)
            store64(STATE, table + hole * SLOT_BYTES, word)
            hole = i
    touch(table + hole * SLOT_BYTES, SLOT_BYTES)
    store64(STATE, table + hole * SLOT_BYTES, 0)
    charge_probes(probes)


@core()
def clear_slot(header: i64, slot: i64) -> None:
    """Take an entry out of the index that the slot lies in, and migrate a step."""
    old = load32(STATE, header + OLD_TABLE)
    if old == 0:
        close_gap(load32(STATE, header + TABLE), load32(STATE, header + TABLE_BITS), slot)
        return
    if slot >= old and slot < old + (SLOT_BYTES << load32(STATE, header + OLD_BITS)):
        touch(slot, SLOT_BYTES)
        store64(STATE, slot, DELETED)
    else:
        close_gap(load32(STATE, header + TABLE), load32(STATE, header + TABLE_BITS), slot)
    migrate(header)


@core(key=K)
def map_drop(header: i64, key: Words) -> i64:
    """Delete the key: 1, or 0 when it was not there. The value's own containers were freed before."""
    hashed = hash_key(key)
    slot, entry = 0, 0
    if load32(STATE, header + TABLE):
        slot, entry = find_near(header, hashed, key)
    if entry == 0:
        slot, entry = find_far(header, hashed, key)
    if entry == 0:
        return 0
    check_still(header)
    touch(header, HEADER_BYTES)
    if slot:
        clear_slot(header, slot)
    unlink(header, entry)
    drop_entry(header, entry)
    return 1


@core()
def map_free(header: i64) -> None:
    """Give everything back: the map is empty. Containers in its values were freed before."""
    check_still(header)
    touch(header, HEADER_BYTES)
    table = load32(STATE, header + TABLE)
    if table:
        bits = load32(STATE, header + TABLE_BITS)
        zero(table, SLOT_BYTES << bits)
        release(table, bits - BITS_MIN)
    old = load32(STATE, header + OLD_TABLE)
    if old:
        bits = load32(STATE, header + OLD_BITS)
        done = load32(STATE, header + CURSOR) * SLOT_BYTES
        zero(old + done, (SLOT_BYTES << bits) - done)
        release(old, bits - BITS_MIN)
    free_segments(header)
