"""
What posting costs on the embedded chain, in its own coin: nothing, until the test chain's control turns fees on.

The fee is taken when a commitment is handed in, from whoever hands it in first, and burnt. It stays burnt when a
reorganisation drops the commitment, as it does of a transaction that a real chain includes and undoes.
"""

from __future__ import annotations

from decimal import Decimal

from genesis.crypto import checksum_address
from genesis.errors import Corrupt, Invalid
from settlement.adapter import COIN_UNIT
from settlement.local_tables import Tables
from settlement.validators import BURNT

COIN = 1 << 32
"""What books and `fund` know the chain's own coin by: above the bank's assets, so nobody can deposit it."""
FEE_BASE = 50_000_000_000_000
"""Raw 10⁻¹⁸ of the coin per commitment; FEE_BYTE per byte of it. Invented, of the size of a cheap EVM chain."""
FEE_BYTE = 16_000_000_000

_SWITCH = "fees"


class Fees:
    """Those of one file, inside the caller's transaction."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def on(self) -> bool:
        return bool(self._tables.meta(_SWITCH))

    def switch(self, on: bool) -> None:
        self._tables.set_meta(_SWITCH, int(on))

    def quote(self, commitment_bytes: int) -> int:
        """What one of this size costs now, raw; 0 while posting is free."""
        return FEE_BASE + FEE_BYTE * commitment_bytes if self.on else 0

    def charge(self, poster: bytes | None, posting: bytes, commitment_bytes: int) -> None:
        """Take what a commitment costs now. Raises Invalid "insufficient_balance"."""
        fee = self.quote(commitment_bytes)
        if fee == 0:
            return
        if poster is None:
            raise Invalid("Posting costs a fee, and no account here pays it; open with one.", "insufficient_balance")
        held = self._tables.balance(poster, COIN)
        if held < fee:
            raise Invalid(
                f"{checksum_address(poster)} holds {_coins(held)} of the settlement chain's own coin, and posting this "
                f"costs {_coins(fee)}; give it more.",
                "insufficient_balance",
            )
        self._tables.move(poster, COIN, -fee)
        self._tables.move(BURNT, COIN, fee)
        self._tables.write("INSERT INTO fee VALUES (?, ?)", posting, str(fee))

    def audit(self) -> int:
        """What was burnt, recomputed fee by fee, raw. Raises Corrupt when the books hold something else."""
        burnt = sum(int(amount) for (amount,) in self._tables.rows("SELECT amount FROM fee"))
        held = self._tables.balance(BURNT, COIN)
        if held != burnt:
            raise Corrupt(f"{held} of the settlement chain's own coin is burnt instead of {burnt}.")
        return burnt


def _coins(raw: int) -> str:
    return f"{(Decimal(raw) / COIN_UNIT).normalize():f}"
