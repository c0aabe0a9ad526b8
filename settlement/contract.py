"""
The rules a settlement contract enforces on commitments and withdrawals, as pure functions.

`local` runs them as they stand; an EVM contract has to say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genesis.chain import Commitment, check_certificate, commitment_span
from genesis.crypto import ZERO_HASH
from genesis.errors import Invalid
from genesis.spec import SUPPLY_MAX, ChainSpec


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a settlement chain knows of its Tenor chain.

    chain: chain id. commitment_blocks: length of a span. challenge_blocks: settlement blocks from posted to final.
    stakes: address → stake. validators: version of that set. assets: indices below it may be deposited, for the bank
    knows no others and could never credit them. rooms: by asset, raw, what may exist here beside the allocations of
    genesis, lest a deposit exceed the bank's largest supply; no bound for an asset without one.
    """

    chain: int
    commitment_blocks: int
    challenge_blocks: int
    stakes: Mapping[bytes, int]
    validators: int = 0
    assets: int = 1 << 32
    rooms: tuple[int, ...] = ()

    @classmethod
    def of(cls, spec: ChainSpec) -> Terms:
        allocated = [sum(a.amount for a in spec.allocations if a.asset == index) for index in range(len(spec.assets))]
        rooms = tuple(SUPPLY_MAX - amount for amount in allocated)
        terms = (spec.chain_id, spec.commitment_blocks, spec.challenge_blocks, spec.stakes)
        return cls(*terms, assets=len(spec.assets), rooms=rooms)


@dataclass(frozen=True, slots=True)
class Standpoint:
    """
    What a commitment is judged against.

    last: the commitment before it. anchor_hash: hash of the settlement block at its anchor's height, None when there
    is none. inbox_at_anchor: deposits in blocks up to the anchor.
    """

    last: Commitment | None
    anchor_hash: bytes | None
    inbox_at_anchor: int


def check_commitment(commitment: Commitment, terms: Terms, standpoint: Standpoint) -> None:
    """Raise Invalid with the codes that `SettlementAdapter.submit` names."""
    _check_next(commitment, terms, standpoint.last)
    _check_anchor(commitment, standpoint)
    if commitment.certificate.validators != terms.validators:
        raise Invalid(
            f"The validator set is version {terms.validators}, not {commitment.certificate.validators}.",
            "wrong_validators",
        )
    check_certificate(commitment.certificate, terms.chain, terms.stakes)


def _check_next(commitment: Commitment, terms: Terms, last: Commitment | None) -> None:
    expected = last.last_height + 1 if last else 1
    if commitment.first_height != expected:
        raise Invalid(f"The next commitment begins at height {expected}, not {commitment.first_height}.", "not_next")
    _, end = commitment_span(expected, terms.commitment_blocks)
    if commitment.last_height > end:
        raise Invalid(
            f"A commitment from {expected} ends at {end} or before, not {commitment.last_height}.", "not_next"
        )


def _check_anchor(commitment: Commitment, standpoint: Standpoint) -> None:
    header = commitment.header
    unread = header.anchor_number == 0 and header.anchor_hash == ZERO_HASH and header.inbox_count == 0
    if not unread and header.anchor_hash != standpoint.anchor_hash:
        raise Invalid(f"Anchor {header.anchor_number} is not that block of this settlement chain.", "bad_anchor")
    consumed = standpoint.last.inbox_count if standpoint.last else 0
    if not consumed <= header.inbox_count <= standpoint.inbox_at_anchor:
        allowed = f"{consumed} to {standpoint.inbox_at_anchor}"
        raise Invalid(f"{header.inbox_count} inbox entries consumed; the anchor allows {allowed}.", "bad_inbox")
