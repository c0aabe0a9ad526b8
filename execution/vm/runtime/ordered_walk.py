"""
From entry to entry of an ordered map: neighbours of a key, and places, from which loops go on.

A place is where in a leaf the address of an entry stands: good until a key is added or removed, which an iteration
forbids. 0 is the place of nothing, and the entry there.
"""

from __future__ import annotations

from execution.vm.core import Words, core, i64, load32, load64, parameter
from execution.vm.layout import COUNT, NODE_AFTER, NODE_BEFORE, NODE_COUNT, PAGE_BYTES
from execution.vm.runtime.ordered_nodes import ROOT, addresses, charge_levels, child, is_key, leaf_of, rank
from execution.vm.runtime.words import STATE

K = parameter("K")
N = parameter("N")


@core()
def place_at(leaf: i64, i: i64) -> tuple[i64, i64]:
    """Place and entry of the i-th of a leaf, 0 ≤ i ≤ its entries: the first of the next where it has no more."""
    place = addresses(leaf) + 4 * i
    if i == load32(STATE, leaf + NODE_COUNT):
        after = load32(STATE, leaf + NODE_AFTER)
        if after == 0:
            return 0, 0
        place = addresses(after)
    return place, load32(STATE, place)


@core()
def place_before(leaf: i64, i: i64) -> tuple[i64, i64]:
    """Place and entry before the i-th of a leaf, 0 ≤ i ≤ its entries: the last of the leaf before for the first."""
    place = addresses(leaf) + 4 * i - 4
    if i == 0:
        before = load32(STATE, leaf + NODE_BEFORE)
        if before == 0:
            return 0, 0
        place = addresses(before) + 4 * load32(STATE, before + NODE_COUNT) - 4
    return place, load32(STATE, place)


@core()
def position(place: i64) -> tuple[i64, i64]:
    """The leaf of a place, and which of its entries that is."""
    leaf = place & -PAGE_BYTES
    return leaf, (place - addresses(leaf)) >> 2


@core()
def omap_lowest(header: i64) -> tuple[i64, i64]:
    """Place and entry of the smallest key."""
    if load64(STATE, header + COUNT) == 0:
        return 0, 0
    node = load32(STATE, header + ROOT)
    levels = charge_levels(node)
    while levels:
        node = child(node, 0)
        levels -= 1
    return place_at(node, 0)


@core()
def omap_highest(header: i64) -> tuple[i64, i64]:
    """Place and entry of the largest key."""
    if load64(STATE, header + COUNT) == 0:
        return 0, 0
    node = load32(STATE, header + ROOT)
    levels = charge_levels(node)
    while levels:
        node = child(node, load32(STATE, node + NODE_COUNT) - 1)
        levels -= 1
    return place_before(node, load32(STATE, node + NODE_COUNT))


@core()
def omap_next(place: i64) -> tuple[i64, i64]:
    """Place and entry behind a place."""
    leaf, i = position(place)
    return place_at(leaf, i + 1)


@core()
def omap_previous(place: i64) -> tuple[i64, i64]:
    """Place and entry before a place."""
    leaf, i = position(place)
    return place_before(leaf, i)


@core(key=K)
def omap_floor(header: i64, key: Words) -> i64:
    """The entry with the largest key ≤ the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    _, entry = place_before(leaf, rank(leaf, key))
    return entry


@core(key=K)
def omap_after(header: i64, key: Words) -> i64:
    """The entry with the smallest key > the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    _, entry = place_at(leaf, rank(leaf, key))
    return entry


@core(key=K)
def smaller(leaf: i64, key: Words) -> i64:
    """How many of a leaf's keys are smaller than the key."""
    i = rank(leaf, key)
    if i != 0 and is_key(leaf, i - 1, key) != 0:
        return i - 1
    return i


@core(key=K)
def omap_ceil(header: i64, key: Words) -> i64:
    """The entry with the smallest key ≥ the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    _, entry = place_at(leaf, smaller(leaf, key))
    return entry


@core(key=K)
def omap_before(header: i64, key: Words) -> i64:
    """The entry with the largest key < the given one, or 0."""
    if load64(STATE, header + COUNT) == 0:
        return 0
    leaf = leaf_of(header, key)
    _, entry = place_before(leaf, smaller(leaf, key))
    return entry
