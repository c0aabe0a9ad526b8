"""Containers against plain dicts and lists, the rule of iteration, and undo that restores order exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import Decimal, List, Map, OrderedMap, Rejected
from execution.lang.decimal import DECIMAL
from execution.lang.journal import Journal, opened
from execution.lang.kinds import INT

KEYS = st.integers(0, 12)
STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "del", "pop", "get", "clear"]), KEYS, st.integers(0, 99)), max_size=60
)
FEW = settings(max_examples=150, derandomize=True, deadline=None)

Model = dict[int, int]


def reason_of(action: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as caught:
        action()
    return caught.value.reason.text


def apply(step: tuple[str, int, int], storage: Map[int, int], model: Model) -> None:
    operation, key, value = step
    if operation == "set":
        storage[key] = value
        model[key] = value
    elif operation == "clear" and value > 80:
        storage.clear()
        model.clear()
    elif operation == "get" or key not in model:
        assert storage.get(key) == model.get(key)
        assert storage.get(key, -1) == model.get(key, -1)
        assert (key in storage) == (key in model)
        if key not in model:
            assert reason_of(lambda: storage[key]) == "missing key"
            assert reason_of(lambda: storage.pop(key)) == "missing key"
            assert reason_of(lambda: storage.__delitem__(key)) == "missing key"
    elif operation == "pop":
        assert storage.pop(key) == model.pop(key)
    elif operation == "del":
        del storage[key]
        del model[key]


def same_as(storage: Map[int, int], model: Model) -> None:
    ordered = isinstance(storage, OrderedMap)
    items = sorted(model.items()) if ordered else list(model.items())
    keys = [key for key, _ in items]
    assert list(storage.items()) == items
    assert list(storage) == keys
    assert len(storage) == len(items)
    assert storage.first() == (keys[0] if keys else None)
    assert storage.last() == (keys[-1] if keys else None)
    for here, following in zip(keys, [*keys[1:], None], strict=False):
        assert storage.after(here) == following
    for here, preceding in zip(keys, [None, *keys[:-1]], strict=False):
        assert storage.before(here) == preceding


@FEW
@given(STEPS, st.booleans())
def test_a_map_is_a_dict_in_its_order(steps: list[tuple[str, int, int]], ordered: bool) -> None:
    storage: Map[int, int] = (OrderedMap if ordered else Map)(INT, INT)
    model: Model = {}
    for step in steps:
        apply(step, storage, model)
        same_as(storage, model)


@FEW
@given(st.sets(KEYS), KEYS)
def test_an_ordered_map_finds_the_neighbours_of_any_key(keys: set[int], probe: int) -> None:
    storage: OrderedMap[int, int] = OrderedMap(INT, INT)
    for key in keys:
        storage[key] = key
    assert storage.ceiling(probe) == min((key for key in keys if key >= probe), default=None)
    assert storage.floor(probe) == max((key for key in keys if key <= probe), default=None)
    assert storage.after(probe) == min((key for key in keys if key > probe), default=None)
    assert storage.before(probe) == max((key for key in keys if key < probe), default=None)
    assert list(storage.descending()) == sorted(keys, reverse=True)


@FEW
@given(STEPS, STEPS, st.booleans())
def test_undo_restores_order_exactly(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]], ordered: bool
) -> None:
    storage: Map[int, int] = (OrderedMap if ordered else Map)(INT, INT)
    model: Model = {}
    journal = Journal()
    with opened(journal):
        for step in before:
            apply(step, storage, model)
        mark, kept = journal.mark(), dict(model)
        for step in after:
            apply(step, storage, model)
    journal.undo(mark)
    same_as(storage, kept)


def test_a_map_needs_the_key_whose_neighbour_is_asked() -> None:
    storage: Map[int, int] = Map(INT, INT)
    assert reason_of(lambda: storage.after(1)) == "missing key"
    assert reason_of(lambda: storage.before(1)) == "missing key"


def test_a_decimal_key_given_as_an_int_is_the_same_key() -> None:
    storage: OrderedMap[Any, Any] = OrderedMap(DECIMAL, DECIMAL)
    storage[5] = 7
    storage[Decimal(5)] += 1
    assert list(storage.items()) == [(Decimal(5), Decimal(8))]
    assert storage.get(5) == 8


def loop_and(storage: Map[int, int], action: Callable[[int], object]) -> None:
    for key in storage:
        action(key)


@pytest.mark.parametrize("ordered", [False, True])
def test_adding_or_removing_while_iterating_is_refused_at_once(ordered: bool) -> None:
    storage: Map[int, int] = (OrderedMap if ordered else Map)(INT, INT)
    storage[1] = storage[2] = 0
    for action in (
        lambda key: storage.__setitem__(key + 9, 0),
        lambda key: storage.__delitem__(key),
        lambda key: storage.pop(key),
        lambda key: storage.clear(),
    ):
        assert reason_of(lambda: loop_and(storage, action)) == "changed while iterating"  # noqa: B023
        assert storage.iterating == 0
    assert reason_of(lambda: loop_and(storage, lambda _: storage.__delitem__(99))) == "missing key"
    loop_and(storage, lambda key: storage.__setitem__(key, 5))
    assert list(storage.items()) == [(1, 5), (2, 5)]


def test_leaving_a_loop_ends_the_iteration() -> None:
    storage: Map[int, int] = Map(INT, INT)
    storage[1] = storage[2] = 0

    def first() -> int:
        for key in storage:
            return key
        return 0

    for _ in storage:
        break
    assert first() == 1
    storage[3] = 0
    assert len(storage) == 3


@FEW
@given(st.lists(st.tuples(st.sampled_from(["append", "pop", "set"]), KEYS), max_size=40))
def test_a_list_is_a_list_without_negative_indices(steps: list[tuple[str, int]]) -> None:
    storage: List[int] = List(INT)
    model: list[int] = []
    journal = Journal()
    for operation, value in steps:
        with opened(journal):
            if operation == "append":
                storage.append(value)
                model.append(value)
            elif operation == "pop" and model:
                assert storage.pop() == model.pop()
            elif operation == "pop":
                assert reason_of(storage.pop) == "empty"
            elif value < len(model):
                storage[value] = model[value] = value * 2
            else:
                assert reason_of(lambda: storage[value]) == "index out of range"  # noqa: B023
    assert list(storage) == model
    assert reason_of(lambda: storage[-1]) == "index out of range"
    journal.undo(0)
    assert len(storage) == 0


def test_a_list_does_not_change_while_iterated() -> None:
    storage: List[int] = List(INT)
    storage.append(1)

    def loop(action: Callable[[], object]) -> None:
        for _ in storage:
            action()

    for action in (lambda: storage.append(2), storage.pop, storage.clear):
        assert reason_of(lambda: loop(action)) == "changed while iterating"  # noqa: B023
    loop(lambda: storage.__setitem__(0, 4))
    assert list(storage) == [4]
