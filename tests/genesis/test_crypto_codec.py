"""Hashes, addresses and the canonical codec."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis import codec, crypto
from genesis.devkeys import COUNT, development_address, development_key
from genesis.errors import Invalid

EIP_55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


def test_keccak_is_ethereums_and_not_sha3() -> None:
    assert crypto.keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_the_address_of_a_known_key() -> None:
    """The key of EIP-155's example."""
    assert crypto.address_of(b"\x46" * 32).hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


@pytest.mark.parametrize("text", EIP_55)
def test_checksum_addresses(text: str) -> None:
    assert crypto.checksum_address(crypto.parse_address(text.lower())) == text
    assert crypto.parse_address(text) == crypto.parse_address("0x" + text[2:].upper())
    with pytest.raises(Invalid, match="checksum"):
        crypto.parse_address(text.swapcase().replace("X", "x"))


@pytest.mark.parametrize("text", ["", "0x", EIP_55[0][2:], EIP_55[0] + "0", "0x" + "g" * 40, "0x" + "\u0660" * 40])
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        crypto.parse_address(text)
    assert caught.value.code == "bad_address"


@pytest.mark.parametrize("key", [bytes(32), bytes(31), crypto.ORDER.to_bytes(32, "big")])
def test_what_is_no_private_key(key: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        crypto.sign(bytes(32), key)
    assert caught.value.code == "bad_key"


def test_development_keys_are_constants() -> None:
    assert development_key(0).hex() == "550b3010f4b9bf2cb1962acb0f86cbaa69a27f2f7cb65cb1a87c116d340381c8"
    assert crypto.checksum_address(development_address(0)) == "0x2f66Fc7eF2a7B41345D72372d0C9FFA72dDa81F2"
    assert len({development_address(index) for index in range(COUNT)}) == COUNT


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=40)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=20).map(tuple), max_leaves=30)


def depth(value: object) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, tuple) else 0


@settings(max_examples=200, derandomize=True, deadline=None)
@given(values)
def test_decode_is_the_inverse_of_encode(value: codec.Value) -> None:
    data = codec.encode(value)
    assert codec.decode(data, len(data), depth(value)) == value
    with pytest.raises(Invalid):
        codec.decode(data, len(data) - 1)
    if depth(value):
        with pytest.raises(Invalid) as caught:
            codec.decode(data, len(data), depth(value) - 1)
        assert caught.value.code == "too_deep"


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    try:
        value = codec.decode(data, 60)
    except Invalid:
        return
    assert codec.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [msgpack.packb(1.5), msgpack.packb({}), msgpack.packb({1: 2}), b"\xd6\xff\x00\x00\x00\x00", b"\xd4\x01\x00",
     b"\xc1", b"", b"\x92\x01", b"\x01\x01", b"\xdd\xff\xff\xff\xff", b"\xa1\xff", b"\xc6\xff\xff\xff\xff"],
)  # fmt: skip
def test_other_things_are_malformed(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        codec.decode(data, 100)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    "data", [b"\xcc\x01", b"\xd0\x01", b"\xd9\x01a", b"\xc5\x00\x01a", b"\xdc\x00\x01\x01", b"\xcd\x00\xff"]
)
def test_longer_forms_are_not_canonical(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        codec.decode(data, 100)
    assert caught.value.code == "non_canonical"


def test_amounts_are_sixteen_bytes() -> None:
    assert codec.decode_amount(codec.encode_amount(codec.AMOUNT_MAX), "it") == codec.AMOUNT_MAX
    for amount in (-1, codec.AMOUNT_MAX + 1):
        with pytest.raises(Invalid):
            codec.encode_amount(amount)
    with pytest.raises(Invalid):
        codec.decode_amount(b"\xff" * 16, "it")
