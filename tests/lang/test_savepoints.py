"""Savepoints nested at random: what is undone is undone exactly, what is kept stays."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from execution.lang import Rejected
from execution.lang.containers import Map, OrderedMap
from execution.lang.journal import opened
from execution.lang.kinds import INT
from execution.lang.listing import List
from execution.lang.runner import Runner

WRITE = st.tuples(st.just("write"), st.integers(0, 6), st.integers(0, 9))
TREE: st.SearchStrategy[Any] = st.recursive(
    WRITE,
    lambda inner: st.tuples(st.sampled_from(["keep", "undo"]), st.lists(inner, max_size=6)),
    max_leaves=40,
)


class Store:
    """Three containers and their model, written alike; the model is copied at every savepoint."""

    def __init__(self) -> None:
        self.runner = Runner()
        self.maps: tuple[Map[int, int], ...] = (Map(INT, INT), OrderedMap(INT, INT))
        self.items: List[int] = List(INT)
        self.model: tuple[dict[int, int], list[int]] = ({}, [])

    def write(self, key: int, value: int) -> None:
        entries, items = self.model
        for storage in self.maps:
            if value < 4 and key in storage:
                del storage[key]
            else:
                storage[key] = value
        if value < 4 and key in entries:
            del entries[key]
        else:
            entries[key] = value
        if value < 3 and items:
            self.items.pop()
            items.pop()
        else:
            self.items.append(key)
            items.append(key)

    def run(self, tree: Any) -> None:
        if tree[0] == "write":
            self.write(tree[1], tree[2])
            return
        before = dict(self.model[0]), list(self.model[1])
        try:
            with self.runner.savepoint():
                for child in tree[1]:
                    self.run(child)
                if tree[0] == "undo":
                    raise Rejected("undone")
        except Rejected:
            self.model = before
        self.check()

    def check(self) -> None:
        entries, items = self.model
        assert list(self.maps[0].items()) == list(entries.items())
        assert list(self.maps[1].items()) == sorted(entries.items())
        assert list(self.items) == items


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(TREE, max_size=5))
def test_nested_savepoints_are_exact(trees: list[Any]) -> None:
    store = Store()
    with opened(store.runner.journal):
        for tree in trees:
            store.run(tree)
            store.check()
    store.runner.journal.undo(0)
    store.model = {}, []
    store.check()
