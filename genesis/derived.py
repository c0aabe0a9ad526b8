"""
Addresses that belong to an account by construction: its sub-accounts, a program's purse for hooks, and the programs
that a program creates.

    derived_address(owner, number) = SHA-256(DERIVED_TAG ‖ owner ‖ 4 zero bytes ‖ number)[:20]

owner and number stand as words of the packed ABI, so that a program computes the same (`Account.derived`). Nobody has
a key of such an address, and no other owner or number leads to it.

    created_address(creator, number) = SHA-256(CREATED_TAG ‖ creator ‖ 4 zero bytes ‖ number)[:20]

is the same under a tag of its own, so that no sub-account or purse is where a program will be.
"""

from __future__ import annotations

from hashlib import sha256

DERIVED_TAG = b"\x19Tenor derived1\n"
"""16 bytes, two words."""
CREATED_TAG = b"\x19Tenor created1\n"
"""As long."""
PURSE = -1
"""Number of a program's purse; sub-accounts count from 0."""


def derived_address(owner: bytes, number: int) -> bytes:
    """The 20 bytes derived from an account and a number in [−2⁶³, 2⁶³)."""
    return sha256(DERIVED_TAG + owner + bytes(4) + number.to_bytes(8, "little", signed=True)).digest()[:20]


def created_address(creator: bytes, number: int) -> bytes:
    """Of the program that a program asks for as its number-th, counted from 0."""
    return sha256(CREATED_TAG + creator + bytes(4) + number.to_bytes(8, "little", signed=True)).digest()[:20]
