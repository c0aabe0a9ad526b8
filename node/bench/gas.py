"""
The gas bench: nanoseconds that a unit of gas takes, for everything that gas is charged for.

A pattern is an entry of a program that does one thing in a loop (`gas_operations`, `gas_containers`, `gas_kernel`). It
is called with as many turns as a transaction can pay for, in as many transactions as make a few tens of milliseconds,
in a block of its own; what the same calls cost without turns is taken off, and so is their gas. Counted is what a
node's engine does: packing, execution, receipts and events copied out, events hashed, changed pages hashed at the
seal; and for each of those pages a share of writing it to a checkpoint, which happens beside and once in many blocks.
Left out are signatures, which are recovered on other cores before. A pattern that finds its pages dirty is told apart
as ".again". Time is the processor's, the least of REPEATS, so that other work on the machine hardly shows.

The worst figure over the median says how far the table is off: what a hostile program gains, and hence how far limits
in gas are from limits in time.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from genesis.chain import Call
from node.bench import gas_containers, gas_kernel, gas_operations
from node.bench.desk import Plain
from node.bench.gas_floor import Floor, Spent
from node.engine import on_engine_stack
from node.store import Pages, Store

Figures = dict[str, object]
RATIO_MAX = 3.0
"""What the worst may be over the median."""
MAIN = "desk.py"
ENDLESS = 1 << 40
VARIED = 7
"""Different places to begin at, one after the other."""
PROBE_TURNS = 16
FRESH_PAGES = 16
"""From so many dirtied pages on a second round is told apart."""
CHECKPOINT_SHARE = 0.25
"""Of writing a page to a checkpoint: it is written once in `checkpoint_blocks`, however often it was dirtied."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """gas: of a call, about. calls: of a block. entries: of the containers, ascending; the largest has no nested."""

    gas: int = 4_000_000
    calls: int = 6
    repeats: int = 4
    entries: tuple[int, ...] = (10, 10_000, 1_000_000)


USUAL = Sizes()


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    An entry, called with turns and then the arguments. turns_max: of a call; once: of a whole block, for what can be
    done but once. starts: what the first argument is instead, call by call.
    """

    name: str
    main: str
    entry: str
    arguments: tuple[Plain, ...]
    turns_max: int = ENDLESS
    starts: tuple[int, ...] = ()
    once: bool = False

    def call(self, floor: Floor, turns: int, number: int) -> Call:
        arguments = self.arguments
        if self.starts:
            arguments = (self.starts[number % len(self.starts)], *arguments[1:])
        return floor.call_of(self.main, self.entry, turns, *arguments)


TRANSACTION = Pattern("transaction", "caller.py", "nothing", (1,), 0)
TRANSACTION_GAS = 10_000
"""Less than one takes: so many are measured at once."""
Found = Iterator[tuple[Floor, Pattern]]
Run = Callable[[list[Call]], Spent]


def ns_per_gas(floor: Floor, pattern: Pattern, sizes: Sizes, page_ns: float) -> dict[str, float]:
    """By name: of a block of the pattern, and of its calls once more within the block."""
    turns = _turns(floor.run, floor, pattern, sizes)
    count = max(1, min(sizes.calls, pattern.turns_max // turns)) if pattern.once else sizes.calls
    rows = [range(repeat, repeat + count) for repeat in range(sizes.repeats)]
    measured = [(_idle(floor.run, floor, pattern, row), floor.run(_calls(floor, pattern, turns, row))) for row in rows]
    found = {pattern.name: min(_ratio(idle, full, page_ns) for idle, full in measured)}
    if not pattern.once and measured[0][1].pages > measured[0][0].pages + FRESH_PAGES:
        turns = _turns(floor.again, floor, pattern, sizes)
        again = (
            (_idle(floor.again, floor, pattern, row), floor.again(_calls(floor, pattern, turns, row))) for row in rows
        )
        found[f"{pattern.name}.again"] = min(_ratio(idle, full, 0) for idle, full in again)
    return found


def _turns(run: Run, floor: Floor, pattern: Pattern, sizes: Sizes) -> int:
    """As many as a call can pay for."""
    probe = min(PROBE_TURNS, pattern.turns_max)
    gas = run(_calls(floor, pattern, probe, range(1))).gas - _idle(run, floor, pattern, range(1)).gas
    return min(pattern.turns_max, max(1, sizes.gas * probe // gas))


def _calls(floor: Floor, pattern: Pattern, turns: int, numbers: range) -> list[Call]:
    return [pattern.call(floor, turns, number) for number in numbers]


def _idle(run: Run, floor: Floor, pattern: Pattern, numbers: range) -> Spent:
    return run(_calls(floor, pattern, 0, numbers))


def _ratio(idle: Spent, full: Spent, page_ns: float) -> float:
    storing = (full.pages - idle.pages) * page_ns
    return ((full.seconds - idle.seconds) * 1e9 + storing) / (full.gas - idle.gas)


def operations() -> Found:
    for group in gas_operations.GROUPS:
        floor = Floor({MAIN: gas_operations.source(group)}, {MAIN: ""})
        for of in group:
            for what, decimals in (("", of.decimals), *((f".{name}", values) for name, values in of.also)):
                yield floor, Pattern(f"{of.name}{what}", MAIN, of.name, (*of.ints, *decimals))


def golden(entries: int) -> int:
    """A stride that comes to every entry: prime to the entries, which are a power of ten."""
    step = int(entries * gas_containers.GOLDEN) | 1
    return step if step % 5 else step + 2


def filled(entries: int, nested: bool) -> Floor:
    """Containers with so many entries each."""
    floor = Floor({MAIN: gas_containers.source()}, {MAIN: ""})
    key: Plain = 0
    for at in range(0, entries, gas_containers.FILL):
        key = floor.result(MAIN, "fill", min(gas_containers.FILL, entries - at), key, golden(entries), entries)
    if nested:
        floor.result(MAIN, "fill_small", entries, 0, golden(entries), entries)
    return floor


def containers(floor: Floor, entries: int, nested: bool) -> Found:
    starts = tuple(entries * part // VARIED for part in range(VARIED))
    few = entries < gas_containers.FEW
    for walk in gas_containers.WALKS:
        if (walk.nested and not nested) or (walk.once and few):
            continue
        for mode in walk.modes:
            step = {"random": golden(entries), "sequential": 1, "hot": 0}[mode]
            most = entries // VARIED if walk.once else ENDLESS
            name = f"{walk.name}.{entries}.{mode}"
            yield floor, Pattern(name, MAIN, walk.name, (0, step, entries), most, starts, walk.once)
    for name, _ in () if few else gas_containers.ITERATIONS:
        yield floor, Pattern(f"{name}.{entries}", MAIN, name, (0, 0, entries), entries)


def kernel() -> Found:
    files = {**gas_kernel.FILES, "caller.py": gas_kernel.source()}
    floor = Floor(files, {"oracle.py": "oracle", "echo.py": "", "relay.py": "", "caller.py": ""})
    floor.result("relay.py", "meet", floor.address("echo.py"))
    floor.result("caller.py", "meet", floor.address("echo.py"), floor.address("relay.py"), 1)
    floor.result("oracle.py", "report", 1, gas_operations.RAW, 0, ENDLESS)
    yield floor, TRANSACTION
    for asking in gas_kernel.ASKINGS:
        once = asking.turns_max < ENDLESS
        yield floor, Pattern(asking.name, "caller.py", asking.name, (1,), asking.turns_max, once=once)


def transaction(floor: Floor, sizes: Sizes) -> float:
    """Of transactions with one call each, which does nothing."""
    calls = [floor.call_of("caller.py", "nothing", 0, 1)] * (sizes.gas // TRANSACTION_GAS)
    return min(_ratio(floor.run(calls[:1]), floor.run(calls), 0) for _ in range(sizes.repeats))


def stored_page_ns(floor: Floor, entries: int, sizes: Sizes) -> float:
    """Of writing a page that was changed to a checkpoint, as the node does it."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", bytes(32))
        _checkpoint(floor, store, None)
        walk = Pattern("", MAIN, "map_update", (0, golden(entries), entries), ENDLESS, (0, entries // 2))
        spent = floor.run([walk.call(floor, sizes.gas // 2_000, number) for number in range(2)], keep=True)
        started = time.thread_time()
        _checkpoint(floor, store, floor.height - 1)
        seconds = time.thread_time() - started
        store.close()
    return seconds * 1e9 / spent.pages


def _checkpoint(floor: Floor, store: Store, since: int | None) -> None:
    pages = (Pages(chunk.program, chunk.first_page, chunk.pages) for chunk in floor.machine.export(since))
    store.put_checkpoint(floor.height, floor.machine.checkpoint_meta(), pages)


def measure(sizes: Sizes = USUAL, only: str = "") -> Figures:
    """ns_per_gas by pattern; median, worst and cheapest; page_stored_ns, a whole one."""
    largest = filled(sizes.entries[-1], False)
    stored = stored_page_ns(largest, sizes.entries[-1], sizes)
    found: dict[str, float] = {}

    def take(patterns: Found) -> None:
        for floor, pattern in patterns:
            if pattern is TRANSACTION:
                found.update(_told({pattern.name: transaction(floor, sizes)}))
            elif only in pattern.name:
                found.update(_told(ns_per_gas(floor, pattern, sizes, CHECKPOINT_SHARE * stored)))

    take(operations())
    take(kernel())
    for entries in sizes.entries[:-1]:
        take(containers(filled(entries, True), entries, True))
    take(containers(largest, sizes.entries[-1], False))
    return _summary(found) | {"page_stored_ns": round(stored)}


def _told(values: dict[str, float]) -> dict[str, float]:
    for name, value in values.items():
        print(f"{name:44}{value:10.3f}", file=sys.stderr)
    return {name: round(value, 3) for name, value in values.items()}


def _summary(found: dict[str, float]) -> Figures:
    median = statistics.median(found.values())
    ordered = sorted(found, key=lambda name: found[name])
    return {
        "ns_per_gas": found,
        "median_ns_per_gas": round(median, 3),
        "cheapest_ns_per_gas": found[ordered[0]],
        "cheapest_pattern": ordered[0],
        "worst_ns_per_gas": found[ordered[-1]],
        "worst_pattern": ordered[-1],
        "ratio": round(found[ordered[-1]] / median, 2),
        "ratio_max": RATIO_MAX,
    }


def main(as_json: bool = True) -> int:
    """Measure on one core; print the figures, as one JSON object on the last line of stdout or one by one; return 0."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = on_engine_stack(measure)
    if as_json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        if name != "ns_per_gas":
            print(f"{name:24}{value!s:>36}")
    return 0


if __name__ == "__main__":
    print(json.dumps(on_engine_stack(lambda: measure(only=sys.argv[1] if len(sys.argv) > 1 else ""))))
