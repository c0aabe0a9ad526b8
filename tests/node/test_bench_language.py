"""The language's bench runs to its end in small and tells what it promises; speed is not asserted."""

from __future__ import annotations

from execution.vm.layout import LIVE_BYTES
from node.bench.desk import ADDRESS
from node.bench.language import MARKS, RAW, Signer, Sizes, measure
from node.bench.language_program import ADDITIONS, SOURCE

SMALL = Sizes(small=50, large=200, ordered=100, turns=10, batch=1, block_ms=1, pricings=3)


def test_every_mark_has_a_figure() -> None:
    figures = measure(SMALL)
    assert list(figures) == [*MARKS, "runs", "marks"]
    assert figures["marks"] == MARKS
    assert all(isinstance(figures[name], float) for name in MARKS)


def test_a_loop_with_the_operation_does_it_and_its_twin_does_not() -> None:
    desk = Signer(SOURCE)
    desk.fill(10)
    assert desk.call("draw", 2, 1, 5) != desk.call("get", 2, 1, 5)
    assert desk.call("idle", 2, 1, 5, 7) == 5 + 5 + 5
    assert desk.call("add", 2, 1, 5, 7) == 5 + 2 * (7 * ADDITIONS + 5)
    assert desk.call("multiply", 2, 1, 5, 2 * RAW) == (5 * 2 + 5) * 2 + 5
    assert desk.call("divide", 2, 1, 4, RAW // 2) == (4 * 2 + 4) * 2 + 4
    state = desk.call("insert", 3, 1, 5)
    assert state == desk.call("skip", 3, 1, 5) == desk.call("remove", 3, 1, 5)


def test_a_block_has_as_much_work_as_it_should_and_ordered_maps_end_as_they_began() -> None:
    desk = Signer(SOURCE)
    desk.order(100)
    before = desk.machine.memory(ADDRESS)[:1024]
    desk.ns(SMALL, "insert", "skip", 5, undo="remove")
    assert desk.height == 1 + 5
    live = slice(LIVE_BYTES, LIVE_BYTES + 8)
    assert desk.machine.memory(ADDRESS)[live] == before[live]
