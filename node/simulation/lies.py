"""
What the byzantine make of what they say: an honest machine with a key, and a mouth that changes its words on the way.

So a liar is always up to date, and lies in well-formed messages. Each lie is given one message on its way to one peer
and returns what is said instead, on which protocol.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from genesis import crypto
from genesis.chain import Block, VoteKind
from node.consensus import wire
from node.consensus.words import Ballot, Rules, Said

NOTARISE, NULLIFY, FINALISE = VoteKind.NOTARISE, VoteKind.NULLIFY, VoteKind.FINALISE
MEMORY_MAX = 64

Spoken = tuple[str, bytes]
"""Protocol and payload."""


@dataclass(slots=True)
class Liar:
    """known: all sets. others: names of all other nodes. version: of the set that its machine spoke of last."""

    known: wire.Known
    key: bytes
    dice: random.Random
    others: tuple[str, ...]
    version: int = 0

    @property
    def rules(self) -> Rules:
        return self.known[self.version]

    @property
    def address(self) -> bytes:
        return crypto.address_of(self.key)

    def ballot(self, said: Said) -> Ballot:
        return Ballot(said, self.address, crypto.sign(said.digest(self.rules), self.key))

    def often(self, chance: float) -> bool:
        return self.dice.random() < chance


class Lie:
    """Tells the truth; each kind overrides what it lies about."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar

    def hears(self, block: Block) -> None:
        """A block that was proposed, by anybody."""

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        if protocol == wire.VOTES:
            votes = wire.decode_votes(payload, self.liar.known)
            self.liar.version = votes.validators
            return self.votes(peer, votes)
        proposal = wire.decode_proposal(payload, self.liar.known)
        self.liar.version = proposal.block.header.validators
        return self.proposal(peer, proposal)

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        yield wire.VOTES, votes.encode()

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        yield wire.BLOCKS, proposal.encode()

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        """None: leave whoever asks waiting."""
        return answer


class Silent(Lie):
    """Says nothing, ever, and answers nobody."""

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        return ()

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        return None


class Conflicter(Lie):
    """Says of every block something else too: another hash, or to finalise what it gave up."""

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        mine = [ballot.said for ballot in votes.ballots if self.liar.often(0.7)]
        against = [self._against(said) for said in mine]
        told = (*map(self.liar.ballot, against), *votes.ballots)
        yield wire.VOTES, replace(votes, ballots=told if self.liar.often(0.5) else told[::-1]).encode()

    def _against(self, said: Said) -> Said:
        if said.kind is NULLIFY:
            return said
        if said.kind is NOTARISE and self.liar.often(0.5):
            return replace(said, kind=FINALISE)
        return replace(said, hash=crypto.sha256(said.hash + bytes((self.liar.dice.randrange(2),))))


class Nuller(Lie):
    """Gives up every view it votes in, and the next."""

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        views = sorted({ballot.said.view + ahead for ballot in votes.ballots for ahead in (0, 1)})
        nullified = tuple(self.liar.ballot(Said(NULLIFY, view)) for view in views)
        yield wire.VOTES, replace(votes, ballots=nullified + votes.ballots).encode()


class Outdated(Lie):
    """Says late, and again and again, what it should have said once."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._past: list[Spoken] = []

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        self._past = [*self._past, (protocol, payload)][-MEMORY_MAX:]
        count = self.liar.dice.choice((0, 0, 1, 4))
        return [self.liar.dice.choice(self._past) for _ in range(count)]
