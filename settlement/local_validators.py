"""
The embedded contract's validators: what actions about them do when a block takes them in, and how that is undone.

The registry stands in the file once for each block that changed it, with the money that moved, so going back is
dropping rows. Rules are in `validators`.
"""

from __future__ import annotations

from genesis import codec, crypto
from genesis.chain import Commitment
from genesis.errors import Corrupt, Invalid
from genesis.membership import STAKE_ASSET, STAKE_UNIT, ValidatorSet, eligible
from settlement.actions import ACTION_BYTES_MAX, Action, Activate, Force, decode_action, encode_action
from settlement.contract import Terms
from settlement.local_tables import Kind, Tables
from settlement.registry import Registry, genesis_registry, validator_sets
from settlement.validators import BURNT, PLEDGED, READINESS_COMMITMENTS, STAKED, Moment, carry_out, pledge_of

BOOK_ACCOUNTS = (PLEDGED, STAKED, BURNT)
_LAST = "SELECT payload, height FROM posting WHERE kind = ? AND dropped = 0 AND height <= ? ORDER BY place DESC LIMIT ?"


def encode_posting(sender: bytes, action: Force | Action, nonce: bytes) -> bytes:
    codec.check_bytes(sender, crypto.ADDRESS_BYTES, "A sender")
    return codec.encode((sender, encode_action(action), nonce))


def decode_posting(payload: bytes) -> tuple[bytes, Force | Action]:
    sender, action, _ = codec.decode_array(payload, 3, ACTION_BYTES_MAX, "A posting", depth_max=1)
    return sender, decode_action(action)


class LocalValidators:
    """The registry of one file, inside the caller's transaction."""

    def __init__(self, tables: Tables, terms: Terms) -> None:
        self._tables, self._terms = tables, terms

    def begin(self) -> int:
        """The set the chain begins with; returns what it has bonded, raw."""
        registry = genesis_registry(self._terms)
        self._save(0, registry)
        bonded = sum(member.bond for member in registry.members) * STAKE_UNIT
        self._tables.move(STAKED, STAKE_ASSET, bonded)
        return bonded

    def sets(self, from_version: int, up_to: int) -> tuple[ValidatorSet, ...]:
        return validator_sets(self._registry(), from_version, up_to)

    def pending(self) -> dict[bytes, int]:
        """Key → stake."""
        return {member.key: member.stake for member in self._registry().members if member.pending}

    def eligible(self, before: int, anchor: int) -> list[ValidatorSet]:
        """Those that may have certified a block with this anchor, after one with the anchor `before`."""
        return eligible(self.sets(0, anchor), before, anchor)

    def pledge(self, sender: bytes, action: Action, height: int) -> None:
        """
        Take what comes with an action that shall be posted now.

        Raises:
            Invalid: it could not be carried out at `height` as things are, or the sender holds too little.
        """
        carry_out(self._registry(), sender, action, self._terms, self._moment(action, height))
        amount = pledge_of(action)
        held = self._tables.balance(sender, STAKE_ASSET)
        if held < amount:
            raise Invalid(
                f"{crypto.checksum_address(sender)} holds {held // STAKE_UNIT} whole units of asset {STAKE_ASSET} on "
                f"the settlement chain, and {amount // STAKE_UNIT} are needed; bring them there first.",
                "insufficient_balance",
            )
        self._pay(sender, PLEDGED, amount)

    def take_in(self, payload: bytes, height: int) -> bool:
        """Carry an action out; False when it became impossible, what came with it given back."""
        sender, action = decode_posting(payload)
        assert not isinstance(action, Force), "forced transactions are entries of the inbox"
        try:
            moment = self._moment(action, height)
            registry, moves = carry_out(self._registry(), sender, action, self._terms, moment)
        except Invalid:
            self._pay(PLEDGED, sender, pledge_of(action))
            return False
        self._save(height, registry)
        for move in moves:
            self._pay(move.source, move.target, move.amount)
            row = (height, move.source, move.target, str(move.amount))
            self._tables.write("INSERT INTO moved VALUES (?, ?, ?, ?)", *row)
        return True

    def undo_above(self, height: int) -> None:
        statement = "SELECT source, target, amount FROM moved WHERE height > ? ORDER BY rowid DESC"
        for source, target, amount in self._tables.rows(statement, height):
            self._pay(target, source, int(amount))
        self._tables.write("DELETE FROM moved WHERE height > ?", height)
        self._tables.write("DELETE FROM registry WHERE height > ?", height)

    def audit(self) -> int:
        """
        What the book accounts hold, recomputed: bonds, what was burnt, what waits with its action.

        Raises:
            Corrupt: one holds something else.
        """
        waiting = "SELECT payload FROM posting WHERE kind = ? AND dropped = 0 AND height IS NULL"
        burnt = "SELECT amount FROM moved WHERE target = ?"
        expected = {
            STAKED: sum(member.bond for member in self._registry().members) * STAKE_UNIT,
            BURNT: sum(int(amount) for (amount,) in self._tables.rows(burnt, BURNT)),
            PLEDGED: sum(pledge_of(decode_posting(row)[1]) for (row,) in self._tables.rows(waiting, Kind.ACTION)),
        }
        for account, amount in expected.items():
            held = self._tables.balance(account, STAKE_ASSET)
            if held != amount:
                raise Corrupt(f"The book account {account.decode()} holds {held} instead of {amount}.")
        return sum(expected.values())

    def _registry(self) -> Registry:
        return Registry.decode(self._tables.row("SELECT payload FROM registry ORDER BY height DESC LIMIT 1")[0])

    def _save(self, height: int, registry: Registry) -> None:
        self._tables.write("INSERT OR REPLACE INTO registry VALUES (?, ?)", height, registry.encode())

    def _moment(self, action: Action, height: int) -> Moment:
        last = self._tables.row(_LAST, Kind.COMMITMENT, height, 1)
        final = self._tables.row(_LAST, Kind.COMMITMENT, height - self._terms.challenge_blocks, 1)
        anchor = Commitment.decode(final[0]).header.anchor_number if final else -1
        recent = self._recent(height) if isinstance(action, Activate) else []
        return Moment(height, last[1] if last else 0, anchor, recent)

    def _recent(self, height: int) -> list[tuple[int, bytes]]:
        rows = self._tables.rows(_LAST, Kind.COMMITMENT, height, READINESS_COMMITMENTS)
        commitments = [Commitment.decode(payload) for payload, _ in rows]
        return [(one.last_height, one.block_hash) for one in commitments]

    def _pay(self, source: bytes, target: bytes, amount: int) -> None:
        if amount:
            self._tables.move(source, STAKE_ASSET, -amount)
            self._tables.move(target, STAKE_ASSET, amount)
