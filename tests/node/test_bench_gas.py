"""The gas bench runs to its end in small and does what its patterns say; speed is not asserted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from execution.compiler import compile_ir
from execution.compiler.ir import OPS, Op, Service
from execution.compiler.ir_walk import walk
from genesis.gas import GAS_TABLE
from node.bench import gas, gas_containers, gas_kernel, gas_operations
from node.bench.gas_floor import Floor

SMALL = gas.Sizes(gas=30_000, calls=2, repeats=1, entries=(1_000, 10_000))
NOT_BENCHED = {"copy.w", "copy.d", "address.w", "low.d", "high.d", "join.d", "or.w"}
"""What the compiler puts in between, in nearly every pattern; and `or.w`, which it does not write."""


@pytest.fixture(scope="module")
def figures() -> gas.Figures:
    return gas.measure(SMALL)


@pytest.fixture(scope="module")
def small() -> Iterator[Floor]:
    yield gas.filled(10, True)


def test_every_pattern_has_a_figure_and_the_worst_is_told(figures: gas.Figures) -> None:
    found = figures["ns_per_gas"]
    assert isinstance(found, dict)
    for of in gas_containers.WALKS:
        assert any(name.startswith(f"{of.name}.") for name in found), of.name
    names = [one.name for group in gas_operations.GROUPS for one in group] + [one.name for one in gas_kernel.ASKINGS]
    assert {*names, "transaction"} <= set(found)
    assert figures["worst_ns_per_gas"] == found[figures["worst_pattern"]] == max(found.values())
    assert {"median_ns_per_gas", "cheapest_ns_per_gas", "ratio", "ratio_max", "page_stored_ns"} <= set(figures)


def test_the_patterns_do_every_operation_that_has_a_price() -> None:
    sources = [({gas.MAIN: gas_operations.source(group)}, gas.MAIN) for group in gas_operations.GROUPS]
    sources.append(({gas.MAIN: gas_containers.source()}, gas.MAIN))
    sources += [({**gas_kernel.FILES, "caller.py": gas_kernel.source()}, main) for main in ("caller.py", "oracle.py")]
    seen: set[str] = set()
    for files, main in sources:
        for function in compile_ir(files, main)[0].functions:
            for instruction in walk(function.body):
                if isinstance(instruction, Op | Service):
                    seen.add(instruction.name)
    assert OPS.keys() - NOT_BENCHED <= seen
    assert {"quote", "publish", "subscribe", "unsubscribe", "schedule", "derive"} <= seen


def test_a_block_is_taken_back(small: Floor) -> None:
    call = small.call_of(gas.MAIN, "map_insert", 5, 0, 7, 10)
    root = small.machine.prover(small.address(gas.MAIN))(0)
    first = small.run([call])
    assert small.machine.prover(small.address(gas.MAIN))(0) == root
    assert small.run([call]).gas == first.gas


def test_a_second_round_in_a_block_pays_for_no_page(small: Floor) -> None:
    calls = [small.call_of(gas.MAIN, "map_update", 10, 0, 7, 10)]
    fresh, again = small.run(calls), small.again(calls)
    assert fresh.gas - again.gas >= dict(GAS_TABLE)["dirty_page"]


@pytest.mark.parametrize("entries", [10, 10_000, 1_000_000])
def test_the_golden_stride_comes_to_every_entry(entries: int) -> None:
    step = gas.golden(entries)
    assert len({key * step % entries for key in range(entries)}) == entries
