"""Receipts on their way out: the short way from encoded bytes says the same as the long one."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.receipt import Receipt
from node.gateway.wire import to_json
from node.views import parse_receipt, receipt_json, receipt_view

RECEIPTS = st.builds(
    Receipt,
    st.binary(min_size=32, max_size=32),
    st.integers(1, 2**53),
    st.integers(0, 2**32),
    st.sampled_from(("done", "failed")),
    st.text(max_size=20),
    st.integers(0, 2**32),
    st.integers(0, 2**127 - 1),
    st.lists(st.binary(max_size=40), max_size=3).map(tuple),
    st.lists(st.text(max_size=20), max_size=3).map(tuple),
    st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)),
    st.none() | st.binary(min_size=20, max_size=20),
)


@settings(max_examples=200, derandomize=True)
@given(RECEIPTS)
def test_both_ways_to_json_mean_the_same(receipt: Receipt) -> None:
    text = receipt_json(receipt.encode())
    assert json.loads(text) == json.loads(to_json(receipt_view(receipt)))
    assert parse_receipt(json.loads(text)) == receipt
