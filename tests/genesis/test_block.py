"""Blocks, receipts, certificates and commitments: they come back as they went, and only together."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from genesis.chain import (
    Batch,
    Block,
    Body,
    Call,
    Commitment,
    Deployment,
    Deposit,
    Forced,
    Header,
    Receipt,
    Transaction,
    Vote,
    VoteKind,
    Withdrawal,
    certify,
    check_certificate,
    commitment_span,
    events_root,
    inbox_entry,
    prove_withdrawal,
    receipts_root,
    sign,
    sign_block,
    sign_vote,
    withdrawals_root,
)
from genesis.crypto import ZERO_HASH, keccak256, sha256
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.header import HEADER_VERSION

KEY, PROPOSER = development_key(0), development_address(0)
CALL = Call(bytes(20), b"abcd", b"")
RAWS = tuple(
    sign(Transaction(1, PROPOSER, 0, sequence, 10**12, 100_000, 1, False, (CALL,)), KEY).raw for sequence in range(3)
)
DEPLOYMENT = Deployment(b"\1" * 20, b"\2" * 32, b"\3" * 20, "x", b"", b"", "1.0", b"\4" * 32, b"\0asm", "{}")
BODY = Body((Batch(RAWS[:2]), Batch(()), Batch(RAWS[2:])), (Deposit(0, PROPOSER, 0, 2**100, 7),), (DEPLOYMENT,))
WITHDRAWALS = tuple(Withdrawal(index, PROPOSER, 1, 10**20 + index) for index in range(5))
HEADER = Header(
    HEADER_VERSION, 5, 1_750, 0, b"\5" * 32, 1, PROPOSER, 0, 7, b"\6" * 32, 1, BODY.root(), ZERO_HASH, ZERO_HASH,
    withdrawals_root(WITHDRAWALS), ZERO_HASH, b"\7" * 32, 123,
)  # fmt: skip
STAKES = {development_address(index): 1 for index in range(4)}


def votes(header: Header, keys: tuple[int, ...]) -> list[Vote]:
    hashed = header.hash()
    return [sign_vote(VoteKind.FINALISE, 1, header.height, header.view, hashed, 0, development_key(k)) for k in keys]


def code_of(header: Header, keys: tuple[int, ...], chain: int = 1) -> str:
    with pytest.raises(Invalid) as caught:
        check_certificate(certify(votes(header, keys)), chain, STAKES)
    return caught.value.code


def test_a_block_comes_back_as_it_went() -> None:
    block = sign_block(HEADER, BODY, KEY)
    assert Block.decode(block.encode()) == block
    assert [signed.raw for signed in BODY.batches[0].open()] == list(RAWS[:2])


def test_hash_and_signature_are_over_fixed_widths() -> None:
    fixed = HEADER.fixed_bytes()
    assert len(fixed) == 344
    assert HEADER.hash() == sha256(fixed)
    assert HEADER.proposal_digest() == keccak256(b"\x19Tenor block v1\n" + fixed)
    assert fixed[:12] == (1).to_bytes(4, "big") + (5).to_bytes(8, "big")


def test_every_field_of_the_header_changes_the_hash() -> None:
    for field in fields(Header):
        value = getattr(HEADER, field.name)
        other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
        assert replace(HEADER, **{field.name: other}).hash() != HEADER.hash()


@pytest.mark.parametrize(
    "body",
    [
        replace(BODY, batches=(Batch(RAWS),)),
        replace(BODY, batches=(Batch(RAWS[:2]), Batch(RAWS[2:]))),
        replace(BODY, inbox=()),
        replace(BODY, deployments=(replace(DEPLOYMENT, wasm=b"\0asn"),)),
    ],
)
def test_another_body_is_refused(body: Body) -> None:
    block = replace(sign_block(HEADER, BODY, KEY), body=body)
    with pytest.raises(Invalid) as caught:
        Block.decode(block.encode())
    assert caught.value.code == "wrong_body"


def test_another_proposer_is_refused() -> None:
    block = replace(sign_block(HEADER, BODY, KEY), header=replace(HEADER, gas_used=1))
    with pytest.raises(Invalid) as caught:
        Block.decode(block.encode())
    assert caught.value.code == "wrong_proposer"


def test_a_receipt_comes_back_with_the_stage_its_reader_knows() -> None:
    receipt = Receipt(
        b"\1" * 32, 5, 2, "failed", "overflow", 77, 2**90, (b"", b"x"), ("", "overflow"), (3, 9), b"\1" * 20
    )
    assert Receipt.decode(receipt.encode()) == receipt
    final = replace(receipt, stage="final")
    assert final.encode() == receipt.encode()
    assert Receipt.decode(receipt.encode(), "final") == final
    assert receipts_root([receipt.encode()]) != receipts_root([replace(receipt, status="done").encode()])
    assert events_root([(1, 2, b"x")]) != events_root([(2, 1, b"x")])


@pytest.mark.parametrize("keys", [(0, 1, 2), (3, 1, 0), (0, 1, 2, 3)])
def test_more_than_two_thirds_of_the_stake_are_a_quorum(keys: tuple[int, ...]) -> None:
    check_certificate(certify(votes(HEADER, keys)), 1, STAKES)


def test_what_is_no_quorum() -> None:
    assert code_of(HEADER, (0, 1)) == "no_quorum"
    assert code_of(HEADER, (0, 0, 1)) == "repeated_signature"
    assert code_of(HEADER, (0, 1, 9)) == "unknown_validator"
    assert code_of(HEADER, (0, 1, 2), chain=2) in ("unknown_validator", "repeated_signature", "bad_signature")
    with pytest.raises(Invalid):
        check_certificate(
            certify(votes(HEADER, (0, 1))),
            1,
            {development_address(0): 1, development_address(1): 1, PROPOSER: 5} | {development_address(2): 3},
        )


def test_one_validator_is_a_quorum_of_one() -> None:
    check_certificate(certify(votes(HEADER, (0,))), 1, {PROPOSER: 7})


def test_a_vote_names_its_signer_and_counts_for_one_kind_only() -> None:
    vote = votes(HEADER, (2,))[0]
    assert vote.signer() == development_address(2)
    assert replace(vote, kind=VoteKind.NOTARISE).signer() != development_address(2)


def test_a_commitment_comes_back_and_vouches_for_its_withdrawals() -> None:
    commitment = Commitment(3, HEADER, certify(votes(HEADER, (0, 1, 2))))
    assert Commitment.decode(commitment.encode()) == commitment
    assert commitment.id == Commitment(3, HEADER, certify(votes(HEADER, (1, 2, 3)))).id
    proof = prove_withdrawal(WITHDRAWALS, 4, commitment.last_height)
    proof.check(commitment.withdrawals_root, WITHDRAWALS[4])
    with pytest.raises(Invalid):
        proof.check(commitment.withdrawals_root, replace(WITHDRAWALS[4], amount=10**20 + 5))


def test_a_commitment_takes_the_certificate_of_its_own_last_block() -> None:
    certificate = certify(votes(HEADER, (0, 1, 2)))
    for header in (replace(HEADER, gas_used=1), replace(HEADER, height=6)):
        with pytest.raises(Invalid) as caught:
            Commitment(3, header, certificate)
        assert caught.value.code == "wrong_certificate"
    for first in (0, 6):
        with pytest.raises(Invalid):
            Commitment(first, HEADER, certificate)


def test_spans_follow_one_another_without_gap() -> None:
    assert [commitment_span(height, 4) for height in (1, 4, 5, 8, 9)] == [(1, 4), (1, 4), (5, 8), (5, 8), (9, 12)]
    assert commitment_span(7, 1) == (7, 7)


def test_only_what_an_inbox_can_hold_is_an_entry() -> None:
    for changes in ({"amount": 0}, {"amount": -1}, {"account": b""}, {"index": -1}):
        with pytest.raises(Invalid):
            replace(BODY.inbox[0], **changes)
    deposit, forced = BODY.inbox[0].fields(), Forced(1, b"raw", 7).fields()
    assert [inbox_entry(members).fields() for members in (deposit, forced)] == [deposit, forced]
    for members in ((2, *deposit[1:]), (True, *forced[1:]), (1, *deposit[1:]), forced[:-1], (), (1, 1, b"", 7), 7):
        with pytest.raises(Invalid):
            inbox_entry(members)


def test_a_deposit_stands_in_a_body_as_it_always_did() -> None:
    members = (0, 0, PROPOSER, 0, (2**100).to_bytes(16, "big"), 7)
    assert BODY.inbox[0].fields() == members and Body.of(BODY.fields()) == BODY
