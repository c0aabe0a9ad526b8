"""
The embedded contract's books recomputed from every posting: nothing has appeared, nothing has vanished.

What was ever given out of an asset, or of the chain's own coin, is held by accounts, locked for the chain, bonded,
burnt, or on its way with a posting that waits.
"""

from __future__ import annotations

from genesis.errors import Corrupt
from genesis.membership import STAKE_ASSET
from settlement.local_books import ESCROW, FUNDED, deposit_of, withdrawal_of
from settlement.local_fees import COIN, Fees
from settlement.local_tables import Kind, Tables
from settlement.local_validators import BOOK_ACCOUNTS, LocalValidators

_POSTINGS = "SELECT kind, payload, height FROM posting WHERE dropped = 0"
_GIVEN_OUT = "SELECT asset, amount FROM balance WHERE account = ?"
_HELD = "SELECT amount FROM balance WHERE asset = ? AND account NOT IN (?, ?, ?, ?, ?)"


def audit(tables: Tables, validators: LocalValidators, fees: Fees) -> dict[int, int]:
    """
    Return what is locked, per asset.

    Raises:
        Corrupt: locked ≠ deposits − paid, or money appeared or vanished.
    """
    locked, waiting = _crossing(tables)
    kept = {STAKE_ASSET: validators.audit(), COIN: fees.audit()}
    for asset, funded in tables.rows(_GIVEN_OUT, FUNDED):
        found = tables.balance(ESCROW, asset)
        held = sum(int(amount) for (amount,) in tables.rows(_HELD, asset, ESCROW, FUNDED, *BOOK_ACCOUNTS))
        elsewhere = waiting.get(asset, 0) + kept.get(asset, 0)
        if found != locked.get(asset, 0) or int(funded) != held + found + elsewhere:
            should = locked.get(asset, 0)
            raise Corrupt(f"Settlement of asset {asset} is not conserved: {found} locked instead of {should}.")
    return locked


def _crossing(tables: Tables) -> tuple[dict[int, int], dict[int, int]]:
    """By asset: deposits taken in less withdrawals paid, and deposits that wait for a block."""
    locked: dict[int, int] = {}
    waiting: dict[int, int] = {}
    for kind, payload, height in tables.rows(_POSTINGS):
        if kind == Kind.DEPOSIT:
            entry, books = deposit_of(payload), waiting if height is None else locked
            books[entry.asset] = books.get(entry.asset, 0) + entry.amount
        elif kind == Kind.WITHDRAWAL and height is not None:
            paid = withdrawal_of(payload)
            locked[paid.asset] = locked.get(paid.asset, 0) - paid.amount
    return locked, waiting
