"""
Ordered map: a B+ tree of one-page nodes over entries that never move.

Full nodes are split on the way down; a node that becomes empty is freed, with the ancestors it was the only child of.
The header knows the first and the last entry; from one to the next the way leads through the leaves (`ordered_walk`).
"""

from __future__ import annotations

from execution.vm.core import Words, core, i64, load32, load64, parameter, store32, store64, unroll
from execution.vm.layout import (
    COUNT,
    FIRST,
    HEADER_BYTES,
    LAST,
    NODE_AFTER,
    NODE_BEFORE,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
)
from execution.vm.runtime.barrier import touch
from execution.vm.runtime.ordered_nodes import (
    ROOT,
    addresses,
    branch,
    charge_levels,
    child,
    close_gap,
    is_key,
    leaf_of,
    open_gap,
    rank,
)
from execution.vm.runtime.ordered_tree import free_chain, lower_root, roomy_leaf
from execution.vm.runtime.ordered_walk import place_at, place_before
from execution.vm.runtime.slots import check_still, drop_entry, free_segments, new_entry
from execution.vm.runtime.words import STATE

K = parameter("K")
N = parameter("N")


@core(key=K)
def omap_find(header: i64, key: Words) -> i64:
    """The entry, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    i = rank(leaf, key)
    if i != 0 and is_key(leaf, i - 1, key) != 0:
        return child(leaf, i - 1)
    return 0


@core(key=K)
def enter(header: i64, leaf: i64, i: i64, entry: i64, key: Words) -> None:
    """Make an entry the leaf's i-th; the header was touched before."""
    if i == 0 and load32(STATE, leaf + NODE_BEFORE) == 0:
        store64(STATE, header + FIRST, entry)
    if i == load32(STATE, leaf + NODE_COUNT) and load32(STATE, leaf + NODE_AFTER) == 0:
        store64(STATE, header + LAST, entry)
    open_gap(leaf, i)
    for word in unroll(K):
        store64(STATE, leaf + 8 * K * i + (NODE_KEYS + 8 * word), key[word])
    store32(STATE, addresses(leaf) + 4 * i, entry)


@core(key=K)
def omap_put(header: i64, key: Words) -> i64:
    """The key's entry; a new one, zeroed, when there was none. Only a full leaf is come to a second time."""
    leaf = 0
    i = 0
    if load64(STATE, header + COUNT):
        leaf = leaf_of(header, key)
        i = rank(leaf, key)
        if i != 0 and is_key(leaf, i - 1, key) != 0:
            return child(leaf, i - 1)
    check_still(header)
    touch(header, HEADER_BYTES)
    if leaf == 0 or load32(STATE, leaf + NODE_COUNT) == N:
        leaf = roomy_leaf(header, key)
        i = rank(leaf, key)
    entry = new_entry(header, key)
    enter(header, leaf, i, entry, key)
    return entry


@core()
def forget_ends(header: i64, leaf: i64, i: i64, entry: i64) -> None:
    """Let the header's first and last entry be others than the leaf's i-th, which goes; it was touched before."""
    if load64(STATE, header + FIRST) == entry:
        _, following = place_at(leaf, i + 1)
        store64(STATE, header + FIRST, following)
    if load64(STATE, header + LAST) == entry:
        _, following = place_before(leaf, i)
        store64(STATE, header + LAST, following)


@core(key=K)
def omap_drop(header: i64, key: Words) -> i64:
    """Delete the key: 1, or 0 when it was not there. The value's own containers were freed before."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    node = load32(STATE, header + ROOT)
    levels = charge_levels(node)
    fork = 0
    fork_child = 0
    while levels:
        i = branch(node, key)
        if load32(STATE, node + NODE_COUNT) > 1:
            fork = node
            fork_child = i
        node = child(node, i)
        levels -= 1
    place = rank(node, key) - 1
    if place < 0 or is_key(node, place, key) == 0:
        return 0
    check_still(header)
    touch(header, HEADER_BYTES)
    entry = child(node, place)
    forget_ends(header, node, place, entry)
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
