"""
What validators send one another: votes, proposals, reminders; and the two questions they ask, for a block and a range.

Canonical msgpack; sizes first, then shape, then signatures. Whatever is wrong raises Invalid, and its sender is blamed.
Signatures of quorums are left to whoever knows which of them are new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto
from genesis.chain import BLOCK_BYTES_MAX, Block, Certificate
from genesis.errors import Invalid
from node.consensus.doors import Certified
from node.consensus.words import Ballot, Quorum, Rules, Said, ballot_of, said_of

VOTES, BLOCKS = "consensus/votes/1", "consensus/blocks/1"
"""Streams; apart, so that no vote waits behind a block."""
BLOCK, RANGE = "consensus/block/1", "consensus/range/1"
KNOWN = "consensus/known/1"
"""Requests: a proposal by its hash; certified blocks by height; what was heard of a validator, by its address."""
BALLOTS_MAX = 1_024
QUORUMS_MAX = 1_024
PROOF_BYTES_MAX = 2 << 20
PROPOSAL_BYTES_MAX = BLOCK_BYTES_MAX + PROOF_BYTES_MAX
RANGE_BYTES_MAX = 1 << 20
"""Of an answer, but for a single block that is larger: short, so that the first is worked on while others travel."""


@dataclass(frozen=True, slots=True)
class Votes:
    """
    validators: version of the set that these are of. height: of the sender's newest certified block. asks: the sender
    lacks something and wants a reminder back.
    """

    validators: int
    height: int
    asks: bool
    ballots: tuple[Ballot, ...]
    quorums: tuple[Quorum, ...] = ()

    def encode(self) -> bytes:
        ballots = tuple((*_said(ballot), ballot.signature) for ballot in self.ballots[-BALLOTS_MAX:])
        return codec.encode((self.validators, self.height, self.asks, ballots, _quorums(self.quorums)))


@dataclass(frozen=True, slots=True)
class Proposal:
    """proofs: why the block may be proposed in its view."""

    block: Block
    proofs: tuple[Quorum, ...]

    def encode(self) -> bytes:
        return codec.encode((self.block.encode(), _quorums(self.proofs)))


Known = Mapping[int, Rules]
"""By version: the sets whose words are listened to."""


def decode_votes(data: bytes, known: Known, unheard: Callable[[Said, bytes], bool] = lambda *_: True) -> Votes:
    """
    Of another set only version and height are of interest.

    Args:
        unheard: which votes are wanted, by their words and signature; recovering who signed the others would be work
            for nothing, and a peer could ask for it without end.

    Raises:
        Invalid: malformed, or a signature that is no validator's.
    """
    version, height, asks, ballots, quorums = codec.decode_array(data, 5, PROOF_BYTES_MAX, "Votes", depth_max=4)
    codec.check_uint(version, 63, "The validator set of votes")
    codec.check_uint(height, 63, "The height of votes")
    if type(asks) is not bool:
        raise Invalid("Whether votes ask for a reminder is a bool.", "malformed")
    rows = codec.expect_array(ballots, None, "Ballots")
    if len(rows) > BALLOTS_MAX:
        raise Invalid(f"At most {BALLOTS_MAX} ballots in a message.", "too_large")
    if version not in known:
        return Votes(version, height, asks, ())
    given = dict.fromkeys(_signed(row) for row in rows)
    wanted = tuple(ballot_of(said, signature, known[version]) for said, signature in given if unheard(said, signature))
    return Votes(version, height, asks, wanted, _quorums_of(quorums))


def decode_proposal(data: bytes, known: Known) -> Proposal:
    """Raises Invalid: "other_set", malformed, or not signed by the proposer it names, who is a validator."""
    block, quorums = codec.decode_array(data, 2, PROPOSAL_BYTES_MAX, "A proposal", depth_max=4)
    if type(block) is not bytes:
        raise Invalid("A proposal holds a block's bytes.", "malformed")
    return Proposal(decode_block(block, known), _quorums_of(quorums))


def decode_block(data: bytes, known: Known) -> Block:
    """A proposed block, checked against its own header and signature. Raises Invalid."""
    block = Block.decode(data)
    height, version = block.header.height, block.header.validators
    if version not in known:
        raise Invalid(f"Block {height} is of validator set {version}, which does not certify now.", "other_set")
    if block.header.proposer not in known[version].stakes:
        raise Invalid(f"Block {height} is not proposed by a validator of set {version}.", "wrong_set")
    return block


def encode_range(first: int, last: int) -> bytes:
    return codec.encode((first, last))


def decode_range(data: bytes) -> tuple[int, int]:
    """Raises Invalid."""
    first, last = codec.decode_array(data, 2, 64, "A range")
    for height in (first, last):
        codec.check_uint(height, 63, "A range's end")
    return first, last


def encode_certified(blocks: Sequence[Certified]) -> bytes:
    return codec.encode(tuple((one.block.encode(), one.certificate.fields()) for one in blocks))


def decode_certified(data: bytes) -> tuple[Certified, ...]:
    """Certificates are not checked against stakes here. Raises Invalid."""
    rows = codec.expect_array(codec.decode(data, PROPOSAL_BYTES_MAX), None, "Certified blocks")
    found = []
    for row in rows:
        block, certificate = codec.expect_array(row, 2, "A certified block")
        if type(block) is not bytes:
            raise Invalid("A certified block is bytes and a certificate.", "malformed")
        found.append(Certified(Block.decode(block), Certificate.of(certificate)))
    return tuple(found)


def _said(ballot: Ballot) -> tuple[Any, ...]:
    said = ballot.said
    return (int(said.kind), said.view, said.height, said.hash)


def _signed(row: object) -> tuple[Said, bytes]:
    kind, view, height, block_hash, signature = codec.expect_array(row, 5, "A ballot")
    codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A ballot's signature")
    return said_of(kind, view, height, block_hash), signature


def _quorums(quorums: Sequence[Quorum]) -> tuple[Any, ...]:
    return tuple(quorum.fields() for quorum in quorums[-QUORUMS_MAX:])


def _quorums_of(rows: object) -> tuple[Quorum, ...]:
    members = codec.expect_array(rows, None, "Quorums")
    if len(members) > QUORUMS_MAX:
        raise Invalid(f"At most {QUORUMS_MAX} quorums in a message.", "too_large")
    return tuple(map(Quorum.of, members))
