"""
Hashes, secp256k1 signatures and account addresses: the one file that imports coincurve and a C keccak.

Signatures are 65 bytes r ‖ s ‖ v, v 0 or 1, over a 32-byte digest. Only the low half of s is valid (BIP-62, EIP-2),
so a signature has no second form. An account is the last 20 bytes of keccak256 of the public key, as in Ethereum.
Keccak is safe-pysha3's: 1 µs a call, pycryptodome's 5.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256

from genesis.errors import Invalid

HASH_BYTES = 32
SIGNATURE_BYTES = 65
ADDRESS_BYTES = 20
PRIVATE_KEY_BYTES = 32
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the curve's group (SEC 2, secp256k1)."""

ZERO_HASH = bytes(HASH_BYTES)
ZERO_ADDRESS = bytes(ADDRESS_BYTES)

_HALF_ORDER = (ORDER // 2).to_bytes(32, "big")
_KEYS_CACHED_MAX = 64


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's Keccak-256 (not SHA3-256), 32 bytes."""
    digest: bytes = keccak_256(data).digest()
    return digest


def sha256(data: bytes) -> bytes:
    """Return SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def sign(digest: bytes, private_key: bytes) -> bytes:
    """
    Return the deterministic (RFC 6979) low-s signature r ‖ s ‖ v of a 32-byte digest.

    Raises:
        Invalid: "bad_key" when the private key is not 32 bytes in [1, ORDER).
    """
    assert len(digest) == HASH_BYTES, "sign takes a 32-byte digest, not a message"
    signature: bytes = _private(private_key).sign_recoverable(digest, hasher=None)
    assert signature[64] < 2, "r ≥ ORDER: expected once in 2¹²⁷ signatures"
    return signature


def recover(digest: bytes, signature: bytes) -> bytes:
    """
    Return the 20-byte address whose key signed the 32-byte digest.

    Raises:
        Invalid: "bad_signature" for a wrong length, v above 1, s in the high half, or r, s that recover no point.
    """
    assert len(digest) == HASH_BYTES, "recover takes a 32-byte digest, not a message"
    if len(signature) != SIGNATURE_BYTES:
        raise Invalid(
            f"A signature has {SIGNATURE_BYTES} bytes r ‖ s ‖ v; this one has {len(signature)}.", "bad_signature"
        )
    if signature[64] > 1:
        raise Invalid(
            f"The recovery byte is 0 or 1, not {signature[64]} (Ethereum's 27 is 0, 28 is 1).", "bad_signature"
        )
    if signature[32:64] > _HALF_ORDER:
        raise Invalid(
            "The signature's s lies in the high half; use ORDER − s and flip the recovery byte.", "bad_signature"
        )
    try:
        public = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as error:
        raise Invalid("The signature recovers no public key; sign again.", "bad_signature") from error
    return _address(public)


@lru_cache(maxsize=_KEYS_CACHED_MAX)
def address_of(private_key: bytes) -> bytes:
    """Return the 20-byte address of a private key. Raises Invalid "bad_key"."""
    return _address(_private(private_key).public_key)


def checksum_address(address: bytes) -> str:
    """Return the EIP-55 text form: 0x and 40 hexadecimal digits whose case is a checksum."""
    assert len(address) == ADDRESS_BYTES, "an address has 20 bytes"
    digits = address.hex()
    nibbles = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if n > "7" else d for d, n in zip(digits, nibbles, strict=False))


def parse_address(text: str) -> bytes:
    """
    Return the 20 bytes of an address written 0x and 40 hexadecimal digits.

    All lower or all upper case is taken as it is; mixed case must be the EIP-55 checksum.

    Raises:
        Invalid: "bad_address".
    """
    if len(text) != 42 or text[:2] != "0x" or not all(c in "0123456789abcdefABCDEF" for c in text[2:]):
        raise Invalid(f"An address is 0x and 40 hexadecimal digits, not {text[:64]!r}.", "bad_address")
    address = bytes.fromhex(text[2:])
    digits = text[2:]
    if digits != digits.lower() and digits != digits.upper() and text != checksum_address(address):
        raise Invalid(f"{text} fails its EIP-55 checksum; {checksum_address(address)} would pass.", "bad_address")
    return address


@lru_cache(maxsize=_KEYS_CACHED_MAX)
def _private(private_key: bytes) -> PrivateKey:
    """Parsing computes the public key, as dear as a signature; so the last few keys are kept parsed."""
    if len(private_key) != PRIVATE_KEY_BYTES or not 0 < int.from_bytes(private_key, "big") < ORDER:
        raise Invalid("A private key is 32 bytes, a number above 0 and below the order of secp256k1.", "bad_key")
    return PrivateKey(private_key)


def _address(public: PublicKey) -> bytes:
    return keccak256(public.format(compressed=False)[1:])[12:]
