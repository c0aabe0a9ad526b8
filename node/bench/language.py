"""
The bench of the language: what an operation costs in a program, compiled to WASM and called by transactions.

Measured are blocks as a node makes them: BLOCK_MS of work by many calls, each with an undo scope of its own, CALLS of
them under a signature. So a line is copied once for a call, its page once for the whole block. A figure is processor
time of calls that do the operation in a loop, less that of as many with the same loop without it, by turns within the
block; the middle of RUNS blocks. Keys come from a linear congruential generator that each call begins elsewhere, so
neighbours in time are far apart in memory. What the ordered map grows by is deleted again, which is not measured. Each
Decimal is computed from the one before, so what is told is latency; an addition's is that of one in a long chain, since
a single one disappears behind the counting of gas.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from execution.compiler.abi_values import pack_plain, plain_result
from execution.executor import BatchResult, Opening
from genesis.chain import Call, SignedTransaction, Transaction
from genesis.errors import Corrupt
from node.bench import pricing
from node.bench.desk import ADDRESS, ADMIN, RUNS, Desk, Plain
from node.bench.language_program import ADDITIONS, SOURCE
from node.engine import on_engine_stack

Figures = dict[str, object]

MARKS = {
    "decimal_add_ns": 3,
    "decimal_mul_ns": 20,
    "decimal_div_ns": 60,
    "map_get_ns": 60,
    "map_set_ns": 90,
    "map_get_1m_ns": 160,
    "map_set_1m_ns": 240,
    "ordered_insert_ns": 300,
    "black_scholes_us": 2,
    "implied_vol_us": 4,
}
"""What each figure may be at most."""
BLOCK_MS = 250
CALLS = 64
"""Under one signature."""
GAS = 200_000_000
PERIOD = 1 << 31
"""Of the program's generator."""
FILL = 50_000
"""Entries that one call enters before anything is measured."""
SEED = 20_011
RAW = 10**18
PRICE, RATE, SIZE = 65_000 * RAW + 1, 987654321012345678, 37_123456789012345678


@dataclass(frozen=True, slots=True)
class Sizes:
    """Entries of the containers; turns of the loop in a call; transactions in a batch; work in a block."""

    small: int = 10_000
    large: int = 1_000_000
    ordered: int = 100_000
    turns: int = 100
    batch: int = 8
    block_ms: float = BLOCK_MS
    pricings: int = pricing.TURNS


USUAL = Sizes()


@dataclass(slots=True)
class Signer(Desk):
    """The program, called by transactions without fee, block after block."""

    height: int = 0
    sequence: int = 0
    draws: Random = field(default_factory=lambda: Random(SEED))

    def open_block(self) -> Opening:
        self.height += 1
        opening = Opening(self.height, 1_000 * self.height, 0, bytes(32), ())
        self.machine.apply(opening, [])
        return opening

    def call(self, name: str, *arguments: Plain) -> Plain:
        """The entry's result, called in a block of its own."""
        _, result = self.apply(self.open_block(), [self.signed([self.packed(name, arguments)])])
        self.machine.seal()
        return plain_result(self.abi.entry(name), result.outcomes[0].results[0])

    def packed(self, name: str, arguments: Sequence[Plain]) -> Call:
        entry = self.abi.entry(name)
        packed = pack_plain([of for _, of in entry.parameters], arguments)
        return Call(ADDRESS, entry.selector.to_bytes(4, "little"), packed)

    def signed(self, calls: Sequence[Call]) -> SignedTransaction:
        transaction = Transaction(7_358, ADMIN, 0, self.sequence, 1 << 62, GAS, 0, False, tuple(calls))
        identity = self.sequence.to_bytes(32, "big")
        self.sequence += 1
        return SignedTransaction(transaction, b"", ADMIN, identity, b"")

    def apply(self, opening: Opening, batch: Sequence[SignedTransaction]) -> tuple[float, BatchResult]:
        """Processor time of the batch in seconds. Corrupt when a call failed."""
        self.machine.prepare(batch)
        started = time.thread_time()
        result = self.machine.apply(opening, batch)
        spent = time.thread_time() - started
        for outcome in result.outcomes:
            if outcome.status != "done" or any(outcome.call_reasons):
                raise Corrupt(f"A call of the bench failed: {outcome.reason or outcome.call_reasons}.")
        return spent, result

    def ns(self, sizes: Sizes, name: str, idle: str, *operands: Plain, undo: str = "") -> float:
        """
        Nanoseconds of a turn of `name` beyond one of `idle`: the middle of RUNS blocks. operands: what follows turns
        and seed, or turns alone when none is drawn. `undo` is called after each batch, not measured.
        """
        return statistics.median(self._block(sizes, (name, idle, undo), operands) for _ in range(RUNS))

    def _block(self, sizes: Sizes, names: tuple[str, str, str], operands: Sequence[Plain]) -> float:
        opening = self.open_block()
        spent = dict.fromkeys(names, 0.0)
        turns = 0
        while turns == 0 or spent[names[0]] < sizes.block_ms / 1000:
            seeds = [[self.draws.randrange(PERIOD) for _ in range(CALLS)] for _ in range(sizes.batch)]
            for name in (names[1], names[0], names[2]):
                if name:
                    batch = [
                        self.signed([self.packed(name, (sizes.turns, seed, *operands)) for seed in row])
                        for row in seeds
                    ]
                    spent[name] += self.apply(opening, batch)[0]
            turns += sizes.turns * CALLS * sizes.batch
        self.machine.seal()
        return (spent[names[0]] - spent[names[1]]) / turns * 1e9

    def fill(self, entries: int) -> None:
        """Let the map grow to so many entries."""
        held = self.call("fill", 0)
        while isinstance(held, int) and held < entries:
            held = self.call("fill", min(FILL, entries - held))

    def order(self, entries: int) -> None:
        """Put so many entries into the ordered map."""
        state: Plain = SEED
        for at in range(0, entries, FILL):
            state = self.call("insert", min(FILL, entries - at), state, PRICE)


def measure(sizes: Sizes = USUAL) -> Figures:
    """All figures by the names of MARKS, with `runs` and `marks`."""
    desk = Signer(SOURCE)
    figures: dict[str, float] = {}
    for name, entry, operand, count in (
        ("add", "add", SIZE, ADDITIONS),
        ("mul", "multiply", RATE, 1),
        ("div", "divide", SIZE, 1),
    ):
        _tell(figures, f"decimal_{name}_ns", desk.ns(sizes, entry, "idle", PRICE, operand) / count)
    for scale, entries in (("", sizes.small), ("_1m", sizes.large)):
        desk.fill(entries)
        for entry in ("get", "set"):
            _tell(figures, f"map_{entry}{scale}_ns", desk.ns(sizes, entry, "draw", PRICE))
    desk.order(sizes.ordered)
    _tell(figures, "ordered_insert_ns", desk.ns(sizes, "insert", "skip", PRICE, undo="remove"))
    prices = Desk(pricing.SOURCE)
    for name, entry in (("black_scholes_us", "valued"), ("implied_vol_us", "implied")):
        _tell(figures, name, _seconds(prices, entry, sizes.pricings) / sizes.pricings * 1e6)
    return {**figures, "runs": RUNS, "marks": dict(MARKS)}


def _seconds(desk: Desk, name: str, turns: int) -> float:
    """Processor time of a call of the view: the middle of RUNS."""
    spent = []
    for _ in range(RUNS):
        started = time.thread_time()
        desk.ask(name, turns)
        spent.append(time.thread_time() - started)
    return statistics.median(spent)


def _tell(figures: dict[str, float], name: str, value: float) -> None:
    figures[name] = round(value, 3)
    print(f"{name:20}{value:12.3f}   mark {MARKS[name]}", file=sys.stderr)


def main(as_json: bool = True) -> int:
    """Measure on one core; print the figures, as one JSON object on the last line of stdout or one by one; return 0."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = on_engine_stack(measure)
    if as_json:
        print(json.dumps(found))
        return 0
    for name in MARKS:
        print(f"{name:20}{found[name]:>12}")
    return 0
