"""
Ordered map: a B+ tree of one-page nodes over entries that are linked in key order and never move.

A node holds up to N ascending keys of K words and as many addresses: of entries in a leaf, of nodes above. The first
key of a node above stands for "everything smaller". Full nodes are split on the way down; a node that becomes empty
is freed, with the ancestors it was the only child of. One word is compared signed, two as a signed 128-bit number,
low word first.
"""

from __future__ import annotations

from execution.vm.core import (
    Words,
    copy,
    core,
    i32,
    i64,
    load32,
    load64,
    lt_u,
    parameter,
    select,
    shr_u,
    store32,
    store64,
    u64,
    unroll,
)
from execution.vm.layout import (
    COUNT,
    HEADER_BYTES,
    NEXT,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
    PAGE_BYTES,
    PREV,
    TABLE,
)
from execution.vm.runtime.barrier import charge, touch
from execution.vm.runtime.hash_map import drop_entry, new_entry
from execution.vm.runtime.heap import allocate, release, zero
from execution.vm.runtime.slots import check_still, free_segments
from execution.vm.runtime.words import PROBE, STATE

K = parameter("K")
N = parameter("N")
ROOT = TABLE
LEVEL_PROBES = 20  # a level costs as much as this many probes


@core()
def addresses(node: i64) -> i64:
    return node + (NODE_KEYS + 8 * K * N)


@core()
def child(node: i64, i: i64) -> i64:
    return load32(STATE, addresses(node) + 4 * i)


@core(key=K)
def compare(node: i64, i: i64, key: Words) -> i64:
    """−1, 0 or 1 as the key is smaller than, equal to or greater than the node's i-th."""
    at = node + 8 * K * i
    if K == 1:
        other = load64(STATE, at + NODE_KEYS)
        if key[0] == other:
            return 0
        return -1 if key[0] < other else 1
    low = load64(STATE, at + NODE_KEYS)
    high = load64(STATE, at + (NODE_KEYS + 8))
    if key[K - 1] != high:
        return -1 if key[K - 1] < high else 1
    if key[0] == low:
        return 0
    return -1 if lt_u(key[0], low) else 1


@core(key=K)
def reaches(node: i64, i: i64, key: Words) -> i32:
    """Whether the key is equal to the node's i-th or greater."""
    at = node + 8 * K * i
    if K == 1:
        return key[0] >= load64(STATE, at + NODE_KEYS)
    high = load64(STATE, at + (NODE_KEYS + 8))
    same = (key[K - 1] == high) & (lt_u(key[0], load64(STATE, at + NODE_KEYS)) == 0)
    return (key[K - 1] > high) | same


@core(key=K)
def rank(node: i64, first: i64, key: Words) -> i64:
    """
    How many of the node's keys are smaller than or equal to the key, the first `first` taken as such.

    Halves without a branch: none can be guessed.
    """
    low = first
    left = load32(STATE, node + NODE_COUNT) - first
    if left == 0:
        return first
    while left > 1:
        half = shr_u(left, 1)
        low = select(reaches(node, low + half - 1, key), low + half, low)
        left -= half
    return low + u64(reaches(node, low, key))


@core(key=K)
def branch(node: i64, key: Words) -> i64:
    """Which child of a node above the leaves the key belongs to. Its first key may be larger than what follows."""
    return rank(node, 1, key) - 1


@core(key=K)
def leaf_of(header: i64, key: Words) -> i64:
    """The leaf the key belongs to; the tree is not empty."""
    node = load32(STATE, header + ROOT)
    while load32(STATE, node + NODE_LEVEL):
        charge(LEVEL_PROBES * PROBE)
        node = child(node, branch(node, key))
    return node


@core(key=K)
def omap_find(header: i64, key: Words) -> i64:
    """The entry, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    smaller = rank(leaf, 0, key)
    if smaller != 0 and compare(leaf, smaller - 1, key) == 0:
        return child(leaf, smaller - 1)
    return 0


@core(key=K)
def omap_floor(header: i64, key: Words) -> i64:
    """The entry with the largest key ≤ the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    smaller = rank(leaf, 0, key)
    if smaller:
        return child(leaf, smaller - 1)
    return load32(STATE, child(leaf, 0) + PREV)


@core(key=K)
def omap_ceil(header: i64, key: Words) -> i64:
    """The entry with the smallest key ≥ the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    smaller = rank(leaf, 0, key)
    if smaller == 0:
        return child(leaf, 0)
    entry = child(leaf, smaller - 1)
    if compare(leaf, smaller - 1, key) == 0:
        return entry
    return load32(STATE, entry + NEXT)


@core()
def open_gap(node: i64, i: i64) -> None:
    """Shift keys and addresses from the i-th on up by one place; the node has room. Touches the lines that change."""
    count = load32(STATE, node + NODE_COUNT)
    touch(node, NODE_KEYS)
    keys = node + NODE_KEYS + 8 * K * i
    touch(keys, (count - i + 1) * (8 * K))
    touch(addresses(node) + 4 * i, (count - i + 1) * 4)
    copy(STATE, STATE, keys + 8 * K, keys, (count - i) * (8 * K))
    places = addresses(node) + 4 * i
    copy(STATE, STATE, places + 4, places, (count - i) * 4)
    store32(STATE, node + NODE_COUNT, count + 1)


@core()
def close_gap(node: i64, i: i64) -> None:
    """Remove the i-th key and address of a node, zeroing the place behind the last."""
    count = load32(STATE, node + NODE_COUNT) - 1
    touch(node, NODE_KEYS)
    keys = node + NODE_KEYS + 8 * K * i
    touch(keys, (count - i + 1) * (8 * K))
    touch(addresses(node) + 4 * i, (count - i + 1) * 4)
    copy(STATE, STATE, keys, keys + 8 * K, (count - i) * (8 * K))
    places = addresses(node) + 4 * i
    copy(STATE, STATE, places, places + 4, (count - i) * 4)
    zero(node + NODE_KEYS + 8 * K * count, 8 * K)
    zero(addresses(node) + 4 * count, 4)
    store32(STATE, node + NODE_COUNT, count)


@core(key=K)
def split(parent: i64, i: i64, key: Words) -> None:
    """
    Move the upper half of the parent's full i-th child into a new node behind it; the parent has room.

    Where the key goes behind all of the child's, only an eighth moves: nodes that grow at their end become nearly full.
    """
    full = child(parent, i)
    kept = N - N // 8 if reaches(full, N - 1, key) else N // 2
    right = allocate(0)
    touch(right, PAGE_BYTES)
    touch(full, PAGE_BYTES)
    store32(STATE, right + NODE_LEVEL, load32(STATE, full + NODE_LEVEL))
    store32(STATE, right + NODE_COUNT, N - kept)
    store32(STATE, full + NODE_COUNT, kept)
    keys = full + NODE_KEYS + 8 * K * kept
    copy(STATE, STATE, right + NODE_KEYS, keys, 8 * K * (N - kept))
    zero(keys, 8 * K * (N - kept))
    places = addresses(full) + 4 * kept
    copy(STATE, STATE, addresses(right), places, 4 * (N - kept))
    zero(places, 4 * (N - kept))
    open_gap(parent, i + 1)
    copy(STATE, STATE, parent + NODE_KEYS + 8 * K * (i + 1), right + NODE_KEYS, 8 * K)
    store32(STATE, addresses(parent) + 4 * (i + 1), right)


@core(key=K)
def roomy_root(header: i64, key: Words) -> i64:
    """The root, made when there is none and split when it is full; the header was touched before."""
    root = load32(STATE, header + ROOT)
    if root == 0:
        root = allocate(0)
        store32(STATE, header + ROOT, root)
        return root
    if load32(STATE, root + NODE_COUNT) < N:
        return root
    above = allocate(0)
    touch(above, PAGE_BYTES)
    store32(STATE, above + NODE_COUNT, 1)
    store32(STATE, above + NODE_LEVEL, load32(STATE, root + NODE_LEVEL) + 1)
    store32(STATE, addresses(above), root)
    copy(STATE, STATE, above + NODE_KEYS, root + NODE_KEYS, 8 * K)
    store32(STATE, header + ROOT, above)
    split(above, 0, key)
    return above


@core(key=K)
def roomy_leaf(header: i64, key: Words) -> i64:
    """The leaf the key belongs to, with room for it: full nodes on the way are split."""
    node = roomy_root(header, key)
    while load32(STATE, node + NODE_LEVEL):
        charge(LEVEL_PROBES * PROBE)
        i = branch(node, key)
        if load32(STATE, child(node, i) + NODE_COUNT) == N:
            split(node, i, key)
            if reaches(node, i + 1, key):
                i += 1
        node = child(node, i)
    return node


@core(key=K)
def omap_put(header: i64, key: Words) -> i64:
    """The key's entry; a new one, zeroed, when there was none. Only a full leaf is come to a second time."""
    leaf = 0
    i = 0
    if load64(STATE, header + COUNT):
        leaf = leaf_of(header, key)
        i = rank(leaf, 0, key)
        if i != 0 and compare(leaf, i - 1, key) == 0:
            return child(leaf, i - 1)
    check_still(header)
    touch(header, HEADER_BYTES)
    if leaf == 0 or load32(STATE, leaf + NODE_COUNT) == N:
        leaf = roomy_leaf(header, key)
        i = rank(leaf, 0, key)
    before = child(leaf, i - 1) if i else 0
    after = child(leaf, i) if i < load32(STATE, leaf + NODE_COUNT) else 0
    if before != 0 and after == 0:
        after = load32(STATE, before + NEXT)
    elif after != 0 and before == 0:
        before = load32(STATE, after + PREV)
    entry = new_entry(header, 0, before, after, key)
    open_gap(leaf, i)
    for word in unroll(K):
        store64(STATE, leaf + 8 * K * i + (NODE_KEYS + 8 * word), key[word])
    store32(STATE, addresses(leaf) + 4 * i, entry)
    return entry


@core()
def free_node(node: i64) -> None:
    zero(node, PAGE_BYTES)
    release(node, 0)


@core()
def free_chain(node: i64) -> None:
    """Free a node and, below it, only children down to a leaf."""
    while load32(STATE, node + NODE_LEVEL):
        below = child(node, 0)
        free_node(node)
        node = below
    free_node(node)


@core()
def lower_root(header: i64) -> None:
    """While the root has one child only, that is the root."""
    root = load32(STATE, header + ROOT)
    while load32(STATE, root + NODE_LEVEL) != 0 and load32(STATE, root + NODE_COUNT) == 1:
        below = child(root, 0)
        free_node(root)
        root = below
    store32(STATE, header + ROOT, root)


@core(key=K)
def omap_drop(header: i64, key: Words) -> i64:
    """Delete the key: 1, or 0 when it was not there. The value's own containers were freed before."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    node = load32(STATE, header + ROOT)
    fork = 0
    fork_child = 0
    while load32(STATE, node + NODE_LEVEL):
        charge(LEVEL_PROBES * PROBE)
        i = branch(node, key)
        if load32(STATE, node + NODE_COUNT) > 1:
            fork = node
            fork_child = i
        node = child(node, i)
    place = rank(node, 0, key) - 1
    if place < 0 or compare(node, place, key) != 0:
        return 0
    check_still(header)
    touch(header, HEADER_BYTES)
    entry = child(node, place)
    if load32(STATE, node + NODE_COUNT) > 1:
        close_gap(node, place)
    elif fork:
        below = child(fork, fork_child)
        close_gap(fork, fork_child)
        free_chain(below)
        lower_root(header)
    else:
        free_chain(load32(STATE, header + ROOT))
        store32(STATE, header + ROOT, 0)
    drop_entry(header, entry)
    return 1


@core()
def omap_free(header: i64) -> None:
    """Give everything back: the map is empty. Frees the tree leaf by leaf along its left edge."""
    check_still(header)
    touch(header, HEADER_BYTES)
    while load32(STATE, header + ROOT):
        node = load32(STATE, header + ROOT)
        fork = 0
        while load32(STATE, node + NODE_LEVEL):
            if load32(STATE, node + NODE_COUNT) > 1:
                fork = node
            node = child(node, 0)
        if fork:
            below = child(fork, 0)
            close_gap(fork, 0)
            free_chain(below)
        else:
            free_chain(load32(STATE, header + ROOT))
            store32(STATE, header + ROOT, 0)
    free_segments(header)
