"""
What must hold whatever happens, looked at while it happens; and the record of all that did.

Four things are never forgiven. A fork: two blocks certified at one height, or one certified that no honest node could
have: out of turn, off the chain, by another validator set, without a quorum, or come out differently. A double
signature: an honest key under two votes of one kind, or two blocks, in one view. A loss: a block that a node called
certified is not there later. A stall: no progress although all is well, or a node that ended of itself.

A signature counts when it reaches somebody, or when one life gives both: what a crash took before anybody heard of it
can do no harm, and nobody can remember it. One that reaches somebody before its signer has synced it is as bad.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import trio

from genesis.chain import Block, VoteKind, check_certificate
from genesis.errors import Invalid
from node.consensus import wire
from node.consensus.doors import Certified, Kept
from node.consensus.schedule import leader
from node.consensus.words import Ballot, Link, Said, taken_over
from node.simulation import toy
from node.simulation.council import Council

FORK, DOUBLE_SIGNATURE, LOST, STALLED = "forks", "double_signatures", "lost", "stalled"
MESSAGES_REMEMBERED_MAX = 1_024
PROPOSAL = "proposal"

Signed = tuple[bytes, str, int, bytes]
"""Signer, kind, view, block."""


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str
    text: str


@dataclass
class Watch:
    """
    honest: addresses. trace: lines for a reader, kept if `traced`. stop: cancelled at the first finding.
    """

    council: Council
    honest: frozenset[bytes]
    traced: bool = False
    findings: list[Finding] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    stop: trio.CancelScope = field(default_factory=trio.CancelScope)
    chain: list[Link] = field(default_factory=lambda: [toy.GENESIS])
    heights: dict[str, list[bytes]] = field(default_factory=dict)
    """By node: hashes of the blocks that it has called certified, in order."""
    _heard: dict[tuple[bytes, str, int], bytes] = field(default_factory=dict)
    _synced: set[Signed] = field(default_factory=set)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._voted = trio.Event()
        self._signed = lru_cache(MESSAGES_REMEMBERED_MAX)(partial(_signed, self.council.known()))

    def event(self, who: str, what: str, data: bytes | str | int = "") -> None:
        """One thing that happened; the run's hash goes over all of them."""
        now_s = trio.current_time()
        self._hash.update(repr((now_s, who, what, data)).encode())
        if self.traced and not isinstance(data, bytes):
            self.trace.append(f"{now_s:9.4f} {who:4} {what} {data}")

    def digest(self) -> str:
        return self._hash.hexdigest()

    def find(self, kind: str, text: str) -> None:
        self.event("!", kind, text)
        self.findings.append(Finding(kind, text))
        self.stop.cancel()

    # Signatures

    def signs(self, who: str, given: dict[tuple[VoteKind, int], Said], said: Said, failed: bool) -> None:
        """A vote that a life signs; given: what it signed before; failed: its disk did."""
        self.event(who, f"votes {said.kind.name.lower()} in view {said.view}", said.hash.hex()[:8])
        if said.kind is VoteKind.NOTARISE:
            self._voted.set()
        if given.setdefault((said.kind, said.view), said) != said:
            self.find(DOUBLE_SIGNATURE, f"{who} signs two votes {said.kind.name.lower()} in view {said.view}")
        if failed:
            self.find(DOUBLE_SIGNATURE, f"{who} signs although its disk has failed, so it will not remember")

    async def wait_for_vote(self, at_most_s: float) -> None:
        """For the next vote to notarise that somebody honest signs."""
        self._voted = trio.Event()
        with trio.move_on_after(at_most_s):
            await self._voted.wait()

    def arrives(self, who: str, sender: str, protocol: str, payload: bytes) -> None:
        """A message has reached somebody: whatever is signed in it is in the world."""
        self.event(who, f"hears {protocol} of {sender}", payload)
        for one in self._signed(protocol, payload):
            signer, kind, view, name = one
            if signer not in self.honest:
                continue
            if self._heard.setdefault((signer, kind, view), name) != name:
                self.find(DOUBLE_SIGNATURE, f"{signer.hex()[:8]} signed two of {kind} in view {view}")
            if one not in self._synced:
                self.find(
                    DOUBLE_SIGNATURE, f"{signer.hex()[:8]} was heard to {kind} in view {view} before that was synced"
                )

    # What is on disks

    def kept(self, who: str, address: bytes, kept: Kept) -> None:
        """A node has synced something."""
        self._remember(address, kept)
        for one in kept.committed:
            self._certified(who, one)

    def comes_back(self, who: str, address: bytes, life: Sequence[Kept]) -> None:
        """A node starts again, or is looked at in the end, with this on its disk."""
        for kept in life:
            self._remember(address, kept)
        before, found = self.heights.get(who, []), [one.block.hash() for kept in life for one in kept.committed]
        if found[: len(before)] != before:
            self.find(LOST, f"{who} called {len(before)} blocks certified and has {len(found)}, or others")
        self.heights[who] = found

    def _remember(self, address: bytes, kept: Kept) -> None:
        self._synced |= {(address, said.kind.name.lower(), said.view, said.hash) for said in kept.said}
        self._synced |= {_block(block) for block in kept.proposals}

    def _certified(self, who: str, one: Certified) -> None:
        """A node has synced a block as certified."""
        header, mine = one.block.header, self.heights.setdefault(who, [])
        link = Link.of(header)
        self.event(who, f"certified {link.height} in view {link.view}", link.hash.hex()[:8])
        mine.append(link.hash)
        parent = self.chain[link.height - 1]
        try:
            if link.parent != parent.hash:
                raise Invalid("it is off the chain")
            self._check(one, parent)
        except Invalid as error:
            self.find(FORK, f"{who} took height {link.height} for certified, but: {error}")
        if link.height == len(self.chain):
            self.chain.append(link)
        elif self.chain[link.height] != link:
            self.find(FORK, f"{who} has another block certified at height {link.height}")

    def _check(self, one: Certified, parent: Link) -> None:
        """Raises Invalid unless the set that the parent names has certified the block, in its proposer's turn."""
        header = one.block.header
        rules = self.council.certifying(parent.anchor, header.anchor_number)
        if one.certificate.block_hash != header.hash():
            raise Invalid("its certificate is for another block")
        if not rules.version == header.validators == one.certificate.validators:
            raise Invalid(f"set {rules.version} should have certified it")
        check_certificate(one.certificate, rules.chain, rules.stakes)
        if leader(rules, taken_over(parent, rules), header.view) != header.proposer:
            raise Invalid("it was not its proposer's turn")


def _signed(known: wire.Known, protocol: str, payload: bytes) -> tuple[Signed, ...]:
    """Every signature of a message; none of one that is malformed."""
    try:
        if protocol == wire.VOTES:
            votes = wire.decode_votes(payload, known)
            return tuple(map(_vote, votes.ballots))
        if protocol == wire.BLOCKS:
            return (_block(wire.decode_proposal(payload, known).block),)
    except Invalid:
        pass
    return ()


def _vote(ballot: Ballot) -> Signed:
    return ballot.signer, ballot.said.kind.name.lower(), ballot.said.view, ballot.said.hash


def _block(block: Block) -> Signed:
    return block.header.proposer, PROPOSAL, block.header.view, block.hash()
