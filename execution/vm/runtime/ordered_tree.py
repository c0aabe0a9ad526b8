"""
How an ordered map's tree grows and shrinks: nodes split on the way down, emptied ones given back.
"""

from __future__ import annotations

from execution.vm.core import Words, copy, core, i64, load32, parameter, store32
from execution.vm.layout import NODE_AFTER, NODE_BEFORE, NODE_COUNT, NODE_KEYS, NODE_LEVEL, PAGE_BYTES
from execution.vm.runtime.barrier import touch
from execution.vm.runtime.heap import allocate, release, zero
from execution.vm.runtime.ordered_nodes import (
    ROOT,
    addresses,
    branch,
    charge_levels,
    child,
    link,
    open_gap,
    reaches,
)
from execution.vm.runtime.words import STATE

K = parameter("K")
N = parameter("N")


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
    level = load32(STATE, full + NODE_LEVEL)
    store32(STATE, right + NODE_LEVEL, level)
    store32(STATE, right + NODE_COUNT, N - kept)
    store32(STATE, full + NODE_COUNT, kept)
    if level == 0:
        link(right, load32(STATE, full + NODE_AFTER))
        link(full, right)
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
    levels = charge_levels(node)
    while levels:
        i = branch(node, key)
        if load32(STATE, child(node, i) + NODE_COUNT) == N:
            split(node, i, key)
            if reaches(node, i + 1, key):
                i += 1
        node = child(node, i)
        levels -= 1
    return node


@core()
def free_node(node: i64) -> None:
    zero(node, PAGE_BYTES)
    release(node, 0)


@core()
def free_chain(node: i64) -> None:
    """Free a node and, below it, only children down to a leaf, which leaves its neighbours to each other."""
    while load32(STATE, node + NODE_LEVEL):
        below = child(node, 0)
        free_node(node)
        node = below
    link(load32(STATE, node + NODE_BEFORE), load32(STATE, node + NODE_AFTER))
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
