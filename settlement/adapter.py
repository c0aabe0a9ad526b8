"""
The door of the room: what a node, and a user with funds, ask of a settlement chain.

Promises every implementation keeps, and the one suite of contract tests checks: idempotent: repeating any call with
the same arguments changes nothing more. Retryable: after `Unavailable` it is unknown whether the call took effect;
repeat it. Ordered: commitments are accepted in order of height only, inbox entries are numbered in the order of the
chain.
Trio-async: every method may wait, none blocks the loop; cancelled calls may have taken effect. Heights named
`settlement_height` count the settlement chain's blocks; all others count Tenor's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from genesis.chain import Commitment, InboxEntry, Withdrawal, WithdrawalProof
from genesis.membership import ValidatorSet
from settlement.actions import Action, Activate, Force

Standing = Literal["absent", "pending", "posted", "final"]
"""
absent: unknown, or dropped by a reorganisation: submit again. pending: accepted, in no block yet. posted: in a block.
final: for ever.
"""

ENTRIES_MAX = 1_024
"""Entries one call of `inbox` returns at most."""


COIN_UNIT = 10**18
"""Raw in one of the settlement chain's own coin, which postings are paid in."""


@dataclass(frozen=True, slots=True)
class Head:
    """A block of the settlement chain."""

    settlement_height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """
    The last height that commitments cover, pending ones included, and that block's hash; 0 and zeros before the
    first.
    """

    height: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Reorganisation:
    """Blocks above `fork_height` that the caller knew are gone; `head` is the tip now."""

    fork_height: int
    head: Head


@dataclass(frozen=True, slots=True)
class Poster:
    """Who pays for this node's postings. balance: raw 10⁻¹⁸ of the settlement chain's own coin."""

    account: bytes
    balance: int


class SettlementAdapter(Protocol):
    """The node's side. Every method raises Unavailable while the settlement chain cannot be reached."""

    async def submit(self, commitment: Commitment) -> bytes:
        """
        Hand over a commitment; return the posting id (`commitment.id`). The same commitment twice counts once, and is
        paid for once, by whoever hands it in first. What was paid for one that a reorganisation drops is lost.

        Raises:
            Invalid: "not_next" when it does not follow the last one or leaves its span, "wrong_validators" when it
            names a set that cannot have certified it (`genesis.membership.eligible`), "no_quorum" and the other codes
            of `check_certificate`, "bad_anchor" when its anchor is not on the chain or below the last one's,
            "bad_inbox" when it claims more entries than its anchor shows or fewer than the last one, "forced_overdue"
            when forced transactions have waited longer than they may and it does not take them in,
            "insufficient_balance" when nothing else is wrong and the poster holds less than it costs now.
        """
        ...

    async def standing(self, posting: bytes | int) -> Standing:
        """
        Tell where a posting stands, by its id, or the commitment that covers a height. Never goes back from "final".
        """
        ...

    async def committed(self) -> Committed:
        """Tell where the next commitment must continue, e.g. after a restart."""
        ...

    async def head(self, confirmations: int = 0) -> Head:
        """Return the block so many below the tip; block 0 while the chain is shorter."""
        ...

    async def inbox(self, from_index: int, up_to: int) -> tuple[InboxEntry, ...]:
        """
        Return deposits and forced transactions in blocks ≤ settlement height `up_to`, indices from_index, + 1, …;
        ENTRIES_MAX at most.
        """
        ...

    async def validator_sets(self, from_version: int, up_to: int) -> tuple[ValidatorSet, ...]:
        """Return the sets that hold from a settlement height ≤ `up_to` on, versions from_version, + 1, …"""
        ...

    async def pending_validators(self) -> Mapping[bytes, int]:
        """Return key → stake of those that are registered and whose node was not ready yet, as of the newest block."""
        ...

    async def activate(self, ready: Activate) -> bytes:
        """
        Say that a registered key's node is ready; return the posting id. The same twice counts once.

        Raises:
            Invalid: "unknown_validator", "left", "active" when it is or will be in the set, "stale_commitment" when it
            names none of the newest commitments that blocks have taken in (`READINESS_COMMITMENTS`), "bad_signature",
            "set_full".
        """
        ...

    async def reorganisations(self, since: Head) -> Reorganisation | None:
        """
        Return None while `since` is on the chain, else where the chain forked from it.

        Raises:
            Invalid: "unknown_block" when `since` never was a block here.
        """
        ...

    async def quote_fee(self, commitment_bytes: int) -> int:
        """
        Return what a commitment of this size would cost now, in raw 10⁻¹⁸ of the settlement chain's own coin; 0 where
        posting costs nothing.
        """
        ...

    async def poster(self) -> Poster | None:
        """Tell who pays for what is posted here, and what they hold; None where it costs nothing, or nobody posts."""
        ...


class SettlementAccount(Protocol):
    """The user's side: the devnet's agents and the CLI. Amounts are raw 10⁻¹⁸, assets the bank's indices."""

    async def deposit(self, account: bytes, asset: int, amount: int, nonce: bytes) -> bytes:
        """
        Lock an amount for `account` on Tenor; return the posting id. The same nonce and arguments count once.

        Raises:
            Invalid: "insufficient_balance", "unknown_asset", or "malformed" when the amount is not positive.
        """
        ...

    async def withdraw(self, withdrawal: Withdrawal, proof: WithdrawalProof) -> bytes:
        """
        Pay a withdrawal to its account against a proof under a final commitment; return the posting id. Paid once,
        however often called.

        Raises:
            Invalid: "not_final" when no final commitment ends at the proof's height (later it may), "bad_proof".
        """
        ...

    async def act(self, sender: bytes, action: Force | Action, nonce: bytes) -> bytes:
        """
        Force a transaction into the chain, or do something about validators; return the posting id. The same nonce and
        arguments count once. What became impossible until a block takes it in is dropped: its standing is "absent".

        Raises:
            Invalid: "insufficient_balance", "stake_too_low", "key_used", "set_full" or "bad_signature" (Register,
            RotateKey), "not_owner" (Exit, RotateKey, Claim), "left" (Exit, RotateKey), "pending" (RotateKey),
            "last_validator" (Exit, Announce, Replace), "still_held" (Claim), "nothing_held" (Claim, Evidence),
            "no_evidence" (Evidence), "not_admin" (Announce), "not_lost" (Announce, Replace), "not_announced" or
            "time_lock" (Replace), "unknown_validator". Those of `SettlementAdapter.activate` (Activate).
        """
        ...

    async def balance(self, account: bytes, asset: int) -> int:
        """Return what the account holds on the settlement chain itself."""
        ...
