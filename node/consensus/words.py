"""
The words of consensus: links, votes with their signers, quorums.

A quorum is signatures of > 2/3 of the stake under one vote; who signed is recovered, never stated. Quorums of finalise
votes are the chain's certificates (`genesis.settling.Certificate`); the other two stay among validators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from genesis import codec, crypto
from genesis.chain import Certificate, Header, Vote, VoteKind, check_certificate, vote_digest
from genesis.errors import Invalid
from genesis.membership import ValidatorSet
from genesis.settling import VALIDATORS_MAX
from genesis.spec import ChainSpec

TIMEOUT_BLOCKS, TIMEOUT_MS_MIN = 4, 1_000
"""A view that has neither block nor quorum after so many block times, and milliseconds, is given up."""
TIMEOUT_ROOM = 16
"""The longest time-out, in shortest ones."""
VIEWS_A_SET = 1 << 32
"""A set's views lie between two multiples of it, so that no validator votes in one view for two sets."""
NO_BLOCK = crypto.ZERO_HASH
"""The block hash, and 0 the height, of a nullify vote."""


@dataclass(frozen=True, slots=True)
class Link:
    """What consensus knows of a block. anchor: its settlement height. validators: version of its set."""

    view: int
    height: int
    hash: bytes
    parent: bytes
    proposer: bytes
    time_ms: int
    anchor: int = 0
    validators: int = 0

    @classmethod
    def of(cls, header: Header) -> Link:
        h = header
        return cls(h.view, h.height, h.hash(), h.parent, h.proposer, h.time_ms, h.anchor_number, h.validators)


@dataclass(frozen=True, slots=True)
class Said:
    """What a vote says: kind, view, and the block; a nullify vote names none."""

    kind: VoteKind
    view: int
    height: int = 0
    hash: bytes = NO_BLOCK

    def digest(self, rules: Rules) -> bytes:
        return vote_digest(self.kind, rules.chain, self.height, self.view, self.hash, rules.version)


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote whose signer has been recovered and is a validator."""

    said: Said
    signer: bytes
    signature: bytes

    def vote(self, rules: Rules) -> Vote:
        said = self.said
        return Vote(said.kind, rules.chain, said.height, said.view, said.hash, rules.version, self.signature)


@dataclass(frozen=True, slots=True)
class Quorum:
    """A vote that > 2/3 of the stake gave; signatures ordered by signer's address."""

    said: Said
    signatures: tuple[bytes, ...]

    def certificate(self, rules: Rules) -> Certificate:
        """Of a quorum of finalise votes."""
        assert self.said.kind is VoteKind.FINALISE, "only finalise votes certify"
        return Certificate(self.said.height, self.said.view, self.said.hash, rules.version, self.signatures)

    @classmethod
    def of_certificate(cls, certificate: Certificate) -> Quorum:
        said = Said(VoteKind.FINALISE, certificate.view, certificate.height, certificate.block_hash)
        return cls(said, certificate.signatures)

    def fields(self) -> tuple[Any, ...]:
        return (int(self.said.kind), self.said.view, self.said.height, self.said.hash, self.signatures)

    @classmethod
    def of(cls, members: object) -> Quorum:
        """Shape only; `check_quorum` looks at the signatures. Raises Invalid."""
        kind, view, height, block_hash, signatures = codec.expect_array(members, 5, "A quorum")
        signed = codec.expect_array(signatures, None, "A quorum's signatures")
        if not 1 <= len(signed) <= VALIDATORS_MAX:
            raise Invalid(f"A quorum has 1 to {VALIDATORS_MAX} signatures.", "malformed")
        for signature in signed:
            codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A quorum's signature")
        return cls(said_of(kind, view, height, block_hash), signed)


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What all validators of one set share.

    stakes: address → stake; validators lead in order of address. version: of the set. lease_views: views after which a
    leader hands over although it works. timeout_ms: of a view; doubles with every full round of leaders that failed,
    and with every block that came too late, up to timeout_ms_max. until: settlement height where the next set begins,
    None while none is known.
    """

    chain: int
    stakes: Mapping[bytes, int]
    version: int
    lease_views: int
    timeout_ms: int
    timeout_ms_max: int
    until: int | None = None

    def ends(self, link: Link) -> bool:
        """Whether a block is the last of its set: its anchor lies where another one holds."""
        return self.until is not None and link.anchor >= self.until

    def has_quorum(self, signers: Iterable[bytes]) -> bool:
        """Whether these hold > 2/3 of the stake."""
        return 3 * sum(self.stakes[signer] for signer in signers) > 2 * sum(self.stakes.values())


def said_of(kind: object, view: object, height: object, block_hash: object) -> Said:
    """Raises Invalid unless these make a vote."""
    codec.check_uint(view, 63, "A vote's view")
    codec.check_uint(height, 63, "A vote's height")
    codec.check_bytes(block_hash, crypto.HASH_BYTES, "A vote's block hash")
    if type(kind) is not int or kind not in VoteKind.__members__.values():
        raise Invalid("A vote's kind is 0 (notarise), 1 (nullify) or 2 (finalise).", "malformed")
    assert isinstance(view, int) and isinstance(height, int) and isinstance(block_hash, bytes)
    said = Said(VoteKind(kind), view, height, block_hash)
    if (said.kind is VoteKind.NULLIFY) != (said.hash == NO_BLOCK) or (said.kind is VoteKind.NULLIFY) != (height == 0):
        raise Invalid("A nullify vote names neither block nor height, the others name both.", "malformed")
    if view == 0:
        raise Invalid("Views count from 1.", "malformed")
    return said


def ballot_of(said: Said, signature: bytes, rules: Rules) -> Ballot:
    """Recover the signer. Raises Invalid "bad_signature" or "unknown_validator"."""
    signer = crypto.recover(said.digest(rules), signature)
    if signer not in rules.stakes:
        raise Invalid(f"0x{signer.hex()} is no validator of set {rules.version}.", "unknown_validator")
    return Ballot(said, signer, signature)


def check_quorum(quorum: Quorum, rules: Rules) -> None:
    """Raises Invalid unless signatures of > 2/3 of the stake stand under the vote, ordered by signer, each once."""
    if quorum.said.kind is VoteKind.FINALISE:
        check_certificate(quorum.certificate(rules), rules.chain, rules.stakes)
        return
    digest = quorum.said.digest(rules)
    signers = [crypto.recover(digest, signature) for signature in quorum.signatures]
    if sorted(set(signers)) != signers:
        raise Invalid("A quorum's signatures are ordered by signer, each once.", "repeated_signature")
    if not rules.stakes.keys() >= set(signers):
        raise Invalid(f"A quorum is signed by somebody outside of set {rules.version}.", "unknown_validator")
    if not rules.has_quorum(signers):
        raise Invalid("A quorum is more than 2/3 of the stake.", "no_quorum")


def taken_over(tip: Link, rules: Rules) -> Link:
    """
    The newest certified block as the set that goes on from it sees it: its views are above all of the one that made it,
    and of any version between that was lost before it made a block.
    """
    if tip.validators == rules.version:
        return tip
    return replace(tip, view=max(rules.version, tip.view // VIEWS_A_SET + 1) * VIEWS_A_SET - 1)


def rules_of(spec: ChainSpec, members: ValidatorSet, until: int | None = None) -> Rules:
    """Those of a chain under one validator set."""
    timeout_ms = max(TIMEOUT_MS_MIN, TIMEOUT_BLOCKS * spec.block_time_ms)
    stakes, version = members.stakes, members.version
    return Rules(spec.chain_id, stakes, version, spec.lease_views, timeout_ms, TIMEOUT_ROOM * timeout_ms, until)
