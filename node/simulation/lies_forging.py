"""
Forgeries: votes, quorums and blocks in the names of others; chains that are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from genesis import codec, crypto
from genesis.chain import Block, VoteKind
from node.consensus import wire
from node.consensus.doors import Certified
from node.consensus.words import Ballot, Quorum, Said
from node.simulation import toy
from node.simulation.lies import NULLIFY, Liar, Lie, Spoken

HEIGHTS_CLAIMED = 50


class Impersonator(Lie):
    """Forges: votes with unknown keys, quorums of nobody, blocks in others' names, torn messages."""

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        yield wire.VOTES, votes.encode()
        if self.liar.often(0.3):
            yield wire.VOTES, self._forged(votes).encode()
        if self.liar.often(0.05):
            payload = votes.encode()
            yield wire.VOTES, payload[: self.liar.dice.randrange(len(payload))]

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        yield wire.BLOCKS, proposal.encode()
        header = replace(proposal.block.header, time_ms=proposal.block.header.time_ms + 1)
        victim = self.liar.dice.choice(list(self.liar.rules.stakes))
        signature = crypto.sign(header.proposal_digest(), self.liar.key)
        forged = Block(replace(header, proposer=victim), proposal.block.body, signature)
        yield wire.BLOCKS, wire.Proposal(forged, proposal.proofs).encode()

    def _forged(self, votes: wire.Votes) -> wire.Votes:
        """Quorums for blocks that do not exist, with the liar's own signature, again and again, or a stranger's."""
        view = max((ballot.said.view for ballot in votes.ballots), default=1) + self.liar.dice.randrange(3)
        kind = self.liar.dice.choice(list(VoteKind))
        said = Said(kind, view) if kind is NULLIFY else Said(kind, view, votes.height + 1, crypto.sha256(b"nothing"))
        stranger = crypto.sign(said.digest(self.liar.rules), crypto.sha256(b"stranger"))
        mine = self.liar.ballot(said).signature
        signatures = self.liar.dice.choice(((mine,), (mine,) * len(self.liar.rules.stakes), (stranger, mine)))
        if self.liar.often(0.3):
            return replace(votes, asks=False, ballots=(Ballot(said, self.liar.address, stranger),), quorums=())
        return replace(votes, asks=False, ballots=(), quorums=(Quorum(said, signatures),))


class Ranges(Lie):
    """
    Claims to be far ahead, and gives those who ask something else than blocks that follow one another: always the same,
    since the first of them that is found out is its last.
    """

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._distorted = liar.dice.choice(_DISTORTIONS)

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        yield wire.VOTES, replace(votes, height=votes.height + self.liar.dice.choice((0, HEIGHTS_CLAIMED))).encode()

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        if self.liar.often(0.2):
            return None
        if protocol == wire.BLOCK:
            return answer[: self.liar.dice.choice((len(answer), len(answer) // 2, 0))]
        return self._distorted(wire.decode_certified(answer))


def _shifted(blocks: tuple[Certified, ...]) -> bytes:
    """Each with its neighbour's certificate."""
    pairs = zip(blocks, blocks[1:] + blocks[:1], strict=True)
    return wire.encode_certified([Certified(one.block, other.certificate) for one, other in pairs])


def _emptied(blocks: tuple[Certified, ...]) -> bytes:
    """Right headers over wrong bodies."""
    empty = toy.body_of(b"nothing of the kind")
    rows = (((one.block.header.fields(), empty.fields(), one.block.signature), one) for one in blocks)
    return codec.encode(tuple((codec.encode(block), one.certificate.fields()) for block, one in rows))


def _stripped(blocks: tuple[Certified, ...]) -> bytes:
    """Certificates without a quorum."""
    poor = (replace(one.certificate, signatures=one.certificate.signatures[:1]) for one in blocks)
    return wire.encode_certified([Certified(one.block, few) for one, few in zip(blocks, poor, strict=True)])


_DISTORTIONS: tuple[Callable[[tuple[Certified, ...]], bytes], ...] = (
    lambda blocks: wire.encode_certified(blocks[: len(blocks) // 2]),
    lambda blocks: wire.encode_certified(blocks[1:]),
    lambda blocks: wire.encode_certified(blocks[::-1]),
    lambda blocks: wire.encode_certified(blocks)[:-1],
    lambda blocks: wire.encode_certified(()),
    _shifted,
    _emptied,
    _stripped,
)
