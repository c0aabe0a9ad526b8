"""Transactions: the published vectors, one encoding only, and every way a sender can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest
from coincurve import PrivateKey, verify_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis import codec, crypto, transaction
from genesis.chain import (
    Call,
    DeployTransaction,
    OrderClass,
    Transaction,
    UpgradeTransaction,
    decode,
    order_class,
    program_address,
    sign,
)
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid

VECTORS = json.loads((Path(transaction.__file__).parent / "vectors" / "transaction.json").read_text())
KEY = development_key(6)
CALL = Call(bytes(20), b"abcd", bytes(16))
PLAIN = Transaction(7357, development_address(6), 0, 0, 10**12, 100_000, 10**9, True, (CALL,))


def code_of(raw: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        decode(raw)
    return caught.value.code


def unhex(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, list):
        return tuple(unhex(item) for item in value)
    return {name: unhex(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_published_vector(vector: dict[str, Any]) -> None:
    fields, key = unhex(vector["fields"]), unhex(vector["private_key"])
    if vector["kind"] == transaction.KIND_CALLS:
        built: Any = Transaction(**fields | {"calls": tuple(Call(**call) for call in fields["calls"])})
    else:
        built = DeployTransaction(**fields)
    signed = sign(built, key)
    assert transaction.unsigned_bytes(built) == unhex(vector["unsigned"])
    assert (signed.id, signed.signature, signed.raw) == tuple(
        unhex(vector[name]) for name in ("hash", "signature", "raw")
    )
    assert crypto.checksum_address(signed.signer) == vector["signer"]
    assert decode(signed.raw) == signed
    if "program" in vector:
        address = program_address(signed.signer, built.lane, built.sequence)
        assert crypto.checksum_address(address) == vector["program"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_published_vector_as_another_client_would_compute_it(vector: dict[str, Any]) -> None:
    """Only a plain msgpack library, keccak and secp256k1: nothing of ours."""
    from Crypto.Hash import keccak

    fields = unhex(vector["fields"])
    if "calls" in fields:
        calls = [[call["program"], call["selector"], call["arguments"], call["gas"]] for call in fields["calls"]]
        members = [*list(fields.values())[:7], fields["atomic"], calls]
    else:
        members = list(fields.values())
    unsigned = bytes([vector["kind"]]) + msgpack.packb(members)
    digest = keccak.new(digest_bits=256, data=unhex(VECTORS["tag"]) + unsigned).digest()
    signature = PrivateKey(unhex(vector["private_key"])).sign_recoverable(digest, hasher=None)
    assert digest == unhex(vector["hash"])
    assert signature == unhex(vector["signature"])
    assert bytes([vector["kind"]]) + msgpack.packb([*members, signature]) == unhex(vector["raw"])


def test_the_signature_is_the_curves() -> None:
    signed = sign(PLAIN, KEY)
    der = PrivateKey(KEY).sign(signed.id, hasher=None)
    assert verify_signature(der, signed.id, PrivateKey(KEY).public_key.format(), hasher=None)


addresses = st.binary(min_size=20, max_size=20)
uint = partial(st.integers, 0)
calls = st.builds(
    Call, addresses, st.binary(min_size=4, max_size=4), st.binary(max_size=4096), uint(2**transaction.GAS_BITS - 1)
)
transactions = st.builds(
    Transaction, uint(2**63 - 1), addresses, uint(3 * 2**30 - 1), uint(2**63 - 1), uint(2**63 - 1), uint(2**32 - 1),
    uint(2**63 - 1), st.booleans(), st.lists(calls, min_size=1, max_size=5).map(tuple),
)  # fmt: skip


@settings(max_examples=60, derandomize=True, deadline=None)
@given(transactions)
def test_decode_is_the_inverse_of_sign(plain: Transaction) -> None:
    signed = sign(plain, KEY)
    assert decode(signed.raw) == signed
    assert transaction.decode_trusted(signed.raw, signed.signer) == signed


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.data())
def test_no_byte_can_be_changed_unnoticed(data: st.DataObject) -> None:
    """A changed transaction either fails to decode or has another id and another signer."""
    signed = sign(PLAIN, KEY)
    position = data.draw(st.integers(0, len(signed.raw) - 1))
    raw = bytearray(signed.raw)
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(raw))
    except Invalid:
        return
    assert other.signer != signed.signer
    assert other.id != signed.id or other.signature != signed.signature


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_invalid_and_nothing_else(noise: bytes) -> None:
    for raw in (noise, b"\x20" + noise, b"\x21\x9c" + noise):
        with pytest.raises(Invalid):
            decode(raw)


def test_only_one_encoding_is_accepted() -> None:
    signed = sign(PLAIN, KEY)
    head = bytes([0x20, 0x9A])
    assert signed.raw.startswith(head + b"\xcd\x1c\xbd")
    longer = head + b"\xce\x00\x00\x1c\xbd" + signed.raw[5:]
    assert code_of(longer) == "non_canonical"
    assert code_of(b"\x20\xdc\x00\x0a" + signed.raw[2:]) == "non_canonical"
    assert code_of(signed.raw + b"\x00") == "malformed"


def test_the_high_half_of_s_is_refused() -> None:
    signed = sign(PLAIN, KEY)
    s = crypto.ORDER - int.from_bytes(signed.signature[32:64], "big")
    flipped = signed.signature[:32] + s.to_bytes(32, "big") + bytes([signed.signature[64] ^ 1])
    assert code_of(signed.raw[:-65] + flipped) == "bad_signature"


@pytest.mark.parametrize("signature", [bytes(65), b"\xff" * 32 + b"\x01" * 32 + b"\x00", b"\x01" * 64 + b"\x02"])
def test_signatures_that_recover_nothing_are_refused(signature: bytes) -> None:
    assert code_of(sign(PLAIN, KEY).raw[:-65] + signature) == "bad_signature"


def raw_of(members: list[Any], kind: int = 0x20) -> bytes:
    return bytes([kind]) + codec.encode(tuple(members))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, -1),
        (0, 2**63),
        (0, True),
        (1, bytes(19)),
        (2, 2**32),
        (4, None),
        (5, 2**32),
        (7, 1),
        (8, ()),
        (8, b""),
        (9, bytes(64)),
    ],
)
def test_a_member_of_the_wrong_form_is_malformed(position: int, value: object) -> None:
    members = [*PLAIN.fields(), bytes(65)]
    members[position] = value
    assert code_of(raw_of(members)) == "malformed"


def test_bounds_of_the_format() -> None:
    members = [*PLAIN.fields(), bytes(65)]
    assert code_of(b"") == code_of(b"\x02" + bytes(9)) == code_of(raw_of(members, 0x23)) == "unknown_kind"
    assert code_of(raw_of(members[:-1])) == "malformed"
    assert code_of(b"\x20" + bytes(transaction.RAW_BYTES_MAX)) == "too_large"
    assert code_of(b"\x20" + b"\x91" * 100_000) == "too_deep"
    assert code_of(raw_of([*members[:8], (((((), 0), 0), 0),), bytes(65)])) == "too_deep"
    with pytest.raises(Invalid, match="256 calls"):
        replace(PLAIN, calls=(CALL,) * 257)
    with pytest.raises(Invalid, match="4096 bytes"):
        replace(CALL, arguments=bytes(4097))
    with pytest.raises(Invalid, match="at most 131072"):
        sign(replace(PLAIN, calls=(replace(CALL, arguments=bytes(4096)),) * 40), KEY)


def test_files_of_a_deployment_are_ordered_and_unique() -> None:
    deploy = DeployTransaction(1, bytes(20), 0, 0, 0, 0, 0, "x", (("a.py", ""), ("b.py", "")), b"")
    assert decode(sign(deploy, KEY).raw).transaction == deploy
    for files in ((("b.py", ""), ("a.py", "")), (("a.py", ""), ("a.py", "")), (("a.py", "é"),), ()):
        with pytest.raises(Invalid):
            replace(deploy, files=files)


def test_an_upgrade_is_a_kind_of_its_own() -> None:
    made = UpgradeTransaction(1, bytes(20), 0, 3, 5, 6, 7, b"p" * 20, "x", (("a.py", "text"),), b"12345678")
    signed = sign(made, KEY)
    assert signed.raw[0] == 0x22 and decode(signed.raw) == signed
    assert transaction.decode_trusted(signed.raw, signed.signer) == signed
    for wrong in ({"program": b"p"}, {"files": ()}, {"arguments": bytes(4097)}):
        with pytest.raises(Invalid):
            replace(made, **wrong)


def test_the_class_stands_in_the_top_bits_of_the_lane() -> None:
    assert [order_class(bits << 30 | 5) for bits in range(3)] == [
        OrderClass.TRADE,
        OrderClass.POST_ONLY,
        OrderClass.CANCEL,
    ]
    assert OrderClass.CANCEL.rank < OrderClass.POST_ONLY.rank < OrderClass.TRADE.rank
    with pytest.raises(Invalid) as caught:
        replace(PLAIN, lane=3 << 30)
    assert caught.value.code == "bad_lane"


def test_two_agents_of_one_account_deploy_to_different_addresses() -> None:
    assert program_address(development_address(1), 0, 0) != program_address(development_address(2), 0, 0)
    assert program_address(development_address(1), 0, 0) != program_address(development_address(1), 1, 0)
