"""
The embedded contract's books: what postings do when a block takes them in, and how that is undone.

ESCROW and FUNDED are book accounts: ESCROW holds what is locked, always deposits − withdrawals paid; FUNDED what was
ever given out. A posting that a reorganisation made impossible (its anchor is gone) is dropped; its sender sees
"absent" and decides anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genesis import codec
from genesis.chain import Commitment, Deposit, Forced, InboxEntry, Withdrawal, WithdrawalProof, inbox_entry
from genesis.crypto import ZERO_HASH, sha256
from genesis.errors import Invalid
from genesis.membership import STAKE_ASSET
from settlement.actions import Action, Force
from settlement.adapter import ENTRIES_MAX, Committed, Standing
from settlement.contract import Standpoint, Terms, check_commitment, overdue_since
from settlement.local_fees import Fees
from settlement.local_tables import Kind, Tables
from settlement.local_validators import LocalValidators, decode_posting, encode_posting

ESCROW = b"escrow"
FUNDED = b"funded"
NONCE_BYTES_MAX = 64

_PAYLOAD_BYTES_MAX = 64 * 1024

_OF_KIND = "FROM posting WHERE kind = ? AND dropped = 0 "
_COVERING = f"SELECT height {_OF_KIND} AND place >= ? ORDER BY place LIMIT 1"
_ENDING = f"SELECT payload, height {_OF_KIND} AND place = ? AND height IS NOT NULL"
_OF_INBOX = f"FROM posting WHERE kind IN ({Kind.DEPOSIT:d}, {Kind.FORCED:d}) AND dropped = 0 "
_INBOX = f"SELECT kind, payload, place, height {_OF_INBOX} AND place >= ? AND height <= ? ORDER BY place LIMIT ?"
_LAST_FORCED = f"SELECT COALESCE(MAX(place), -1) {_OF_KIND} AND height <= ?"


class Books:
    """Postings and balances of one file, inside the caller's transaction."""

    def __init__(self, tables: Tables, terms: Terms) -> None:
        self._tables = tables
        self._terms = terms
        self.validators = LocalValidators(tables, terms)
        self.fees = Fees(tables)

    def begin(self) -> None:
        """The first validators' stake, which counts as given out."""
        self._tables.move(FUNDED, STAKE_ASSET, self.validators.begin())

    def fund(self, account: bytes, asset: int, amount: int) -> None:
        """Give out money from nowhere: the faucet of a chain whose money is worth nothing."""
        codec.check_amount(amount, "An amount to give out")
        rooms = self._terms.rooms
        given = self._tables.balance(FUNDED, asset)
        if asset < len(rooms) and given + amount > rooms[asset]:
            raise Invalid(
                f"{given} of asset {asset} was given out; {amount} more could not be deposited: the bank's supply ends "
                f"at {rooms[asset]} beside genesis. Give out less.",
                "supply_limit",
            )
        self._tables.move(account, asset, amount)
        self._tables.move(FUNDED, asset, amount)

    def post_deposit(self, account: bytes, asset: int, amount: int, nonce: bytes) -> bytes:
        """See `SettlementAccount.deposit`. The money leaves the balance at once."""
        entry = Deposit(0, account, asset, amount, 0)
        if len(nonce) > NONCE_BYTES_MAX:
            raise Invalid(f"A nonce has at most {NONCE_BYTES_MAX} bytes.", "malformed")
        if asset >= self._terms.assets:
            raise Invalid(
                f"Asset {asset} is none of the chain's {self._terms.assets}; it could never be credited.",
                "unknown_asset",
            )
        payload = codec.encode((*entry.fields(), nonce))
        posting = sha256(b"deposit" + payload)
        if self._known(posting):
            return posting
        held = self._tables.balance(account, asset)
        if held < amount:
            raise Invalid(f"The account holds {held} of asset {asset}, less than {amount}.", "insufficient_balance")
        self._tables.move(account, asset, -amount)
        self._post(posting, Kind.DEPOSIT, payload, None)
        return posting

    def post_action(self, sender: bytes, action: Force | Action, nonce: bytes, tip: int) -> bytes:
        """See `SettlementAccount.act`. What comes with it leaves the balance at once."""
        if len(nonce) > NONCE_BYTES_MAX:
            raise Invalid(f"A nonce has at most {NONCE_BYTES_MAX} bytes.", "malformed")
        payload = encode_posting(sender, action, nonce)
        posting = sha256(b"action" + payload)
        if not self._known(posting):
            if not isinstance(action, Force):
                self.validators.pledge(sender, action, tip + 1)
            self._post(posting, Kind.FORCED if isinstance(action, Force) else Kind.ACTION, payload, None)
        return posting

    def post_commitment(self, commitment: Commitment, tip: int, poster: bytes | None) -> bytes:
        """See `SettlementAdapter.submit`. poster: who pays, None for nobody."""
        if not self._known(commitment.id):
            check_commitment(commitment, self._terms, self._standpoint(commitment, self._last(mined=False), tip + 1))
            payload = commitment.encode()
            self.fees.charge(poster, commitment.id, len(payload))
            self._post(commitment.id, Kind.COMMITMENT, payload, commitment.last_height)
        return commitment.id

    def post_withdrawal(self, withdrawal: Withdrawal, proof: WithdrawalProof, tip: int) -> bytes:
        """See `SettlementAccount.withdraw`."""
        posting = sha256(b"withdrawal" + withdrawal.index.to_bytes(8, "big"))
        root = self._final_withdrawals_root(proof.height, tip)
        proof.check(root, withdrawal)
        if not self._known(posting):
            self._post(posting, Kind.WITHDRAWAL, codec.encode(withdrawal.fields()), withdrawal.index)
        return posting

    def standing(self, posting: bytes | int, tip: int) -> Standing:
        """See `SettlementAdapter.standing`."""
        if isinstance(posting, bytes):
            found = self._tables.row("SELECT height FROM posting WHERE id = ? AND dropped = 0", posting)
        else:
            found = self._tables.row(_COVERING, Kind.COMMITMENT, posting)
        if found is None:
            return "absent"
        if found[0] is None:
            return "pending"
        return "final" if tip - found[0] >= self._terms.challenge_blocks else "posted"

    def committed(self) -> Committed:
        last = self._last(mined=False)
        return Committed(last.last_height, last.block_hash) if last else Committed(0, ZERO_HASH)

    def inbox(self, from_index: int, up_to: int) -> tuple[InboxEntry, ...]:
        rows = self._tables.rows(_INBOX, from_index, up_to, ENTRIES_MAX)
        return tuple(_entry(kind, payload, place, height) for kind, payload, place, height in rows)

    def take_in(self, number: int, height: int) -> None:
        """Let the block at `height` take a waiting posting in: it has its effect, or is dropped."""
        kind, payload = self._tables.row("SELECT kind, payload FROM posting WHERE number = ?", number)
        if kind == Kind.COMMITMENT:
            taken = self._commitment_holds(Commitment.decode(payload), height)
        elif kind == Kind.WITHDRAWAL:
            taken = self._pay(payload)
        elif kind == Kind.ACTION:
            taken = self.validators.take_in(payload, height)
        else:
            taken = self._enter(number, kind, payload)
        if taken:
            self._tables.write("UPDATE posting SET height = ? WHERE number = ?", height, number)
        else:
            self._tables.write("UPDATE posting SET dropped = 1 WHERE number = ?", number)

    def undo_above(self, height: int) -> None:
        """Put every posting above a settlement height back among the waiting, its effect undone."""
        above = "SELECT number, kind, payload FROM posting WHERE height > ?"
        for number, kind, payload in self._tables.rows(above, height):
            if kind in (Kind.DEPOSIT, Kind.FORCED):
                entry = _entry(kind, payload, 0, 0)
                if isinstance(entry, Deposit):
                    self._tables.move(ESCROW, entry.asset, -entry.amount)
                self._tables.write("UPDATE posting SET place = NULL, queue = -queue WHERE number = ?", number)
            elif kind == Kind.WITHDRAWAL:
                withdrawal = withdrawal_of(payload)
                self._tables.move(withdrawal.account, withdrawal.asset, -withdrawal.amount)
                self._tables.move(ESCROW, withdrawal.asset, withdrawal.amount)
        self.validators.undo_above(height)
        self._tables.write("UPDATE posting SET height = NULL WHERE height > ?", height)

    def _known(self, posting: bytes) -> bool:
        return self._tables.row("SELECT 1 FROM posting WHERE id = ? AND dropped = 0", posting) is not None

    def _post(self, posting: bytes, kind: Kind, payload: bytes, place: int | None) -> None:
        (queue,) = self._tables.row("SELECT COALESCE(MAX(ABS(queue)), 0) + 1 FROM posting")
        self._tables.write("DELETE FROM posting WHERE id = ? AND dropped = 1", posting)
        statement = "INSERT INTO posting(id, kind, payload, queue, place) VALUES (?, ?, ?, ?, ?)"
        self._tables.write(statement, posting, kind, payload, queue, place)

    def _last(self, *, mined: bool) -> Commitment | None:
        only = "AND height IS NOT NULL " if mined else ""
        statement = f"SELECT payload FROM posting WHERE kind = ? AND dropped = 0 {only}ORDER BY place DESC LIMIT 1"
        found = self._tables.row(statement, Kind.COMMITMENT)
        return Commitment.decode(found[0]) if found else None

    def _standpoint(self, commitment: Commitment, last: Commitment | None, height: int) -> Standpoint:
        """height: of the settlement block that takes the commitment in."""
        anchor = commitment.header.anchor_number
        block = self._tables.row("SELECT hash FROM block WHERE height = ?", anchor)
        (entries,) = self._tables.row(f"SELECT COUNT(*) {_OF_INBOX} AND height <= ?", anchor)
        (overdue,) = self._tables.row(_LAST_FORCED, Kind.FORCED, overdue_since(self._terms, anchor, height))
        eligible = self.validators.eligible(last.header.anchor_number if last else 0, anchor)
        return Standpoint(last, block[0] if block else None, entries, overdue + 1, eligible)

    def _commitment_holds(self, commitment: Commitment, height: int) -> bool:
        try:
            check_commitment(commitment, self._terms, self._standpoint(commitment, self._last(mined=True), height))
        except Invalid:
            return False
        return True

    def _enter(self, number: int, kind: int, payload: bytes) -> bool:
        """The next entry of the inbox; a deposit's money is locked."""
        (index,) = self._tables.row(f"SELECT COUNT(*) {_OF_INBOX} AND height IS NOT NULL")
        entry = _entry(kind, payload, index, 0)
        if isinstance(entry, Deposit):
            self._tables.move(ESCROW, entry.asset, entry.amount)
        self._tables.write("UPDATE posting SET place = ? WHERE number = ?", index, number)
        return True

    def _pay(self, payload: bytes) -> bool:
        withdrawal = withdrawal_of(payload)
        if self._tables.balance(ESCROW, withdrawal.asset) < withdrawal.amount:
            return False
        self._tables.move(ESCROW, withdrawal.asset, -withdrawal.amount)
        self._tables.move(withdrawal.account, withdrawal.asset, withdrawal.amount)
        return True

    def _final_withdrawals_root(self, height: int, tip: int) -> bytes:
        found = self._tables.row(_ENDING, Kind.COMMITMENT, height)
        if found is None or tip - found[1] < self._terms.challenge_blocks:
            raise Invalid(f"No final commitment ends at height {height}; wait until it is final.", "not_final")
        return Commitment.decode(found[0]).withdrawals_root


def _entry(kind: int, payload: bytes, index: int, height: int) -> InboxEntry:
    if kind == Kind.FORCED:
        _, action = decode_posting(payload)
        assert isinstance(action, Force), "a posting of this kind forces"
        return Forced(index, action.raw, height)
    return replace(deposit_of(payload), index=index, settlement_height=height)


def deposit_of(payload: bytes) -> Deposit:
    *fields, _ = _array(payload, 7)
    entry = inbox_entry(tuple(fields))
    assert isinstance(entry, Deposit), "a posting of this kind deposits"
    return entry


def withdrawal_of(payload: bytes) -> Withdrawal:
    return Withdrawal.of(_array(payload, 4))


def _array(payload: bytes, length: int) -> tuple[Any, ...]:
    return codec.decode_array(payload, length, _PAYLOAD_BYTES_MAX, "A posting")
