"""Calls between programs: caps, the stack, depth, failure, traps, handlers at the end."""

from __future__ import annotations

from execution.vm.kernel.words import OUT_OF_GAS, reason
from tests.vm_kernel.climb import climb
from tests.vm_kernel.tiny import FAIL, GET, RELAY, SET, SPIN, TRAP, Node, call_of, dispatch, planned, spec, target, word


def pair() -> Node:
    return Node(planned(0, dispatch), planned(1, dispatch))


def test_a_hostile_callee_cannot_eat_more_than_its_cap() -> None:
    node = pair()
    outcome = node.one(call_of(0, "tolerate(account,int,int)", *target(1), SPIN, 0))
    assert outcome.status == "done" and word(outcome.results[0]) == OUT_OF_GAS
    assert 200_000 < outcome.gas_used < 260_000
    assert node.cell(1) == 0


def test_a_refusal_is_caught_and_undone() -> None:
    node = pair()
    outcome = node.one(call_of(0, "tolerate(account,int,int)", *target(1), FAIL, 1234))
    assert word(outcome.results[0]) == 1234 and node.cell(1) == 0


def test_a_cap_above_what_is_left_is_the_callers_own_end() -> None:
    node = pair()
    outcome = node.one(call_of(0, "tolerate(account,int,int)", *target(1), GET, 0), gas=150_000)
    assert (outcome.status, outcome.reason, outcome.gas_used) == ("failed", "out of gas", 150_000)


def test_a_program_on_the_stack_cannot_be_called_again() -> None:
    """Views included, and directly or by way of another."""
    node = pair()
    assert node.one(call_of(0, "relay(account,int,int)", *target(0), GET, 0)).reason == "on the stack"
    assert node.one(call_of(0, "relay(account,int,int)", *target(0), GET, 0)).status == "failed"
    assert node.one(call_of(0, "relay(account,int,int)", *target(1), SET, 3)).status == "done"
    assert node.one(call_of(0, "set(int)", 4)).status == "done", "the stack is empty again"


def test_an_unknown_program_and_bad_arguments_are_refused_with_their_reason() -> None:
    node = pair()
    assert node.one(call_of(9, "get()")).reason == "unknown program"
    assert node.one(call_of(0, "set(int)", 1, 2)).reason == "bad argument"
    assert node.one(call_of(0, "set(int)")).reason == "bad argument"


def test_the_deepest_path_ends_at_the_bound_and_not_in_the_native_stack() -> None:
    node = Node(*(planned(number, climb) for number in range(6)), of=spec(call_depth_max=4))
    assert node.one(call_of(2, "set(int)", 0)).status == "done"
    assert node.one(call_of(1, "set(int)", 0)).reason == "call depth"


def test_a_trap_undoes_its_call_and_the_batch_goes_on() -> None:
    node = pair()
    first = node.signed(call_of(0, "set(int)", 5), call_of(0, "trap()"), call_of(0, "set(int)", 6))
    second = node.signed(
        call_of(1, "set(int)", 1), call_of(0, "relay(account,int,int)", *target(1), TRAP, 0), atomic=True
    )
    third = node.signed(call_of(1, "get()"))
    outcomes = node.run(first, second, third).outcomes
    assert outcomes[0].call_reasons == ("", "trap", "trap") and outcomes[0].gas_used == 1_000_000
    assert outcomes[1].status == "failed" and outcomes[1].call_reasons == ("atomic", "trap")
    assert outcomes[2].status == "done" and word(outcomes[2].results[0]) == 0
    assert node.cell(0) == 5


def test_a_trap_under_a_savepoint_of_a_program_is_not_caught_by_it() -> None:
    node = pair()
    outcome = node.one(call_of(0, "tolerate(account,int,int)", *target(1), TRAP, 0))
    assert outcome.reason == "trap" and node.cell(1) == 0
    assert node.one(call_of(0, "relay(account,int,int)", *target(1), SET, 3)).status == "done"


def test_handlers_run_once_per_account_after_each_outermost_call() -> None:
    node = pair()
    twice = [call_of(0, "queue(account)", 1, 2, 3)] * 2
    assert node.one(*twice).status == "done" and node.cell(0) == 2000
    assert node.one(*twice, atomic=True).status == "done" and node.cell(0) == 3000
    result = node.run(node.signed(*twice, call_of(0, "queue(account)", 4, 5, 6), atomic=True))
    assert node.cell(0) == 5000
    assert [record.data[0] for record in result.events] == [1, 4]


def test_a_handler_undone_with_its_savepoint_does_not_run() -> None:
    """What a failing call queued is forgotten with it."""
    node = pair()
    failing = call_of(0, "tolerate(account,int,int)", *target(1), RELAY, 0)
    assert node.one(failing).status == "done"
    assert node.cell(1) == 0


def test_reasons_nobody_knows_are_shown_as_words() -> None:
    node = pair()
    assert node.one(call_of(0, "fail(int)", 0x63)).reason == "0x0000000000000063"
    assert node.one(call_of(0, "fail(int)", reason("overflow"))).reason == "overflow"
