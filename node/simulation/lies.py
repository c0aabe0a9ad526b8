"""
What the byzantine make of what they say: an honest machine with a key, and a mouth that changes its words on the way.

So a liar is always up to date, and lies in well-formed messages. Each lie is given one message on its way to one peer
and returns what is said instead, on which protocol.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from genesis import codec, crypto
from genesis.chain import Block, Header, VoteKind, sign_block
from node.consensus import wire
from node.consensus.doors import Certified
from node.consensus.schedule import leader
from node.consensus.words import Ballot, Link, Quorum, Rules, Said
from node.simulation import toy
from node.simulation.scenario import Kind

NOTARISE, NULLIFY, FINALISE = VoteKind.NOTARISE, VoteKind.NULLIFY, VoteKind.FINALISE
MEMORY_MAX = 64
HEIGHTS_CLAIMED = 50

Spoken = tuple[str, bytes]
"""Protocol and payload."""


@dataclass(frozen=True, slots=True)
class Liar:
    """others: names of all other validators."""

    rules: Rules
    key: bytes
    dice: random.Random
    others: tuple[str, ...]

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
            return self.votes(peer, wire.decode_votes(payload, self.liar.rules))
        return self.proposal(peer, wire.decode_proposal(payload, self.liar.rules))

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        yield wire.VOTES, votes.encode()

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        yield wire.BLOCKS, proposal.encode()

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        """None: leave whoever asks waiting."""
        return answer


class Silent(Lie):
    """Says nothing, ever."""

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        return ()


class Equivocator(Lie):
    """Leads with two blocks, or one and none, to two halves, and votes for each where it was shown."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._second = frozenset(liar.dice.sample(liar.others, len(liar.others) // 2))
        self._other: dict[bytes, Block | None] = {}

    def proposal(self, peer: str, proposal: wire.Proposal) -> Iterable[Spoken]:
        header = proposal.block.header
        if header.proposer == self.liar.address and peer in self._second:
            other = self._other_of(proposal.block)
            if other is not None:
                yield wire.BLOCKS, wire.Proposal(other, proposal.proofs).encode()
        if header.proposer != self.liar.address or peer not in self._second or self.liar.often(0.1):
            yield wire.BLOCKS, proposal.encode()

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
            return wire.Votes(votes.height, False, (Ballot(said, self.liar.address, stranger),))
        return wire.Votes(votes.height, False, (), (Quorum(said, signatures),))


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
                yield wire.VOTES, wire.Votes(votes.height, False, (self.liar.ballot(said),)).encode()
        yield wire.VOTES, votes.encode()

    def _usurped(self, view: int) -> wire.Proposal | None:
        rules, me = self.liar.rules, self.liar.address
        newest = max((block.header.view for block in self._heard), default=0)
        for parent in self._heard:
            link = Link.of(parent.header)
            if link.view < min(view, newest) and leader(rules, link, view) == me:
                body = toy.body_of(b"usurped")
                header = toy.header_of(view, link, me, link.time_ms + 1, body, parent.header.state_root)
                return wire.Proposal(sign_block(header, body, self.liar.key), ())
        return None


class Ranges(Lie):
    """Claims to be far ahead, and gives those who ask something else than blocks that follow one another."""

    def votes(self, peer: str, votes: wire.Votes) -> Iterable[Spoken]:
        yield wire.VOTES, replace(votes, height=votes.height + self.liar.dice.choice((0, HEIGHTS_CLAIMED))).encode()

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        if self.liar.often(0.2):
            return None
        if protocol == wire.BLOCK:
            return answer[: self.liar.dice.choice((len(answer), len(answer) // 2, 0))]
        blocks = wire.decode_certified(answer)
        return self.liar.dice.choice(_DISTORTIONS)(blocks)


def _turned(liar: Liar, ballot: Ballot, instead: Mapping[bytes, Block | None]) -> Ballot:
    """The vote for the block that was shown instead of the one it is for."""
    other = instead.get(ballot.said.hash)
    return ballot if other is None else liar.ballot(replace(ballot.said, hash=other.hash()))


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

LIES: dict[Kind, type[Lie]] = {
    Kind.SILENT: Silent,
    Kind.EQUIVOCATOR: Equivocator,
    Kind.MISCOUNTER: Miscounter,
    Kind.PROPHET: Prophet,
    Kind.CONFLICTER: Conflicter,
    Kind.NULLER: Nuller,
    Kind.OUTDATED: Outdated,
    Kind.IMPERSONATOR: Impersonator,
    Kind.USURPER: Usurper,
    Kind.RANGES: Ranges,
}


def lie_of(kind: Kind, liar: Liar) -> Lie:
    return Changing(liar) if kind is Kind.ALL else LIES[kind](liar)


class Changing(Lie):
    """All lies in turn, a message each; the silent one seldom."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._lies = [lie(liar) for lie in LIES.values()]

    def hears(self, block: Block) -> None:
        for lie in self._lies:
            lie.hears(block)

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        return self.liar.dice.choice(self._lies).say(peer, protocol, payload)

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        return self.liar.dice.choice(self._lies).answer(protocol, answer)
