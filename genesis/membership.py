"""
Who certifies: validator sets, and what a validator's key signs about membership.

A set has a version and the settlement block from which on it holds. A block is certified by the set that holds at its
parent's anchor (`certifying`), so everybody knows who certifies it before it exists, and the block that moves the
anchor to where another set holds is the last of its own. Stake is counted in whole units of asset 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.settling import Vote, VoteKind

POSSESSION_TAG = b"\x19Tenor validator v1\n"
READINESS_TAG = b"\x19Tenor ready v1\n"
EVIDENCE_BYTES_MAX = 1_024
STAKE_ASSET = 0
STAKE_UNIT = 10**18
"""Raw amount of one unit of stake."""


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """
    stakes: address → stake, as `check_certificate` takes it. from_height: of the settlement chain; the set holds from
    it to the next version's. replaces: it takes the place of one that was lost and cannot hand over.
    """

    version: int
    from_height: int
    stakes: Mapping[bytes, int]
    replaces: bool = False

    def fields(self) -> tuple[Any, ...]:
        return (self.version, self.from_height, tuple(sorted(self.stakes.items())), self.replaces)

    @classmethod
    def of(cls, members: object) -> ValidatorSet:
        version, from_height, stakes, replaces = codec.expect_array(members, 4, "A validator set")
        rows = [codec.expect_array(row, 2, "A stake") for row in codec.expect_array(stakes, None, "Stakes")]
        return cls(version, from_height, dict(rows), replaces)


def set_at(sets: Sequence[ValidatorSet], anchor: int) -> ValidatorSet:
    """The set that holds at a settlement height; sets: by version, version 0 first."""
    return [one for one in sets if one.from_height <= anchor][-1]


def certifying(sets: Sequence[ValidatorSet], parent_anchor: int, anchor: int) -> ValidatorSet:
    """
    The set that certifies a block with this anchor, by its parent's: that which holds there. A set that was lost moves
    no anchor, so what replaces it begins with the first block that has it at its own.

    Args:
        sets: by version, at least all that hold up to `anchor`.
    """
    replacing = [one for one in sets if one.replaces and one.from_height <= anchor]
    return max([set_at(sets, parent_anchor), *replacing], key=lambda one: one.version)


def eligible(sets: Sequence[ValidatorSet], before: int, anchor: int) -> list[ValidatorSet]:
    """
    The sets that may have certified a block of which no more is known than its anchor, and that of one before it.

    Who has a quorum of one of them could show a parent at whatever anchor suits: its header would exclude none.
    """
    first = certifying(sets, before, anchor).version
    return [one for one in sets if first <= one.version and one.from_height <= anchor]


def possession_digest(chain: int, owner: bytes) -> bytes:
    """
    Return keccak256(POSSESSION_TAG ‖ chain u64 ‖ owner), big-endian: what a validator's key signs to be registered by
    `owner`, so that nobody registers a key of somebody else.
    """
    return crypto.keccak256(POSSESSION_TAG + chain.to_bytes(8, "big") + owner)


@dataclass(frozen=True, slots=True)
class Readiness:
    """
    What a validator's key signs once its node could vote: it names a commitment that settlement holds, so it has
    followed the chain up to there, and says nothing once that commitment is an old one.

    height: of the commitment's last block. block_hash: of that block, whose header holds the state root.
    """

    chain: int
    key: bytes
    height: int
    block_hash: bytes

    def digest(self) -> bytes:
        """Return keccak256(READINESS_TAG ‖ chain u64 ‖ key ‖ height u64 ‖ block hash), big-endian."""
        chain, height = (number.to_bytes(8, "big") for number in (self.chain, self.height))
        return crypto.keccak256(READINESS_TAG + chain + self.key + height + self.block_hash)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two votes of one kind in one view for different blocks: nobody honest signs both."""

    first: Vote
    second: Vote

    def offender(self, chain: int) -> bytes:
        """
        Return the address that signed both.

        Raises:
            Invalid: "no_evidence", saying what is missing, or "bad_signature".
        """
        one, other = self.first, self.second
        if (one.chain, other.chain) != (chain, chain):
            raise Invalid(f"The votes are of chains {one.chain} and {other.chain}; this is {chain}.", "no_evidence")
        if one.kind is not other.kind or one.kind is VoteKind.NULLIFY:
            raise Invalid("Two notarise or two finalise votes are evidence; these are of other kinds.", "no_evidence")
        if one.view != other.view or one.block_hash == other.block_hash:
            raise Invalid("Evidence is of one view and two blocks; these votes do not contradict.", "no_evidence")
        if one.signer() != other.signer():
            raise Invalid("Two different validators signed these votes.", "no_evidence")
        return one.signer()

    def fields(self) -> tuple[Any, ...]:
        return tuple(_vote_fields(vote) for vote in (self.first, self.second))

    @classmethod
    def of(cls, members: object) -> Evidence:
        first, second = codec.expect_array(members, 2, "Evidence")
        return cls(_vote_of(first), _vote_of(second))

    def encode(self) -> bytes:
        return codec.encode(self.fields())

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Raises Invalid."""
        return cls.of(codec.decode(data, EVIDENCE_BYTES_MAX, 2))


def _vote_fields(vote: Vote) -> tuple[Any, ...]:
    return (int(vote.kind), vote.chain, vote.height, vote.view, vote.block_hash, vote.validators, vote.signature)


def _vote_of(members: object) -> Vote:
    kind, chain, height, view, block_hash, validators, signature = codec.expect_array(members, 7, "A vote")
    for name, number in (("chain", chain), ("height", height), ("view", view), ("set", validators)):
        codec.check_uint(number, 63, f"A vote's {name}")
    codec.check_bytes(block_hash, crypto.HASH_BYTES, "A vote's block hash")
    codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A vote's signature")
    if type(kind) is not int or kind not in tuple(VoteKind):
        raise Invalid("A vote is of kind 0, 1 or 2.", "malformed")
    return Vote(VoteKind(kind), chain, height, view, block_hash, validators, signature)
