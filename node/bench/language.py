"""
The bench of the language: what an operation costs in a program, compiled to WASM and called by transactions.

A figure is processor time of one call that does the operation in a loop, less that of a call with the same loop without
it, by turns; the middle of RUNS such differences. Keys come from a linear congruential generator, so neighbours in time
are far apart in memory; a call writes a map at most as often as it has entries. Undo is journaled as in any call, and
every call but the pricing's has a block of its own, so that first writes are paid in full: a copy of the line for the
transaction, of its page for the block. Each Decimal is computed from the one before, so what is told is latency.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass

from execution.compiler.abi_values import pack_plain, plain_result
from execution.executor import Opening
from genesis.chain import Call, SignedTransaction, Transaction
from genesis.errors import Corrupt
from node.bench import pricing
from node.bench.desk import ADDRESS, ADMIN, GAS_MAX, RUNS, Desk, Plain
from node.bench.language_program import SOURCE
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
FILL = 50_000
"""Entries that one call enters before anything is measured."""
SEED = 20_011
RAW = 10**18
PRICE, RATE, SIZE = 65_000 * RAW + 1, 987654321012345678, 37_123456789012345678


@dataclass(frozen=True, slots=True)
class Sizes:
    """Entries of the containers, turns of a loop; `inserted` is how many an ordered map grows by in a call."""

    small: int = 10_000
    large: int = 1_000_000
    ordered: int = 100_000
    inserted: int = 10_000
    turns: int = 200_000
    turns_decimal: int = 1_000_000
    pricings: int = pricing.TURNS


USUAL = Sizes()


@dataclass(slots=True)
class Signer(Desk):
    """The program, called by transactions without fee, each in a block of its own."""

    height: int = 0

    def call(self, name: str, *arguments: Plain) -> tuple[Plain, float]:
        """The entry's result and the call's processor time in seconds. Corrupt when it failed."""
        entry = self.abi.entry(name)
        packed = pack_plain([of for _, of in entry.parameters], arguments)
        calls = (Call(ADDRESS, entry.selector.to_bytes(4, "little"), packed),)
        transaction = Transaction(7_358, ADMIN, 0, self.height, 1 << 62, GAS_MAX, 0, False, calls)
        signed = SignedTransaction(transaction, b"", ADMIN, self.height.to_bytes(32, "big"), b"")
        self.height += 1
        opening = Opening(self.height, 1_000 * self.height, 0, bytes(32), ())
        self.machine.apply(opening, [])
        started = time.thread_time()
        result = self.machine.apply(opening, [signed])
        spent = time.thread_time() - started
        outcome = result.outcomes[0]
        if outcome.status != "done" or any(outcome.call_reasons):
            raise Corrupt(f"{name} failed: {outcome.reason or outcome.call_reasons}.")
        self.machine.seal()
        return plain_result(entry, outcome.results[0]), spent

    def ns(self, name: str, idle: str, turns: int, *arguments: Plain, undo: str = "") -> float:
        """
        Nanoseconds of a turn of `name` beyond one of `idle`: the middle of RUNS differences. `undo` is an entry that is
        called after each, not measured.
        """
        differences = []
        for _ in range(RUNS):
            beside = self.call(idle, turns, *arguments)[1]
            differences.append(self.call(name, turns, *arguments)[1] - beside)
            if undo:
                self.call(undo, turns, *arguments)
        return statistics.median(differences) / turns * 1e9

    def fill(self, entries: int) -> None:
        """Let the map grow to so many entries."""
        held = self.call("fill", 0)[0]
        while isinstance(held, int) and held < entries:
            held = self.call("fill", min(FILL, entries - held))[0]

    def order(self, entries: int) -> Plain:
        """Put so many entries into the ordered map; the state of the generator after them."""
        state: Plain = SEED
        for at in range(0, entries, FILL):
            state = self.call("insert", min(FILL, entries - at), state, PRICE)[0]
        return state


def measure(sizes: Sizes = USUAL) -> Figures:
    """All figures by the names of MARKS, with `runs` and `marks`."""
    desk = Signer(SOURCE)
    figures: dict[str, float] = {}
    for name, entry, operand in (("add", "add", SIZE), ("mul", "multiply", RATE), ("div", "divide", SIZE)):
        _tell(figures, f"decimal_{name}_ns", desk.ns(entry, "idle", sizes.turns_decimal, PRICE, operand))
    for scale, entries in (("", sizes.small), ("_1m", sizes.large)):
        desk.fill(entries)
        for entry in ("get", "set"):
            turns = sizes.turns if entry == "get" else min(sizes.turns, entries)
            _tell(figures, f"map_{entry}{scale}_ns", desk.ns(entry, "draw", turns, SEED, PRICE))
    state = desk.order(sizes.ordered)
    _tell(figures, "ordered_insert_ns", desk.ns("insert", "skip", sizes.inserted, state, PRICE, undo="remove"))
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
