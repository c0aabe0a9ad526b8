"""
Lies of a leader: two blocks, wrong blocks, blocks of another time, blocks out of turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from genesis import crypto
from genesis.chain import Block, Header, sign_block
from node.consensus import wire
from node.consensus.schedule import leader
from node.consensus.words import Ballot, Link, Said
from node.simulation import toy
from node.simulation.lies import MEMORY_MAX, NOTARISE, Liar, Lie, Spoken


class Equivocator(Lie):
    """
    Leads with two blocks, or one and none, to two halves, and votes for each where it was shown. Who is told again, as
    one who has crashed is, is told of the other.
    """

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._second = frozenset(liar.dice.sample(liar.others, len(liar.others) // 2))
        self._other: dict[bytes, Block | None] = {}
        self._told: set[tuple[str, bytes]] = set()

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        block: Block | None = proposal.block
        if proposal.block.header.proposer == self.liar.address:
            once = (peer, proposal.block.hash())
            if (peer in self._second) != (once in self._told):
                block = self._other_of(proposal.block)
            self._told.add(once)
        if block is not None:
            yield wire.BLOCKS, wire.Proposal(block, proposal.proofs).encode()

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        ballots = votes.ballots
        if peer in self._second:
            ballots = tuple(_turned(self.liar, ballot, self._other) for ballot in ballots)
        yield wire.VOTES, replace(votes, ballots=ballots).encode()

    def _other_of(self, block: Block) -> Block | None:
        """Decided once for each block: another one that is as good, one that does not come out, or none."""
        if block.hash() not in self._other:
            choice, header = self.liar.dice.randrange(4), block.header
            if choice > 1:
                header = replace(header, time_ms=header.time_ms + 1)
            if choice == 1:
                header = replace(header, state_root=crypto.sha256(header.state_root))
            self._other[block.hash()] = sign_block(header, block.body, self.liar.key) if choice else None
        return self._other[block.hash()]


class Leading(Lie):
    """Leads with other blocks than its machine made, the same to all, and votes for them."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._other: dict[bytes, Block | None] = {}

    def change(self, header: Header) -> Header:
        return header

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        block = proposal.block
        if block.header.proposer == self.liar.address:
            if block.hash() not in self._other:
                self._other[block.hash()] = sign_block(self.change(block.header), block.body, self.liar.key)
            block = self._other[block.hash()] or block
        yield wire.BLOCKS, wire.Proposal(block, proposal.proofs).encode()

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        ballots = tuple(_turned(self.liar, ballot, self._other) for ballot in votes.ballots)
        yield wire.VOTES, replace(votes, ballots=ballots).encode()


class Miscounter(Leading):
    """Its blocks do not come out as their headers say."""

    def change(self, header: Header) -> Header:
        return replace(header, state_root=crypto.sha256(header.state_root))


class Prophet(Leading):
    """Its blocks are of the future, near or far, or as old as their parents."""

    def change(self, header: Header) -> Header:
        return replace(header, time_ms=self.liar.dice.choice((0, header.time_ms + 2_000, header.time_ms << 8)))


class Usurper(Lie):
    """Proposes on whatever parent makes it the leader, as if newer blocks were not there."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._heard: list[Block] = []
        self._led: dict[int, wire.Proposal | None] = {}

    def hears(self, block: Block) -> None:
        self._heard = [*self._heard, block][-MEMORY_MAX:]

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        view = max((ballot.said.view for ballot in votes.ballots), default=0)
        for at in (view, view + 1):
            if at not in self._led:
                self._led[at] = self._usurped(at)
            proposal = self._led[at]
            if proposal is not None:
                header = proposal.block.header
                said = Said(NOTARISE, at, header.height, proposal.block.hash())
                yield wire.BLOCKS, proposal.encode()
                yield wire.VOTES, replace(votes, asks=False, ballots=(self.liar.ballot(said),), quorums=()).encode()
        yield wire.VOTES, votes.encode()

    def _usurped(self, view: int) -> wire.Proposal | None:
        rules, me = self.liar.rules, self.liar.address
        newest = max((block.header.view for block in self._heard), default=0)
        for parent in self._heard:
            link = Link.of(parent.header)
            if link.view < min(view, newest) and leader(rules, link, view) == me:
                body = toy.body_of(b"usurped")
                draft = toy.Draft(view, me, link.time_ms + 1, link.anchor, rules.version)
                header = toy.header_of(draft, link, body, parent.header.state_root)
                return wire.Proposal(sign_block(header, body, self.liar.key), ())
        return None


def _turned(liar: Liar, ballot: Ballot, instead: Mapping[bytes, Block | None]) -> Ballot:
    """The vote for the block that was shown instead of the one it is for."""
    other = instead.get(ballot.said.hash)
    return ballot if other is None else liar.ballot(replace(ballot.said, hash=other.hash()))
