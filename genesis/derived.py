"""
Addresses that belong to an account by construction: its sub-accounts, and a program's purse for hooks.

    derived_address(owner, number) = SHA-256(DERIVED_TAG ‖ owner ‖ 4 zero bytes ‖ number)[:20]

owner and number stand as words of the packed ABI, so that a program computes the same (`Account.derived`). Nobody has
a key of such an address, and no other owner or number leads to it.
"""

from __future__ import annotations

from hashlib import sha256

DERIVED_TAG = b"\x19Tenor derived1\n"
"""16 bytes, two words."""
PURSE = -1
"""Number of a program's purse; sub-accounts count from 0."""


def derived_address(owner: bytes, number: int) -> bytes:
    """The 20 bytes derived from an account and a number in [−2⁶³, 2⁶³)."""
    return sha256(DERIVED_TAG + owner + bytes(4) + number.to_bytes(8, "little", signed=True)).digest()[:20]
