"""
The sixteen development keys: public, constant, worth nothing; a chain with value must not fund them.

Key i is keccak256 of the phrase and the number i as decimal text, so that anyone can derive them in any language.
"""

from __future__ import annotations

from genesis.crypto import address_of, keccak256

PHRASE = "tenor development keys: published, for tests only, key "
COUNT = 16


def development_key(index: int) -> bytes:
    """Return the private key keccak256(PHRASE ‖ decimal index), 0 ≤ index < COUNT."""
    assert 0 <= index < COUNT, f"there are {COUNT} development keys, 0 to {COUNT - 1}"
    return keccak256(f"{PHRASE}{index}".encode())


def development_address(index: int) -> bytes:
    """Return the address of development key `index`."""
    return address_of(development_key(index))
