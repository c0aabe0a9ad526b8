"""What the protocol asks of whoever carries it out. Done in order; what a vote rests on is synced before it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from genesis.chain import Certificate
from node.consensus.words import Ballot, Link, Quorum, Said


@dataclass(frozen=True, slots=True)
class Cast:
    """
    Sync the vote, then sign it, send it to all, and `hear` it oneself.

    link: the block that a notarise vote is for; it is synced with the vote, and if it is one's own, sent before it.
    proofs: quorums seen since the last vote, synced with it, so that a node that starts again knows why it was there.
    """

    said: Said
    link: Link | None
    proofs: tuple[Quorum, ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """
    Propose a child of `parent` in `view`; replaces an earlier Lead. proofs: go with the proposal. again: the next view
    is this leader's too, if this one goes well.
    """

    view: int
    parent: Link
    proofs: tuple[Quorum, ...]
    again: bool


@dataclass(frozen=True, slots=True)
class Execute:
    """
    Run a proposed block on its parent, which has been executed; answer with `executed`. vouched: a quorum stands behind
    it, so only what this node's own engine makes of it is asked.
    """

    link: Link
    vouched: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """A quorum names a block that is not here: get it from peers and hand it to `propose`, or catch up to it."""

    hash: bytes
    height: int
    view: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The next block of the chain, for good. In order of height, each once."""

    link: Link
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Remind:
    """Progress is late: send what one has said since the last committed block, and the quorums that led here."""

    ballots: tuple[Ballot, ...]
    quorums: tuple[Quorum, ...]


@dataclass(frozen=True, slots=True)
class Accuse:
    """A validator has given two votes of one kind in one view."""

    first: Ballot
    second: Ballot


@dataclass(frozen=True, slots=True)
class Expose:
    """A leader has signed two blocks in one view; both headers are with whoever took them in."""

    first: Link
    second: Link


@dataclass(frozen=True, slots=True)
class Diverge:
    """
    A quorum stands behind a block that this node's own execution refuses: it must not sign any more.

    quorum: of this block, or of one that descends from it.
    """

    link: Link
    quorum: Quorum | None


Action = Cast | Lead | Execute | Fetch | Commit | Remind | Accuse | Expose | Diverge
