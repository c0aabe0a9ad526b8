"""A batch is bounded by what it uses: gas as it runs, events; what finds no room keeps its order and loses nothing."""

from __future__ import annotations

from genesis.chain import Call
from tests.vm_kernel.tiny import ON_TIME, Node, call_of, dispatch, planned, spec, target

CANCEL = 2 << 30


def event(program: int = 0) -> Call:
    """A call that emits one event, at the end of the outermost call."""
    return call_of(program, "queue(account)", *target(program))


def test_a_batch_is_bounded_by_the_gas_that_it_uses_not_by_limits() -> None:
    node = Node(planned(0, dispatch), of=spec(gas_batch_max=6_000_000))
    batch = [node.signed(call_of(0, "set(int)", n), gas=5_000_000) for n in range(20)]
    outcomes = node.run(*batch).outcomes
    assert [outcome.status for outcome in outcomes] == ["done"] * 20
    assert node.cell(0) == 19


def test_after_one_without_room_none_of_the_batch_runs_and_all_run_in_the_next() -> None:
    node = Node(planned(0, dispatch), of=spec(gas_batch_max=5_050_000))
    batch = [node.signed(call_of(0, "set(int)", n), gas=5_000_000, lane=lane) for n, lane in enumerate((0, 5, 0, 5))]
    small = node.signed(call_of(0, "set(int)", 9), gas=40_000, signer=b"o" * 20)
    late = node.signed(call_of(0, "get()"), gas=40_000, signer=b"o" * 20, expiry=0)
    outcomes = node.run(*batch, small, late).outcomes
    ran = [outcome.status for outcome in outcomes].count("done")
    assert 0 < ran < 4
    assert [outcome.reason for outcome in outcomes[ran:]] == ["block full"] * (6 - ran)
    assert all(outcome.gas_used == 0 and outcome.fee == 0 for outcome in outcomes[ran:])
    left = [*batch[ran:], small]
    while left:
        ran = [outcome.status for outcome in node.run(*left).outcomes].count("done")
        assert ran
        left = left[ran:]
    assert node.cell(0) == 9
    assert node.machine.sequences([(b"s" * 20, 0), (b"s" * 20, 5), (b"o" * 20, 0)]) == (1, 1, 0)


def test_cancels_find_room_before_trades() -> None:
    node = Node(planned(0, dispatch), of=spec(gas_batch_max=5_000_000))
    trades = [node.signed(call_of(0, "set(int)", n), gas=5_000_000) for n in range(2)]
    cancel = node.signed(call_of(0, "set(int)", 7), gas=60_000, lane=CANCEL)
    assert [outcome.reason for outcome in node.run(*trades, cancel).outcomes] == ["block full", "block full", ""]


def test_the_call_that_would_exceed_the_events_of_a_batch_is_rejected() -> None:
    node = Node(planned(0, dispatch), of=spec(events_transaction_max=3, events_batch_max=5))
    outcome = node.one(*(event() for _ in range(7)))
    assert outcome.call_reasons == ("",) * 5 + ("too many events",) * 2
    assert node.cell(0) == 5000, "what the two wrote is undone"


def test_a_batch_without_room_for_a_transactions_events_takes_no_more() -> None:
    node = Node(planned(0, dispatch), of=spec(events_transaction_max=3, events_batch_max=5))
    batch = [node.signed(event(), signer=bytes([n]) * 20) for n in range(1, 6)]
    result = node.run(*batch)
    assert [outcome.reason for outcome in result.outcomes] == [""] * 3 + ["block full"] * 2
    assert len(result.events) == 3
    assert [outcome.reason for outcome in node.run(*batch[3:]).outcomes] == ["", ""]


def test_hooks_wait_for_a_batch_with_room_for_their_events() -> None:
    node = Node(planned(0, dispatch), of=spec(events_transaction_max=3, events_batch_max=5))
    post_only = [node.signed(event(), lane=1 << 30, signer=bytes([n]) * 20) for n in range(1, 4)]
    node.one(call_of(0, "schedule(int,int)", 900, ON_TIME))
    node.run(*post_only)
    before = node.cell(0)
    node.run()
    assert (before, node.cell(0)) == (3000, 3900)
