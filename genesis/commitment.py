"""
Commitments: what the chain tells its settlement chain about a span of blocks.

A commitment is the header of its last block and the certificate of that block; everything it claims (state, claims
and withdrawals root, inbox entries consumed) stands in the certified header, so nothing else needs a signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.header import Header
from genesis.settling import Certificate

COMMITMENT_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Commitment:
    """
    Blocks first_height … header.height, both included, inside one commitment span.

    header: of the last block. certificate: of the last block.
    """

    first_height: int
    header: Header
    certificate: Certificate

    def __post_init__(self) -> None:
        codec.check_uint(self.first_height, 63, "A commitment's first height")
        if not 1 <= self.first_height <= self.header.height:
            raise Invalid("A commitment covers at least one block, from height 1 on.", "malformed")
        if (self.certificate.height, self.certificate.block_hash) != (self.header.height, self.header.hash()):
            raise Invalid(f"The certificate is for another block than {self.header.height}.", "wrong_certificate")
        if self.certificate.validators != self.header.validators:
            raise Invalid("Certificate and header name different validator sets.", "wrong_certificate")

    @property
    def last_height(self) -> int:
        return self.header.height

    @property
    def block_hash(self) -> bytes:
        return self.certificate.block_hash

    @property
    def state_root(self) -> bytes:
        return self.header.state_root

    @property
    def claims_root(self) -> bytes:
        return self.header.claims_root

    @property
    def withdrawals_root(self) -> bytes:
        return self.header.withdrawals_root

    @property
    def inbox_count(self) -> int:
        """Inbox entries consumed over the chain's life."""
        return self.header.inbox_count

    @property
    def id(self) -> bytes:
        return self.identity(self.first_height, self.block_hash)

    @staticmethod
    def identity(first_height: int, block_hash: bytes) -> bytes:
        """SHA-256(first height u64 ‖ block hash): the same whichever quorum signed."""
        return crypto.sha256(first_height.to_bytes(8, "big") + block_hash)

    def encode(self) -> bytes:
        return codec.encode((self.first_height, self.header.fields(), self.certificate.fields()))

    @classmethod
    def decode(cls, data: bytes) -> Commitment:
        """Raises Invalid."""
        first, header, certificate = codec.decode_array(data, 3, COMMITMENT_BYTES_MAX, "A commitment", depth_max=3)
        return cls(first, Header.of(header), Certificate.of(certificate))
