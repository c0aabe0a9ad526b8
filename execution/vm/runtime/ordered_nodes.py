"""
The nodes of an ordered map's tree: one page each, with up to N ascending keys of K words and as many addresses.

A leaf has the addresses of entries and is linked to the leaves beside it; a node above has those of nodes, and its
first key stands for "everything smaller". One word is compared signed, two as a signed 128-bit number, low word first.
"""

from __future__ import annotations

from execution.vm.core import Words, copy, core, i32, i64, load32, load64, lt_u, parameter, store32, u64, unroll
from execution.vm.layout import (
    NODE_AFTER,
    NODE_BEFORE,
    NODE_COUNT,
    NODE_KEYS,
    NODE_LEVEL,
    TABLE,
)
from execution.vm.runtime.barrier import charge, touch
from execution.vm.runtime.heap import zero
from execution.vm.runtime.words import PROBE, STATE

K = parameter("K")
N = parameter("N")
ROOT = TABLE
LEVEL_PROBES = 20  # a level costs as much as this many probes
STRIDE = 8  # keys: one of each so many is looked at first


@core()
def addresses(node: i64) -> i64:
    return node + (NODE_KEYS + 8 * K * N)


@core()
def child(node: i64, i: i64) -> i64:
    return load32(STATE, addresses(node) + 4 * i)


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
def is_key(node: i64, i: i64, key: Words) -> i64:
    """Whether the key is the node's i-th."""
    for word in unroll(K):
        if load64(STATE, node + 8 * K * i + (NODE_KEYS + 8 * word)) != key[word]:
            return 0
    return 1


@core(key=K)
def count_reached(node: i64, count: i64, key: Words) -> i64:
    """
    How many of the node's first `count` keys, at most N, are smaller than or equal to the key.

    Counts one of each STRIDE, then the few between: no load waits for another, so that all lines of a node that is far
    away come at once, and nothing is guessed. Keys behind the last are read and not counted.
    """
    strides = 0
    for i in unroll(N // STRIDE):
        at = i * STRIDE + STRIDE - 1
        strides += u64(reaches(node, at, key) & (at < count))
    found = strides * STRIDE
    left = count - found
    few = node + 8 * K * found
    for i in unroll(STRIDE - 1):
        found += u64(reaches(few, i, key) & (i < left))
    return found


@core(key=K)
def branch(node: i64, key: Words) -> i64:
    """Which child of a node above the leaves the key belongs to. Its first key may be larger than what follows."""
    return count_reached(node + 8 * K, load32(STATE, node + NODE_COUNT) - 1, key)


@core(key=K)
def rank(leaf: i64, key: Words) -> i64:
    """How many of a leaf's keys are smaller than or equal to the key."""
    return count_reached(leaf, load32(STATE, leaf + NODE_COUNT), key)


@core()
def charge_levels(node: i64) -> i64:
    """Pay for the way from a root to a leaf: how many levels lie between."""
    levels = load32(STATE, node + NODE_LEVEL)
    charge(levels * (LEVEL_PROBES * PROBE))
    return levels


@core(key=K)
def leaf_of(header: i64, key: Words) -> i64:
    """The leaf the key belongs to; the tree is not empty."""
    node = load32(STATE, header + ROOT)
    levels = charge_levels(node)
    while levels:
        node = child(node, branch(node, key))
        levels -= 1
    return node


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


@core()
def link(before: i64, after: i64) -> None:
    """Make two leaves neighbours; 0: none."""
    if before:
        touch(before, NODE_KEYS)
        store32(STATE, before + NODE_AFTER, after)
    if after:
        touch(after, NODE_KEYS)
        store32(STATE, after + NODE_BEFORE, before)
