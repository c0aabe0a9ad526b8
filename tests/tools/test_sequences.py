"""Sequences between programs, on CPython's chain and on the engine's: the same results, events and state."""

from __future__ import annotations

import pytest

from execution.lang import Bytes32, Decimal, sha256


@pytest.fixture
def scale(chain, accounts):
    return chain.deploy("scale.py", sender=accounts.alice)


def test_what_is_weighed_is_digested_and_told(chain, accounts, scale):
    array = scale.module.Array(Decimal(1), Decimal(2), Decimal("0.5"))
    names = scale.module.BoundedList(accounts.bob)
    digest = scale.weigh(array, names, sender=accounts.bob)
    assert isinstance(digest, Bytes32)
    assert list(scale.largest(Decimal(1))) == [Decimal(1), Decimal(2)]
    assert scale.state["waiting"] == [1]
    (event,) = scale.events
    assert event.digest == digest
    assert list(event.weights) == list(array)
    assert list(event.names) == [accounts.bob]
    assert digest == sha256(event.weights, event.names)


def test_locals_keep_their_values_when_a_try_is_undone(chain, accounts, scale):
    basket = chain.deploy("basket.py", scale, sender=accounts.alice)
    array = scale.module.Array(Decimal(-3), Decimal(0), Decimal(7))
    total = basket.relay(array, scale.module.BoundedList(accounts.bob), sender=accounts.bob)
    assert total == Decimal(1 + 3 + 7 + 4 + 3)
    assert list(basket.state["weights"]) == [Decimal(0), Decimal(1), Decimal(0)]
    assert list(scale.state["weights"]) == [Decimal(1), Decimal(3), Decimal(7)]
