"""Due hooks: when they run, in which phase, what becomes of failures and of what does not fit."""

from __future__ import annotations

import struct

from execution.vm.kernel import places
from execution.vm.layout import FIRST, KEY
from execution.vm.state import KERNEL_ADDRESS
from tests.vm_kernel.tiny import ON_FAIL, ON_PRICE, ON_RETRY, ON_TIME, Node, call_of, dispatch, planned, spec

CANCEL = 2 << 30
POST_ONLY = 1 << 30


def venue() -> Node:
    """Program 0 is a venue with a resting order (cell 1), 1 an oracle, 2 a taker that takes it when a price comes."""
    node = Node(planned(0, dispatch), planned(1, dispatch, "oracle"), planned(2, dispatch))
    node.one(call_of(0, "set(int)", 1), call_of(2, "subscribe(int,int)", 5, ON_PRICE))
    return node


def test_a_price_makes_its_subscribers_due_in_the_next_batch() -> None:
    node = venue()
    node.one(call_of(1, "publish(int,int)", 5, 4242))
    assert node.cell(2) == 0
    node.run()
    assert (node.cell(2), node.cell(0)) == (4242, -1)


def test_only_the_pinned_oracle_publishes() -> None:
    node = venue()
    assert node.one(call_of(2, "publish(int,int)", 5, 1)).reason == "not authorised"


def test_a_cancel_wins_over_a_hook_born_taker_in_the_same_batch() -> None:
    node = venue()
    node.one(call_of(1, "publish(int,int)", 5, 4242))
    cancel = node.signed(call_of(0, "set(int)", 0), lane=CANCEL | 1)
    trade = node.signed(call_of(0, "set(int)", 9))
    result = node.run(trade, cancel)
    assert list(result.order) == [1, 0]
    assert node.cell(2) == 4242 and result.outcomes[0].results[0] == bytes(8), "the taker found nothing"


def test_post_only_runs_before_the_hooks_of_programs_and_cancel_first() -> None:
    node = venue()
    batch = [node.signed(call_of(0, "get()"), lane=lane) for lane in (0, POST_ONLY, CANCEL, 7, POST_ONLY | 3)]
    assert list(node.run(*batch).order) == [2, 1, 4, 0, 3]


def test_a_schedule_runs_at_its_time_and_once() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "schedule(int,int)", 2500, ON_TIME), call_of(0, "schedule(int,int)", 900, ON_TIME))
    assert node.cell(0) == 0
    node.run()
    assert node.cell(0) == 900
    for _ in range(3):
        node.seal()
        node.run()
    assert node.cell(0) == 3400


def test_retry_stays_due_for_the_next_batch() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "schedule(int,int)", 0, ON_RETRY))
    for expected in (1, 2, 3):
        node.run()
        assert node.cell(0) == expected


def test_a_failing_hook_is_recorded_retried_a_bounded_number_of_times_and_harms_nobody() -> None:
    node = Node(planned(0, dispatch), planned(1, dispatch))
    node.one(call_of(0, "schedule(int,int)", 0, ON_FAIL), call_of(1, "schedule(int,int)", 0, ON_RETRY))
    failures = []
    for batch in range(1, 2400):
        found = [record for record in node.run().events if record.program == 0]
        failures += [(batch, record) for record in found]
    batches = [batch for batch, _ in failures]
    assert batches == [1, 2, 4, 8, 16, 32, 64, 128, 256, *(256 * step for step in range(2, 9))], "farther and farther"
    assert node.cell(0) == 0 and node.cell(1) == 2399
    assert failures[0][1].data[16:24] == (0x0FA1).to_bytes(8, "little")


def test_the_kernel_remembers_how_often_why_and_when_a_hook_failed() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "schedule(int,int)", 0, ON_FAIL))
    for _ in range(4):
        node.run()
    memory = node.machine.memory(KERNEL_ADDRESS)
    (entry,) = struct.unpack_from("<Q", memory, places.FAILURES + FIRST)
    program, _, count, why, height, time_ms = struct.unpack_from("<6q", memory, entry + KEY)
    assert (program, count, why, height, time_ms) == (1, 3, 0x0FA1, node.height, 1000 * node.height)


def test_what_does_not_fit_is_first_in_the_next_batch() -> None:
    """Gas for two hooks a batch: five are done in three batches, in order."""
    node = Node(*(planned(n, dispatch) for n in range(5)), of=spec(gas_hook_max=100_000, gas_hooks_batch_max=110_000))
    node.one(*(call_of(n, "schedule(int,int)", 7, ON_TIME) for n in range(5)))
    done = []
    for _ in range(8):
        node.run()
        done.append([n for n in range(5) if node.cell(n)])
    assert done[0] and len(done[0]) < 5 and done[-1] == [0, 1, 2, 3, 4]
    assert all(cells == list(range(len(cells))) for cells in done)


def test_a_storm_of_one_program_delays_a_hook_of_another_by_one_of_each() -> None:
    """Gas for two or three hooks a batch: whoever becomes due behind hundreds runs within as many hooks as programs."""
    node = Node(*(planned(n, dispatch) for n in range(4)), of=spec(gas_hook_max=100_000, gas_hooks_batch_max=110_000))
    node.one(*(call_of(0, "schedule(int,int)", time, ON_TIME) for time in range(1, 201)))
    node.run()
    node.one(*(call_of(n, "schedule(int,int)", 300, ON_TIME) for n in (1, 2, 3)))
    waited = 0
    while not all(node.cell(n) == 300 for n in (1, 2, 3)):
        node.run()
        waited += 1
    assert waited <= 3 and 0 < node.cell(0) < 300, "the storm has its turns, too"
    for _ in range(200):
        node.run()
    assert node.cell(0) == sum(range(1, 201)), "and none of it is lost"


def test_due_hooks_survive_rollback_and_checkpoint() -> None:
    node = venue()
    node.one(call_of(1, "publish(int,int)", 5, 4242))
    node.seal()
    node.run()
    first = node.seal().state_root
    node.machine.rollback(1)
    node.height = 2
    node.run()
    assert node.seal().state_root == first
