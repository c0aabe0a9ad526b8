"""
Names and keys of nodes: a node's name is the libp2p peer id of its public key, which the name contains.

    name = base58(00 ‖ length ‖ 08 ‖ type ‖ 12 ‖ length ‖ public key), type 1 ed25519 (32 bytes), 2 secp256k1 (33)

as https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md has it. Needs no libp2p, whose import takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from genesis.crypto import ORDER
from genesis.errors import Invalid
from p2p.network import Peer

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SECRET_BYTES = 32
NAME_CHARACTERS = range(50, 56)
"""52 for ed25519, 53 for secp256k1."""


class Kind(StrEnum):
    """Of a node key."""

    ED25519 = "ed25519"
    SECP256K1 = "secp256k1"


PREFIX = {Kind.ED25519: bytes.fromhex("002408011220"), Kind.SECP256K1: bytes.fromhex("002508021221")}
PUBLIC_BYTES = {Kind.ED25519: 32, Kind.SECP256K1: 33}


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's secret: 32 bytes, an ed25519 seed or a secp256k1 scalar. Not a validator's key."""

    secret: bytes
    kind: Kind = Kind.ED25519

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise Invalid(f"A node key has {len(self.secret)} bytes; give {SECRET_BYTES}.", "bad_key")
        if self.kind is Kind.SECP256K1 and not 0 < int.from_bytes(self.secret, "big") < ORDER:
            raise Invalid("The node key is outside the curve's order; draw another.", "bad_key")

    def __repr__(self) -> str:
        return f"NodeKey({self.peer})"

    @property
    def peer(self) -> Peer:
        if self.kind is Kind.ED25519:
            public = self._ed25519().public_key().public_bytes_raw()
        else:
            public = self._secp256k1().public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return _base58(PREFIX[self.kind] + public)

    def sign(self, message: bytes) -> bytes:
        if self.kind is Kind.ED25519:
            return self._ed25519().sign(message)
        return self._secp256k1().sign(message, ECDSA(SHA256()))

    def _ed25519(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.secret)

    def _secp256k1(self) -> EllipticCurvePrivateKey:
        return derive_private_key(int.from_bytes(self.secret, "big"), SECP256K1())


@lru_cache(maxsize=1_024)
def public_key(peer: Peer) -> tuple[Kind, bytes]:
    """Return the key a name contains. Raises Invalid "bad_peer" when it is no name."""
    number = 0
    for character in peer if len(peer) in NAME_CHARACTERS else "?":
        digit = ALPHABET.find(character)
        if digit < 0:
            raise Invalid(f"{peer!r} is no peer id; one looks like 12D3KooW… or 16Uiu2H….", "bad_peer")
        number = number * 58 + digit
    for kind, prefix in PREFIX.items():
        length = len(prefix) + PUBLIC_BYTES[kind]
        # The first byte of a prefix is zero and stands as a single "1".
        data = number.to_bytes(length, "big") if number.bit_length() <= 8 * length else b""
        if data.startswith(prefix) and peer[0] == "1":
            return kind, data[len(prefix) :]
    raise Invalid(f"{peer!r} names no ed25519 or secp256k1 key; give a peer id of such a key.", "bad_peer")


def is_peer(text: str) -> bool:
    """Whether it is a node's name."""
    try:
        return bool(public_key(text))
    except Invalid:
        return False


def is_signed(peer: Peer, message: bytes, signature: bytes) -> bool:
    """Whether the peer signed the message. False also when the name is none."""
    try:
        kind, public = public_key(peer)
        if kind is Kind.ED25519:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            key = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), public)
            key.verify(signature, message, ECDSA(SHA256()))
    except (Invalid, InvalidSignature, ValueError):
        return False
    return True


def _base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text
