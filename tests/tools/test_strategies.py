"""hypothesis strategies: every type of the language, values that engines take and give back as they were."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import (
    Account,
    Array,
    Asset,
    BoundedList,
    Bytes32,
    Decimal,
    Duration,
    Feed,
    List,
    Map,
    Reason,
    Symbol,
    Timestamp,
)
from execution.lang.kinds import INT_MAX, INT_MIN, kind_of
from node.testing import strategies
from node.testing.bundles import load_path
from node.testing.chain import Chain
from node.testing.cpython import CPython
from node.testing.wasm import Wasm
from node.testing.world import Accounts
from tests.tools.test_profile import COUNTER

TYPES = [
    int,
    bool,
    Decimal,
    Account,
    Asset,
    Feed,
    Symbol,
    Bytes32,
    Timestamp,
    Duration,
    Reason,
    Optional[Decimal],  # noqa: UP045 - as programs write it
    Account | None,
    Array[Decimal, 3],
    BoundedList[int, 4],
    tuple[int, bool | None],
]
LOADED = load_path(COUNTER)
STEP = vars(LOADED.bundle.load("counter"))["Step"]
MOOD = vars(LOADED.bundle.load("counter"))["Mood"]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_every_types_values_come_back_from_plain_data(data):
    annotation = data.draw(st.sampled_from([*TYPES, STEP, MOOD]))
    kind = kind_of(annotation)
    value = data.draw(strategies.values(annotation))
    plain = kind.plain(kind.coerce(value))
    assert kind.plain(kind.load(plain)) == plain


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    size=strategies.decimals(min_value="0.1", max_value=5, places=2),
    count=strategies.integers(-3, 3),
    step=strategies.structs(STEP, size=st.just(7)),
)
def test_bounds_and_given_members_hold(size, count, step):
    assert Decimal("0.1") <= size <= Decimal(5) and size.raw % 10**16 == 0
    assert -3 <= count <= 3
    assert step.size == 7


def test_edges_are_drawn():
    seen = set()

    @settings(max_examples=100, derandomize=True, deadline=None)
    @given(strategies.integers())
    def draw(value):
        seen.add(value)

    draw()
    assert {INT_MIN, INT_MAX, 0} <= seen


def test_storage_is_not_drawn():
    with pytest.raises(TypeError, match="storage"):
        strategies.values(Map[int, int])
    with pytest.raises(TypeError, match="storage"):
        strategies.values(List[int])
    with pytest.raises(ValueError, match="no Decimal with 2 places"):
        strategies.decimals(min_value="0.001", max_value="0.002", places=2)


def test_both_engines_answer_drawn_arguments_alike():
    """Any arguments of an entry: the same result or reason, the same events and state."""
    chains = [Chain(engine) for engine in (CPython(), Wasm())]
    counters = [chain.create(LOADED, (1_000,), Accounts().alice) for chain in chains]

    def outcome(chain, counter, name, arguments, sender):
        from execution.lang import Rejected

        try:
            return chain.call(counter, name, *arguments, sender=sender)
        except Rejected as refusal:
            return str(refusal)

    @settings(max_examples=150, derandomize=True, deadline=None)
    @given(
        call=st.sampled_from(["add", "halve"]).flatmap(
            lambda name: st.tuples(st.just(name), strategies.arguments(LOADED.cls, name))
        ),
        sender=strategies.accounts(),
    )
    def agree(call, sender):
        ones = [outcome(chain, counter, *call, sender) for chain, counter in zip(chains, counters, strict=True)]
        assert ones[0] == ones[1]

    agree()
    assert counters[0].state == counters[1].state
    assert counters[0].events == counters[1].events
