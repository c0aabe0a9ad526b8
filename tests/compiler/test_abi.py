"""The ABI: selectors, canonical JSON, values in and out."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.compiler import compile_bundle, compile_ir
from execution.compiler import types as t
from execution.compiler.abi import parse_abi
from execution.compiler.abi_values import (
    friendly,
    image,
    pack,
    pack_plain,
    read,
    to_plain,
    unpack_arguments,
    unpack_event,
    unpack_plain,
    unpack_result,
)
from execution.lang import Account, Decimal
from genesis.errors import Invalid
from tests.compiler.refused import VENUE
from tests.compiler.samples import COUNTER, SAMPLES

ABIS = {name: compile_ir({f"{name}.py": text, "venue.py": VENUE}, f"{name}.py")[1] for name, text in SAMPLES.items()}
ONE = 10**18


def plain(of: t.Type) -> st.SearchStrategy[Any]:
    """Plain values of a flat type."""
    match of:
        case t.Scalar("bool"):
            return st.integers(0, 1)
        case t.Scalar("decimal"):
            return st.integers(-(2**127), 2**127 - 1)
        case t.Scalar("account") | t.ProgramType():
            return st.binary(min_size=20, max_size=20)
        case t.Scalar("symbol"):
            return st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=16)
        case t.EnumType(_, members):
            return st.integers(0, len(members) - 1)
        case t.OptionalType(item):
            return st.none() | plain(item)
        case t.StructType(_, fields):
            return st.tuples(*(plain(kind) for _, kind in fields))
        case _:
            return st.integers(-(2**63), 2**63 - 1)


PAIR = t.StructType("Pair", (("owner", t.ACCOUNT), ("name", t.SYMBOL), ("maybe", t.OptionalType(t.DECIMAL))))
TYPES = (t.BOOL, t.INT, t.DECIMAL, t.ACCOUNT, t.SYMBOL, t.QUOTE, t.OptionalType(t.ACCOUNT), PAIR, t.OptionalType(PAIR))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.sampled_from(TYPES), st.data())
def test_a_value_is_read_back_from_its_image(of: t.Type, data: st.DataObject) -> None:
    value = data.draw(plain(of))
    packed = image(of, value)
    assert len(packed) == 8 * t.words(of)
    assert read(of, packed) == value
    assert to_plain(of, friendly(of, value)) == value


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(TYPES), st.data())
def test_bytes_that_are_read_are_the_image_of_what_is_read(of: t.Type, data: st.DataObject) -> None:
    words = data.draw(
        st.lists(st.integers(0, 3) | st.integers(0, 2**64 - 1), min_size=t.words(of), max_size=t.words(of))
    )
    packed = b"".join(word.to_bytes(8, "little") for word in words)
    try:
        value = read(of, packed)
    except Invalid:
        return
    assert image(of, value) == packed


@pytest.mark.parametrize("name", SAMPLES)
def test_json_gives_the_same_abi_back(name: str) -> None:
    text = ABIS[name].text()
    assert parse_abi(text) == ABIS[name]
    assert parse_abi(text).text() == text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"types":{}}', '{"a":' * 50_000, ABIS["counter"].text().replace("int", "tin")]
)
def test_other_texts_are_no_abi(text: str) -> None:
    with pytest.raises(Invalid):
        parse_abi(text)


def test_a_selector_is_the_head_of_the_hash_of_the_signature() -> None:
    entry = ABIS["ledger"].entry("put")
    assert entry.signature == "put(symbol,decimal,int?)"
    assert entry.selector.to_bytes(4, "little") == hashlib.sha256(entry.signature.encode()).digest()[:4]
    assert ABIS["gym"].entry("gold").signature == "gold(symbol,account,(int,int)?)"


def test_client_values_of_every_kind_are_packed() -> None:
    entry = ABIS["ledger"].entry("put")
    packed = pack(entry, ["GOLD", "1.5", None])
    assert (
        packed
        == pack(entry, ["GOLD", Decimal("1.5"), None])
        == pack_plain([t.SYMBOL, t.DECIMAL, t.OptionalType(t.INT)], ["GOLD", 3 * ONE // 2, None])
    )
    assert unpack_arguments(entry, packed) == {"name": "GOLD", "amount": Decimal("1.5"), "note": None}
    assert to_plain(t.ACCOUNT, "0x" + "01" * 20) == to_plain(t.ACCOUNT, Account(b"\1" * 20)) == b"\1" * 20
    assert to_plain(t.DECIMAL, 2) == 2 * ONE
    assert to_plain(t.QUOTE_STATUS, "STALE") == 2
    span = t.StructType("Span", (("start", t.INT), ("stop", t.INT)))
    assert to_plain(span, {"stop": 2, "start": 1}) == to_plain(span, (1, 2)) == (1, 2)


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (t.INT, 2**63), (t.INT, 1.5), (t.INT, "1"), (t.BOOL, 2), (t.DECIMAL, 1.5), (t.DECIMAL, "1e3"),
        (t.ACCOUNT, b"1"),
        (t.ACCOUNT, "0xzz"), (t.SYMBOL, "x" * 17), (t.SYMBOL, "\n"),
        (t.QUOTE_STATUS, 4), (t.QUOTE_STATUS, "FRASH"), (PAIR, (1,)),
        (PAIR, {"owner": bytes(20)}), (t.INT, None),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_invalid_and_named(of: t.Type, value: Any) -> None:
    with pytest.raises(Invalid, match="amount: "):
        to_plain(of, value, "amount")


def test_results_and_events_become_client_values() -> None:
    abi = ABIS["ledger"]
    data = pack_plain([t.BOOL], [1]) + image(abi.fields[2][1].item, (ONE, 7))  # type: ignore[union-attr]
    assert unpack_result(abi.entry("put"), data) == {"amount": Decimal(1), "note": 7}
    assert unpack_event(ABIS["counter"], 0, image(t.INT, 5)) == ("Counted", {"total": 5})
    with pytest.raises(Invalid):
        unpack_plain([t.INT], bytes(7))


def test_compiling_twice_gives_the_same_bytes_and_hashes() -> None:
    first, second = (compile_bundle({"counter.py": COUNTER}, "counter.py") for _ in range(2))
    assert first == second
    other = compile_bundle({"counter.py": COUNTER.replace("10 ** 3", "10 ** 4")}, "counter.py")
    assert other.source_hash != first.source_hash
    assert other.ir_hash != first.ir_hash
    comment = compile_bundle({"counter.py": COUNTER + "# the end\n"}, "counter.py")
    assert (comment.ir_hash, comment.wasm) == (first.ir_hash, first.wasm)
