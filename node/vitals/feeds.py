"""The oracle's feeds, read from its state: what they are called, and how old their prices may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from execution.compiler.abi import Abi
from execution.compiler.abi_place import locate
from execution.compiler.abi_values import pack, plain_result
from execution.compiler.abi_values import read as read_value
from execution.executor import Executor, Query
from execution.vm.layout import WORD_BYTES

QUOTE_TIME = 3
"""Place of the time in a Quote."""


@dataclass(frozen=True, slots=True)
class FeedTime:
    """time_ms: of the price, 0 before the first. age_ms_max: from which on it counts no more."""

    name: str
    time_ms: int
    age_ms_max: int


def feed_times(executor: Executor, oracle: bytes, abi: Abi, gas: int) -> list[FeedTime]:
    """All feeds, in the order of their numbers. To be called on the engine's thread."""
    sources = list(_sources(executor.memory(oracle), abi))
    entry = abi.entry("quote")
    queries = [Query(oracle, entry.selector, pack(entry, (feed,)), gas) for feed in range(len(sources))]
    quotes = [plain_result(entry, answer.result) for answer in executor.query(queries)] if queries else []
    return [FeedTime(name, quote[QUOTE_TIME], age) for (name, age), quote in zip(sources, quotes, strict=True)]


def _sources(memory: bytes, abi: Abi) -> Iterator[tuple[Any, ...]]:
    """Name and max_age of each feed."""

    def read(address: int, size: int) -> bytes:
        return memory[address : address + size].ljust(size, b"\x00")

    index = 0
    while True:
        step = index.to_bytes(WORD_BYTES, "little")
        name, age = (locate(abi, read, "sources", [step, member]) for member in ("name", "max_age"))
        if not name.address:
            return
        yield tuple(read_value(place.type, read(place.address, place.size)) for place in (name, age))
        index += 1
