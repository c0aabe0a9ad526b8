"""
Headers: what a block's hash, its proposer's signature and its certificate stand for.

Hash and signature are over fixed-width big-endian fields, so that a settlement contract rebuilds them with one
`concat`; inside a block a header travels as canonical msgpack. The parent of block 1 is `genesis.spec.genesis_hash`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto

BLOCK_TAG = b"\x19Tenor block v1\n"
HEADER_VERSION = 1

_WIDTHS = (4, 8, 8, 8, 32, 8, 20, 8, 8, 32, 8, 32, 32, 32, 32, 32, 32, 8)


@dataclass(frozen=True, slots=True)
class Header:
    """
    What a block is. Fields in hashing order, with their width in bytes.

    version 4; height 8, from 1; time_ms 8; gap_ms 8, of an outage before this block, else 0; parent 32, a hash; view 8;
    proposer 20; validators 8, version of the set that certifies it (`genesis.membership.certifying`); anchor_number 8
    and anchor_hash 32, the settlement block up to which deposits are read; inbox_count 8, entries consumed over the
    chain's life, this block included; body_root, receipts_root, events_root, withdrawals_root, claims_root, state_root
    32 each; gas_used 8.

    withdrawals_root is over all withdrawals since the commitment span of this height began (`commitment_span`), so
    that the certificate of a span's last block vouches for the commitment's tree.
    """

    version: int
    height: int
    time_ms: int
    gap_ms: int
    parent: bytes
    view: int
    proposer: bytes
    validators: int
    anchor_number: int
    anchor_hash: bytes
    inbox_count: int
    body_root: bytes
    receipts_root: bytes
    events_root: bytes
    withdrawals_root: bytes
    claims_root: bytes
    state_root: bytes
    gas_used: int

    def __post_init__(self) -> None:
        for name, width, value in zip(self.__slots__, _WIDTHS, self.fields(), strict=True):
            if width > 8 or name == "proposer":
                codec.check_bytes(value, width, f"A header's {name}")
            else:
                codec.check_uint(value, min(width * 8, 63), f"A header's {name}")

    def fields(self) -> tuple[Any, ...]:
        return (
            self.version, self.height, self.time_ms, self.gap_ms, self.parent, self.view, self.proposer,
            self.validators, self.anchor_number, self.anchor_hash, self.inbox_count, self.body_root,
            self.receipts_root, self.events_root, self.withdrawals_root, self.claims_root, self.state_root,
            self.gas_used,
        )  # fmt: skip

    def fixed_bytes(self) -> bytes:
        """Return the fields at their fixed widths, 344 bytes: what is hashed and signed."""
        pairs = zip(_WIDTHS, self.fields(), strict=True)
        return b"".join(value if isinstance(value, bytes) else value.to_bytes(width, "big") for width, value in pairs)

    def hash(self) -> bytes:
        """Return SHA-256 of the fixed-width fields: the block's hash."""
        return crypto.sha256(self.fixed_bytes())

    def proposal_digest(self) -> bytes:
        """Return what the proposer signs: keccak256(BLOCK_TAG ‖ fixed-width fields)."""
        return crypto.keccak256(BLOCK_TAG + self.fixed_bytes())

    @classmethod
    def of(cls, members: object) -> Header:
        return cls(*codec.expect_array(members, len(_WIDTHS), "A header"))


def commitment_span(height: int, commitment_blocks: int) -> tuple[int, int]:
    """Return first and last height of the commitment that covers `height` ≥ 1: 1 … B, B + 1 … 2 B, and so on."""
    first = (height - 1) // commitment_blocks * commitment_blocks + 1
    return first, first + commitment_blocks - 1
