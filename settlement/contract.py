"""
The rules a settlement contract enforces on commitments, as pure functions; those on validators are in `validators`.

`local` runs them as they stand; an EVM contract has to say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genesis.chain import Commitment, check_certificate, commitment_span
from genesis.crypto import ZERO_ADDRESS, ZERO_HASH
from genesis.errors import Invalid
from genesis.membership import ValidatorSet
from genesis.spec import SUPPLY_MAX, ChainSpec

FORCED_PATIENCE = 10
"""Windows after which a forced transaction is overdue whatever the anchor; see `overdue_since`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a settlement chain knows of its Tenor chain.

    chain: chain id. commitment_blocks: length of a span. challenge_blocks: settlement blocks from posted to final.
    stakes: address → stake of the first validator set. assets: indices below it may be deposited, for the bank knows
    no others and could never credit them. rooms: by asset, raw, what may exist here beside the allocations of genesis,
    lest a deposit exceed the bank's largest supply; no bound for an asset without one.

    delay_blocks, exit_blocks, replace_blocks, stake_min, forced_window_blocks: as in ChainSpec, in settlement blocks
    and whole units. forced_block: forced transactions that one block of the chain takes in. admin: who may announce
    that validators are lost.
    """

    chain: int
    commitment_blocks: int
    challenge_blocks: int
    stakes: Mapping[bytes, int]
    assets: int = 1 << 32
    rooms: tuple[int, ...] = ()
    delay_blocks: int = 4
    exit_blocks: int = 16
    replace_blocks: int = 32
    stake_min: int = 1
    forced_window_blocks: int = 8
    forced_block: int = 5
    admin: bytes = ZERO_ADDRESS

    @classmethod
    def of(cls, spec: ChainSpec) -> Terms:
        allocated = [sum(a.amount for a in spec.allocations if a.asset == index) for index in range(len(spec.assets))]
        rooms = tuple(SUPPLY_MAX - amount for amount in allocated)
        terms = (spec.chain_id, spec.commitment_blocks, spec.challenge_blocks, spec.stakes, len(spec.assets), rooms)
        waits = (spec.validators_delay_blocks, spec.exit_blocks, spec.replace_blocks, spec.stake_min)
        return cls(*terms, *waits, spec.forced_window_blocks, spec.forced_block_max, spec.admin)


@dataclass(frozen=True, slots=True)
class Standpoint:
    """
    What a commitment is judged against.

    last: the commitment before it. anchor_hash: hash of the settlement block at its anchor's height, None when there
    is none. inbox_at_anchor: entries in blocks up to the anchor. overdue: entries up to and with the last forced one
    that is older than it may be (`overdue_since`). validators: the sets that may have certified it (`eligible`).
    """

    last: Commitment | None
    anchor_hash: bytes | None
    inbox_at_anchor: int
    overdue: int
    validators: Sequence[ValidatorSet]

    @property
    def consumed(self) -> int:
        """Inbox entries that the commitments before have taken in."""
        return self.last.inbox_count if self.last else 0


def overdue_since(terms: Terms, anchor: int, height: int) -> int:
    """
    Return the settlement height up to which forced transactions are overdue for a commitment with this anchor, in the
    settlement block at `height`; −1 for none.

    By the anchor, for a block cannot take in what came after it was made: a chain that was cut off for long posts what
    it has, then catches up. FORCED_PATIENCE windows later by the block itself: whoever holds the anchor still gains no
    more time than that.
    """
    window = terms.forced_window_blocks
    return max(anchor - window, height - FORCED_PATIENCE * window, -1)


def check_commitment(commitment: Commitment, terms: Terms, standpoint: Standpoint) -> None:
    """Raise Invalid with the codes that `SettlementAdapter.submit` names."""
    _check_next(commitment, terms, standpoint.last)
    _check_anchor(commitment, standpoint)
    _check_forced(commitment, terms, standpoint)
    named = commitment.certificate.validators
    holding = {one.version: one.stakes for one in standpoint.validators}
    if named not in holding:
        raise Invalid(
            f"A block with anchor {commitment.header.anchor_number} is certified by one of the validator sets "
            f"{min(holding)} to {max(holding)}, not by {named}.",
            "wrong_validators",
        )
    check_certificate(commitment.certificate, terms.chain, holding[named])


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
    before = standpoint.last.header.anchor_number if standpoint.last else 0
    if header.anchor_number < before:
        raise Invalid(f"Anchor {header.anchor_number} is below the last commitment's, {before}.", "bad_anchor")
    if not standpoint.consumed <= header.inbox_count <= standpoint.inbox_at_anchor:
        allowed = f"{standpoint.consumed} to {standpoint.inbox_at_anchor}"
        raise Invalid(f"{header.inbox_count} inbox entries consumed; the anchor allows {allowed}.", "bad_inbox")


def _check_forced(commitment: Commitment, terms: Terms, standpoint: Standpoint) -> None:
    """Overdue ones have to be taken in, or of a backlog as many entries as one block takes."""
    needed = min(standpoint.overdue, standpoint.consumed + terms.forced_block)
    if commitment.inbox_count < needed:
        raise Invalid(
            f"{commitment.inbox_count} inbox entries are consumed, {needed} must be: forced transactions have waited "
            f"longer than {terms.forced_window_blocks} blocks.",
            "forced_overdue",
        )
