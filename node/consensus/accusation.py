"""
What proves that a validator contradicted itself, to anybody who has its address.

Of two votes it is the very evidence that settlement takes the stake for; of two blocks proposed in one view it is their
headers with the proposer's signatures, which settlement does not take: who is misled by them has not voted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto
from genesis.chain import Block, Header
from genesis.errors import Invalid
from genesis.membership import Evidence
from node.consensus.words import Ballot, Rules

PROPOSE = "propose"
PROOF_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Accusation:
    """
    kind: notarise, finalise or propose. proof: of votes `Evidence.encode()`; of proposals canonical msgpack of header,
    signature, header, signature.
    """

    validator: bytes
    view: int
    kind: str
    proof: bytes

    @classmethod
    def of_votes(cls, first: Ballot, second: Ballot, rules: Rules) -> Accusation:
        said, proof = first.said, Evidence(first.vote(rules), second.vote(rules))
        return cls(first.signer, said.view, said.kind.name.lower(), proof.encode())

    @classmethod
    def of_blocks(cls, first: Block, second: Block) -> Accusation:
        header = first.header
        proof = codec.encode((header.fields(), first.signature, second.header.fields(), second.signature))
        return cls(header.proposer, header.view, PROPOSE, proof)

    @property
    def slashable(self) -> bool:
        """Whether settlement takes it."""
        return self.kind != PROPOSE

    def check(self, chain: int) -> None:
        """Raises Invalid "no_evidence" unless the proof shows what is said here."""
        if self.slashable:
            evidence = Evidence.decode(self.proof)
            first = evidence.first
            found = (evidence.offender(chain), first.view, first.kind.name.lower())
        else:
            found = _proposer_of_two(self.proof)
        if found != (self.validator, self.view, self.kind):
            raise Invalid(f"This proves something of 0x{found[0].hex()} in view {found[1]}, not that.", "no_evidence")

    def fields(self) -> tuple[Any, ...]:
        return (self.validator, self.view, self.kind, self.proof)

    @classmethod
    def of(cls, members: Sequence[Any]) -> Accusation:
        return cls(*codec.expect_array(members, 4, "An accusation"))


def _proposer_of_two(proof: bytes) -> tuple[bytes, int, str]:
    """Raises Invalid."""
    one, signature, other, signature_too = codec.decode_array(proof, 4, PROOF_BYTES_MAX, "Two proposals", depth_max=2)
    first, second = Header.of(one), Header.of(other)
    for header, signed in ((first, signature), (second, signature_too)):
        codec.check_bytes(signed, crypto.SIGNATURE_BYTES, "A proposer's signature")
        if crypto.recover(header.proposal_digest(), signed) != header.proposer:
            raise Invalid("A header is not signed by the proposer it names.", "no_evidence")
    if (first.proposer, first.view) != (second.proposer, second.view) or first == second:
        raise Invalid("Two blocks of one proposer and view are a contradiction; these are not.", "no_evidence")
    return first.proposer, first.view, PROPOSE
