"""Keys ground against the hash of maps, as an attacker would who has read its source."""

from __future__ import annotations

from collections.abc import Callable

from execution.vm import core_mirror
from execution.vm.kernel import places
from execution.vm.runtime.hash_map import hash_key

HASH_BITS = 32
GROUND_BITS = 9
"""Bits of the hash that ground times have in common."""


def place_of(words: int) -> Callable[..., int]:
    """The hash of a key of so many words; its top bits are the key's place in an index."""
    return core_mirror.Mirror({}, {}, {}, {}).function(hash_key, K=words)


def ground_times(number: int, selector: int, count: int) -> list[int]:
    """Times in ms at which a hook of program `number` comes to lie beside its others in the queue of due hooks."""
    hashed = place_of(4)
    found: list[int] = []
    time = 0
    while len(found) < count:
        time += 1
        if hashed(number, selector, places.DUE_SCHEDULE, time) >> (HASH_BITS - GROUND_BITS) == 77:
            found.append(time)
    return found
