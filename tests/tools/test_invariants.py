"""Invariants: checked once when the outermost call ends, of every program it entered; the same on both engines."""

from __future__ import annotations

import pytest

from execution.lang import Decimal, Duration


@pytest.fixture
def scales(chain, accounts):
    return chain.deploy("scales.py", Decimal(0), Decimal(100), sender=accounts.alice)


@pytest.fixture
def hand(chain, accounts, scales):
    return chain.deploy("hand.py", scales, sender=accounts.alice)


def test_what_does_not_hold_rejects_the_call_by_name_and_undoes_it(chain, accounts, scales):
    scales.put(Decimal(3), Decimal(3), sender=accounts.alice)
    with chain.rejects("invariant balanced"):
        scales.put(Decimal(1), Decimal(0), sender=accounts.alice)
    assert (scales.state["left"], scales.state["right"]) == (Decimal(3), Decimal(3))


def test_the_first_in_the_text_is_named_bases_first(chain, accounts, scales):
    with chain.rejects("invariant light"):
        scales.put(Decimal(101), Decimal(101), sender=accounts.alice)
    with chain.rejects("invariant balanced"):
        scales.put(Decimal(101), Decimal(0), sender=accounts.alice)
    scales.bound(Decimal(50), sender=accounts.alice)
    with chain.rejects("invariant bounded"):
        scales.put(Decimal(60), Decimal(60), sender=accounts.alice)


def test_handlers_at_the_end_come_before(chain, accounts, scales):
    scales.add(accounts.bob, Decimal(7), sender=accounts.alice)
    assert scales.state["right"] == Decimal(7)


def test_it_may_be_broken_between_calls_of_one_outermost_call(chain, accounts, scales, hand):
    hand.swap(Decimal(9), sender=accounts.alice)
    assert scales.state["left"] == Decimal(9)
    with chain.rejects("invariant balanced"):
        hand.lean(Decimal(9), sender=accounts.alice)


def test_an_atomic_transaction_is_checked_after_its_last_call(chain, accounts, scales):
    left, right = Decimal(5), Decimal(0)
    chain.atomic((scales, "put", left, right), (scales, "put", right, left), sender=accounts.alice)
    assert scales.tilt() == 0
    with chain.rejects("atomic"):  # no call is at fault alone: the receipt has the reason
        chain.atomic((scales, "put", left, right), (scales, "put", left, left), sender=accounts.alice)


def test_a_tolerated_call_that_failed_is_not_checked(chain, accounts, scales, hand):
    hand.stumble(sender=accounts.alice)
    assert hand.state["refused"] == 1 and scales.tilt() == 0


def test_a_program_entered_again_after_such_a_failure_is_checked(chain, accounts, scales, hand):
    with chain.rejects("invariant balanced"):
        hand.stumble_and_lean(Decimal(9), sender=accounts.alice)


def test_hooks_and_create_are_checked(chain, accounts, clock, scales):
    scales.wake(Decimal(9), sender=accounts.alice)
    clock.advance(Duration.seconds(2))
    assert {failure.reason for failure in chain.hook_failures} == {"invariant balanced"}
    assert scales.tilt() == 0
    with chain.rejects("invariant balanced"):
        chain.deploy("scales.py", Decimal(2), Decimal(100), sender=accounts.alice)


def test_views_and_own_methods_read_what_does_not_hold(chain, accounts, scales):
    assert scales.bound(Decimal(0), sender=accounts.alice)
    with chain.rejects("invariant bounded"):
        scales.bound(Decimal(-1), sender=accounts.alice)
    assert scales.tilt() == 0
