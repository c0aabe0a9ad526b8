"""Answers that prove themselves: what is true verifies with chain id and validators alone, and nothing else does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis import codec
from genesis.chain import Commitment, Header, Receipt, VoteKind, certify, receipts_root, sign_vote
from genesis.crypto import ZERO_HASH, address_of
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.header import HEADER_VERSION
from genesis.merkle import PAGE_BYTES, PageTree, program_leaf, prove_item, prove_page
from genesis.verify import verify_receipt, verify_state

CHAIN = 7357
KEYS = tuple(map(development_key, range(4)))
STAKES = {address_of(key): 1 for key in KEYS}
PROGRAM, CODE = b"\x21" * 20, b"\x42" * 32
PAGES = {3: bytes(range(256)) * 4, 4: b"\x07" * PAGE_BYTES, 300: b"\x09" * PAGE_BYTES}
NUMBER = 2
RECEIPTS = tuple(
    Receipt(bytes((index,)) * 32, 5, index, "done", "", 21_000 + index, 10**20, (b"\x01" * 8,), ("",), (0, 2))
    for index in range(5)
)
Json = dict[str, Any]


def header_of(height: int, parent: bytes, state_root: bytes = ZERO_HASH, receipts: bytes = ZERO_HASH) -> Header:
    return Header(
        HEADER_VERSION, height, height * 250, 0, parent, height, development_address(0), 0, 7, b"\6" * 32, 1,
        b"\1" * 32, receipts, b"\2" * 32, b"\3" * 32, b"\4" * 32, state_root, 9,
    )  # fmt: skip


def hexed(value: Any) -> Any:
    """As JSON has it."""
    match value:
        case bytes():
            return "0x" + value.hex()
        case dict():
            return {name: hexed(member) for name, member in value.items()}
        case list() | tuple():
            return [hexed(member) for member in value]
        case _:
            return value


@lru_cache
def _signed(header: Header, keys: tuple[bytes, ...]) -> bytes:
    votes = [
        sign_vote(VoteKind.FINALISE, CHAIN, header.height, header.view, header.hash(), header.validators, key)
        for key in keys
    ]
    return certify(votes).encode()


def certified(header: Header, keys: tuple[bytes, ...] = KEYS[:3]) -> Json:
    return {
        "height": header.height,
        "header": codec.encode(header.fields()),
        "certificate": _signed(header, keys),
    }


def state_answer(keys: tuple[bytes, ...] = KEYS[:3]) -> Json:
    pages, programs = PageTree(), PageTree()
    pages.update(PAGES.items())
    programs.update_leaves({0: b"\x11" * 32, NUMBER: program_leaf(PROGRAM, CODE, pages.root)})
    shown = [
        {"page": page, "proof": prove_page(PAGES[page], page, pages, (PROGRAM, CODE), NUMBER, programs)}
        for page in (300, 3, 4)
    ]
    value = {"field": "x", "path": [], "address": 4 * PAGE_BYTES - 2, "data": b"\xfe\xff\x07"}
    header = header_of(5, ZERO_HASH, programs.root)
    return hexed(certified(header, keys) | {"program": PROGRAM, "number": NUMBER, "pages": shown, "value": value})


def receipt_answer() -> Json:
    encoded = [receipt.encode() for receipt in RECEIPTS]
    header = header_of(5, ZERO_HASH, receipts=receipts_root(encoded))
    above = [header_of(6, header.hash())]
    above.append(header_of(7, above[0].hash()))
    commitment = {
        "id": Commitment.identity(5, above[1].hash()),
        "first_height": 5,
        "last_height": 7,
        "block_hash": above[1].hash(),
        "headers": [codec.encode(one.fields()) for one in above],
    }
    proof = {"receipt": encoded[3], "position": 3, "siblings": prove_item(encoded, 3), "commitment": commitment}
    return hexed(certified(header) | proof)


def forgeries(value: Any) -> Iterator[Any]:
    """The same answer with one thing changed somewhere, everywhere once and more."""
    match value:
        case str() if value[:2] != "0x":
            yield from (value + "y", None)
        case str():
            yield from (value[:2] + other for other in _bent(value[2:]))
            yield from (value[:-2], value + "00", "0x", value[2:], None)
        case int():
            yield from (value + 1, value - 1, str(value), None)
        case list():
            for index, member in enumerate(value):
                yield from ([*value[:index], other, *value[index + 1 :]] for other in forgeries(member))
            yield from (value[:-1], value[1:], value + value[-1:], None)
        case dict():
            for name, member in value.items():
                yield from (value | {name: other} for other in forgeries(member))
                yield {key: other for key, other in value.items() if key != name}


def _bent(digits: str) -> Iterator[str]:
    """One bit changed, at a few places."""
    for at in {0, len(digits) // 3, len(digits) // 2, len(digits) - 1}:
        yield digits[:at] + f"{int(digits[at], 16) ^ 1:x}" + digits[at + 1 :]


@pytest.mark.parametrize(("make", "verify"), [(state_answer, verify_state), (receipt_answer, verify_receipt)])
def test_nothing_in_an_answer_can_be_changed(make: Callable[[], Json], verify: Callable[..., Any]) -> None:
    answer = make()
    value = answer.get("value")
    shorter = value and value | {"data": value["data"][:-2]}
    less = ({"value": None}, {"value": shorter}, {"pages": answer.get("pages", [])[1:]}, {"commitment": None})
    tried = 0
    for forged in forgeries(answer):
        if forged == answer or any(forged == answer | told for told in less):
            continue  # says less, and nothing wrong
        if value and forged.get("value") != value and _content(forged.get("value")) == _content(value):
            continue  # what a value is called is checked by whoever knows the layout
        tried += 1
        with pytest.raises(Invalid):
            verify(copy.deepcopy(forged), CHAIN, STAKES)
    assert tried > 100


def _content(value: Json | None) -> list[Any]:
    return [value.get(name) for name in ("address", "data")] if value else []


def test_what_is_true_verifies() -> None:
    proven = verify_state(state_answer(), CHAIN, STAKES)
    assert proven.pages == {page: PAGES[page] for page in PAGES}
    assert (proven.program, proven.code_hash, proven.header.height) == (PROGRAM, CODE, 5)
    assert proven.read(4 * PAGE_BYTES - 1, 2) == b"\xff\x07"
    receipt = verify_receipt(receipt_answer(), CHAIN, STAKES)
    assert (receipt.receipt.transaction, receipt.receipt.stage) == (RECEIPTS[3].transaction, "certified")
    assert receipt.commitment is not None
    assert verify_receipt(receipt_answer() | {"commitment": None}, CHAIN, STAKES).commitment is None


def test_a_page_that_is_not_shown_is_not_read_as_zeros() -> None:
    proven = verify_state(state_answer(), CHAIN, STAKES)
    with pytest.raises(Invalid, match="page 301"):
        proven.read(301 * PAGE_BYTES - 1, 2)


def test_a_proof_of_one_chain_is_none_of_another() -> None:
    with pytest.raises(Invalid):
        verify_state(state_answer(), CHAIN + 1, STAKES)


@pytest.mark.parametrize(
    ("stakes", "keys", "code"),
    [
        ({development_address(9): 1}, KEYS[:3], "unknown_validator"),
        (STAKES, KEYS[:2], "no_quorum"),
        (STAKES | {address_of(KEYS[3]): 4}, KEYS[:3], "no_quorum"),
    ],
)
def test_only_a_quorum_of_the_validators_given_proves(
    stakes: dict[bytes, int], keys: tuple[bytes, ...], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        verify_state(state_answer(keys), CHAIN, stakes)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "answer", [{}, [], None, {"header": {}}, {"header": "0xff", "certificate": "0x"}, {"header": 7}]
)
def test_what_is_no_answer_is_malformed(answer: Any) -> None:
    for verify in (verify_state, verify_receipt):
        with pytest.raises(Invalid) as caught:
            verify(answer, CHAIN, STAKES)
        assert caught.value.code == "malformed"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.binary(max_size=40).map(lambda b: "0x" + b.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_put_into_an_answer_is_refused_never_a_surprise(data: st.DataObject) -> None:
    make, verify = data.draw(st.sampled_from([(state_answer, verify_state), (receipt_answer, verify_receipt)]))
    answer = make()
    place: Any = answer
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    before, place[key] = place[key], data.draw(JSON)
    less = place[key] is None and key in ("value", "commitment")
    less |= key == "data" and isinstance(place[key], str) and before.startswith(place[key]) and len(place[key]) > 2
    if place[key] == before or key in ("field", "path") or less:
        return
    with pytest.raises(Invalid):
        verify(answer, CHAIN, STAKES)
