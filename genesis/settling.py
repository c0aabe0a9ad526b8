"""
What passes between the chain and its settlement chain: inbox entries down, votes, certificates, commitments and
withdrawals up.

What validators sign is keccak256(tag ‖ fixed-width big-endian fields), so that a contract can rebuild it without a
decoder. A certificate is a quorum (> 2/3 of stake) of finalise votes for one block; one validator is a quorum of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from genesis import codec, crypto, merkle
from genesis.errors import Invalid

VOTE_TAG = b"\x19Tenor vote v1\n"
VALIDATORS_MAX = 256
INBOX_DEPOSIT, INBOX_FORCED = 0, 1
"""Kinds of inbox entries."""
FORCED_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Deposit:
    """
    Money locked on the settlement chain, in the order of its inbox.

    index: from 0, without gaps, over entries of all kinds. account: credited. asset: index in the bank. amount: raw
    10⁻¹⁸, positive. settlement_height: block of the settlement chain that holds it.
    """

    index: int
    account: bytes
    asset: int
    amount: int
    settlement_height: int

    kind: ClassVar[int] = INBOX_DEPOSIT

    def __post_init__(self) -> None:
        _check_place(self)
        codec.check_bytes(self.account, crypto.ADDRESS_BYTES, "A deposit's account")
        codec.check_uint(self.asset, 32, "A deposit's asset")
        codec.check_amount(self.amount, "A deposit's amount")
        if self.amount == 0:
            raise Invalid("A deposit is of a positive amount.", "malformed")

    def fields(self) -> tuple[Any, ...]:
        amount = codec.encode_amount(self.amount)
        return (self.kind, self.index, self.account, self.asset, amount, self.settlement_height)


@dataclass(frozen=True, slots=True)
class Forced:
    """
    A transaction queued on the settlement chain, which the chain has to take in. Index, settlement_height: as a
    deposit's.

    raw: wire bytes, as anybody sent them; what is no transaction that can run is taken in without effect.
    """

    index: int
    raw: bytes
    settlement_height: int

    kind: ClassVar[int] = INBOX_FORCED

    def __post_init__(self) -> None:
        _check_place(self)
        if type(self.raw) is not bytes or not 1 <= len(self.raw) <= FORCED_BYTES_MAX:
            raise Invalid(f"A forced transaction has 1 to {FORCED_BYTES_MAX} bytes.", "malformed")

    def fields(self) -> tuple[Any, ...]:
        return (self.kind, self.index, self.raw, self.settlement_height)


InboxEntry = Deposit | Forced


def inbox_entry(members: object) -> InboxEntry:
    """The entry of these decoded fields. Raises Invalid "malformed"."""
    match codec.expect_array(members, None, "An inbox entry"):
        case kind, index, account, asset, amount, height if type(kind) is int and kind == INBOX_DEPOSIT:
            return Deposit(index, account, asset, codec.decode_amount(amount, "A deposit's amount"), height)
        case kind, index, raw, height if type(kind) is int and kind == INBOX_FORCED:
            return Forced(index, raw, height)
    raise Invalid("An inbox entry is a deposit (kind 0, 6 members) or a forced transaction (kind 1, 4).", "malformed")


def _check_place(entry: InboxEntry) -> None:
    codec.check_uint(entry.index, 63, "An inbox entry's index")
    codec.check_uint(entry.settlement_height, 63, "An inbox entry's settlement height")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """
    An amount burnt on the chain, to be paid out on the settlement chain against a proof.

    index: counts from 0 over the chain's life. amount: raw 10⁻¹⁸, positive.
    """

    index: int
    account: bytes
    asset: int
    amount: int

    def __post_init__(self) -> None:
        codec.check_uint(self.index, 63, "A withdrawal's index")
        codec.check_bytes(self.account, crypto.ADDRESS_BYTES, "A withdrawal's account")
        codec.check_uint(self.asset, 32, "A withdrawal's asset")
        codec.check_amount(self.amount, "A withdrawal's amount")

    def leaf_bytes(self) -> bytes:
        """Content of its Merkle leaf, 48 bytes big-endian: index u64 ‖ account ‖ asset u32 ‖ amount u128."""
        return (
            self.index.to_bytes(8, "big")
            + self.account
            + self.asset.to_bytes(4, "big")
            + self.amount.to_bytes(16, "big")
        )

    def fields(self) -> tuple[Any, ...]:
        return (self.index, self.account, self.asset, codec.encode_amount(self.amount))

    @classmethod
    def of(cls, members: object) -> Withdrawal:
        index, account, asset, amount = codec.expect_array(members, 4, "A withdrawal")
        return cls(index, account, asset, codec.decode_amount(amount, "A withdrawal's amount"))


@dataclass(frozen=True, slots=True)
class WithdrawalProof:
    """
    A withdrawal's place under a commitment.

    height: last height of the commitment. position: among the withdrawals of its span. siblings: from the leaf upwards.
    """

    height: int
    position: int
    siblings: tuple[bytes, ...]

    def check(self, withdrawals_root: bytes, withdrawal: Withdrawal) -> None:
        """Raises Invalid "bad_proof" unless the withdrawal stands under the root."""
        merkle.verify_item(withdrawals_root, withdrawal.leaf_bytes(), self.position, self.siblings)


def withdrawals_root(withdrawals: Iterable[Withdrawal]) -> bytes:
    """Return the list root over all withdrawals of a commitment span so far, in order of index."""
    return merkle.list_root(withdrawal.leaf_bytes() for withdrawal in withdrawals)


def prove_withdrawal(withdrawals: Sequence[Withdrawal], position: int, height: int) -> WithdrawalProof:
    """Prove the withdrawal at `position` of a span's withdrawals under the commitment that ends at `height`."""
    leaves = [withdrawal.leaf_bytes() for withdrawal in withdrawals]
    return WithdrawalProof(height, position, merkle.prove_item(leaves, position))


class VoteKind(IntEnum):
    """Simplex's three votes; only FINALISE leaves the room of consensus."""

    NOTARISE = 0
    NULLIFY = 1
    FINALISE = 2


@dataclass(frozen=True, slots=True)
class Vote:
    """
    A validator's signed word about a height and view.

    block_hash: 32 zero bytes in a NULLIFY vote. validators: version of the validator set that the vote counts in.
    """

    kind: VoteKind
    chain: int
    height: int
    view: int
    block_hash: bytes
    validators: int
    signature: bytes

    def signer(self) -> bytes:
        """Return the address that signed. Raises Invalid "bad_signature"."""
        digest = vote_digest(self.kind, self.chain, self.height, self.view, self.block_hash, self.validators)
        return crypto.recover(digest, self.signature)


def vote_digest(kind: VoteKind, chain: int, height: int, view: int, block_hash: bytes, validators: int) -> bytes:
    """
    Return keccak256(VOTE_TAG ‖ kind u8 ‖ chain u64 ‖ height u64 ‖ view u64 ‖ block hash ‖ validators u64),
    big-endian.
    """
    numbers = b"".join(number.to_bytes(8, "big") for number in (chain, height, view))
    return crypto.keccak256(VOTE_TAG + bytes((kind,)) + numbers + block_hash + validators.to_bytes(8, "big"))


def sign_vote(
    kind: VoteKind, chain: int, height: int, view: int, block_hash: bytes, validators: int, private_key: bytes
) -> Vote:
    """Sign a vote. Whoever calls this has synced it to disk first."""
    digest = vote_digest(kind, chain, height, view, block_hash, validators)
    return Vote(kind, chain, height, view, block_hash, validators, crypto.sign(digest, private_key))


@dataclass(frozen=True, slots=True)
class Certificate:
    """
    A quorum of finalise votes for one block.

    signatures: ordered by signer's address, one each; who signed is recovered, never stated.
    """

    height: int
    view: int
    block_hash: bytes
    validators: int
    signatures: tuple[bytes, ...]

    def __post_init__(self) -> None:
        codec.check_uint(self.height, 63, "A certificate's height")
        codec.check_uint(self.view, 63, "A certificate's view")
        codec.check_bytes(self.block_hash, crypto.HASH_BYTES, "A certificate's block hash")
        codec.check_uint(self.validators, 63, "A certificate's validator-set version")
        if not 1 <= len(self.signatures) <= VALIDATORS_MAX:
            raise Invalid(f"A certificate has 1 to {VALIDATORS_MAX} signatures.", "malformed")
        for signature in self.signatures:
            codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A certificate's signature")

    def fields(self) -> tuple[Any, ...]:
        return (self.height, self.view, self.block_hash, self.validators, self.signatures)

    @classmethod
    def of(cls, members: object) -> Certificate:
        height, view, block_hash, validators, signatures = codec.expect_array(members, 5, "A certificate")
        signed = codec.expect_array(signatures, None, "A certificate's signatures")
        return cls(height, view, block_hash, validators, signed)

    def encode(self) -> bytes:
        return codec.encode(self.fields())


def certify(votes: Iterable[Vote]) -> Certificate:
    """Gather finalise votes for one block into a certificate; whether they are a quorum, `check_certificate` says."""
    gathered = sorted(votes, key=Vote.signer)
    blocks = {(vote.height, vote.view, vote.block_hash, vote.validators) for vote in gathered}
    assert len(blocks) == 1 and all(vote.kind is VoteKind.FINALISE for vote in gathered), "votes for different blocks"
    height, view, block_hash, validators = blocks.pop()
    return Certificate(height, view, block_hash, validators, tuple(vote.signature for vote in gathered))


def check_certificate(certificate: Certificate, chain: int, stakes: Mapping[bytes, int]) -> None:
    """
    Check that signatures of > 2/3 of the stake stand under the block.

    Args:
        stakes: address → stake of the validator set whose version the certificate names.

    Raises:
        Invalid: "bad_signature", "unknown_validator", "repeated_signature" or "no_quorum".
    """
    c = certificate
    digest = vote_digest(VoteKind.FINALISE, chain, c.height, c.view, c.block_hash, c.validators)
    signers = [crypto.recover(digest, signature) for signature in c.signatures]
    if sorted(set(signers)) != signers:
        raise Invalid(
            f"The certificate of height {c.height} is not ordered by signer, each once.", "repeated_signature"
        )
    for signer in signers:
        if signer not in stakes:
            raise Invalid(
                f"{crypto.checksum_address(signer)} is no validator of set {c.validators}.", "unknown_validator"
            )
    signed, total = sum(stakes[signer] for signer in signers), sum(stakes.values())
    if 3 * signed <= 2 * total:
        raise Invalid(f"{signed} of stake {total} signed height {c.height}; a quorum is more than 2/3.", "no_quorum")
