"""
What the others have heard this validator say: asked before it votes, for its folder may be an older copy of itself.

A folder restored from a backup does not know what was signed since, and would sign something else. So a node that
starts follows without a voice until it has been answered: by all, by a quorum (itself included) and WAIT_S have gone
by, or by anybody and WAIT_LONG_S have. It needs a quorum to get anywhere, and a vote that nobody hears contradicts
nothing, so waiting for the first answers costs nothing. Then it votes

* above the newest certificate it was shown, wherever its folder ends: what lies below is decided. There it repeats what
  it remembers, and finalises what leads up to that certificate, since nobody can have finalised anything else;
* if it was shown a word of its own that it does not remember, after a certificate of a view above the newest such
  word. Who has forgotten counts among the faulty until then: the others go on without it.

Asked is about one validator set. Who certifies by another one has no answer: who is ahead is caught up with first, and
when another set takes over here, its validators are asked anew.

Answers prove themselves: a certificate by its quorum, a word by this validator's signature. A liar can keep something
back, nothing more; who has all of it from others is not misled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio

from genesis import codec, crypto
from genesis.chain import Header, VoteKind
from genesis.errors import Invalid, Unavailable
from node.consensus import wire
from node.consensus.doors import Kept
from node.consensus.wire import Votes
from node.consensus.words import Rules
from node.log import logger
from p2p.network import Network, Peer

WAIT_S = 1.0
"""For those that have not answered, once a quorum has."""
WAIT_LONG_S = 10.0
"""For a quorum, once anybody has answered."""
ASK_TIMEOUT_S = 2.0
ASK_AGAIN_S = 0.1
PROPOSALS_MAX = 64

log = logger("recall")

Proposals = tuple[tuple[Header, bytes], ...]
"""Headers with their proposer's signature."""


def encode_known(votes: Votes, proposals: Proposals) -> bytes:
    """votes: of the one who asks, with the quorums that lead to where the teller is."""
    rows = tuple((header.fields(), signature) for header, signature in proposals[-PROPOSALS_MAX:])
    return codec.encode((votes.encode(), rows))


def decode_known(data: bytes, rules: Rules) -> tuple[Votes, Proposals]:
    """Signatures of quorums are left to the caller. Raises Invalid."""
    votes, rows = codec.decode_array(data, 2, wire.PROOF_BYTES_MAX, "What is known of a validator", depth_max=5)
    if type(votes) is not bytes:
        raise Invalid("What is known of a validator begins with its votes' bytes.", "malformed")
    proposals = codec.expect_array(rows, None, "Proposals")
    if len(proposals) > PROPOSALS_MAX:
        raise Invalid(f"At most {PROPOSALS_MAX} proposals in an answer.", "too_large")
    return wire.decode_votes(votes, {rules.version: rules}), tuple(map(_proposal, proposals))


class Recall:
    """
    floor: view of the newest certificate shown. forgotten: the newest view with a word of this validator that it does
    not remember; 0 for none.
    """

    def __init__(
        self, rules: Rules, me: bytes, network: Network, peers: Mapping[bytes, Peer], tip_view: int, kept: Kept
    ) -> None:
        """
        Args:
            peers: validators' addresses → names, without this node.
            tip_view: of the newest certified block in the folder; kept: what is remembered above it.
        """
        self._rules, self._me, self._network, self._peers = rules, me, network, peers
        self._tip_view, self._said = tip_view, frozenset(kept.said)
        self._proposed = frozenset(block.hash() for block in kept.proposals)
        self._answered = {me}
        self._asks, self._given_up = True, False
        self.floor = self.forgotten = 0

    async def ask(self, learn: Callable[[Peer, Votes], None]) -> None:
        """
        Return when enough have answered.

        Args:
            learn: told of each answer first; raises Invalid for a quorum that is none.
        """
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for address, peer in self._peers.items():
                nursery.start_soon(self._ask, address, peer, learn)
            while not self._given_up and not self._enough(trio.current_time() - began_s):
                await trio.sleep(ASK_AGAIN_S / 2)
            nursery.cancel_scope.cancel()
        self._asks = False
        if self.forgotten:
            log.error("this folder is older than what was signed with its key", newest_view=self.forgotten)

    def give_up(self) -> None:
        """Ask no more: another set has taken over."""
        self._given_up = True

    def may_vote(self, view: int, committed_view: int) -> bool:
        """Whether no vote in this view or later can contradict what is known to have been signed."""
        behind = view <= self.floor or (self.forgotten and committed_view <= self.forgotten)
        return not self._asks and not behind

    def why(self) -> str:
        """What a node that may not vote waits for."""
        if self._asks:
            return "it has started, and asks the others what it has signed"
        if self.forgotten:
            return (
                f"its folder is older than what it has signed (view {self.forgotten}); it votes again after a "
                "certificate above that"
            )
        return f"it catches up to the certificate of view {self.floor}"

    async def _ask(self, address: bytes, peer: Peer, learn: Callable[[Peer, Votes], None]) -> None:
        while True:
            try:
                answer = await self._network.request(peer, wire.KNOWN, self._me, ASK_TIMEOUT_S)
                votes, proposals = decode_known(answer, self._rules)
                learn(peer, votes)
                if votes.validators != self._rules.version:
                    raise Unavailable("This validator set does not certify there now.")
            except Unavailable:
                await trio.sleep(ASK_AGAIN_S)
            except Invalid as error:
                log.warning("peer's answer is of no use", peer=peer, code=error.code, reason=str(error))
                await trio.sleep(ASK_TIMEOUT_S)
            else:
                self._take(votes, proposals)
                self._answered.add(address)
                return

    def _enough(self, waited_s: float) -> bool:
        if self._answered >= {self._me, *self._peers}:
            return True
        if self._rules.has_quorum(self._answered & self._rules.stakes.keys()):
            return waited_s >= WAIT_S
        return len(self._answered) > 1 and waited_s >= WAIT_LONG_S

    def _take(self, votes: Votes, proposals: Proposals) -> None:
        final = [one.said.view for one in votes.quorums if one.said.kind is VoteKind.FINALISE]
        own = [one.said for one in votes.ballots if one.signer == self._me and one.said not in self._said]
        views = [said.view for said in own]
        views += [header.view for header, signature in proposals if self._signed(header, signature)]
        self.floor = max([self.floor, *final])
        self.forgotten = max([self.forgotten, *(view for view in views if view > self._tip_view)])

    def _signed(self, header: Header, signature: bytes) -> bool:
        """Whether it is a proposal of this validator that it does not remember."""
        known = header.hash() in self._proposed
        return not known and crypto.recover(header.proposal_digest(), signature) == self._me


def _proposal(row: Any) -> tuple[Header, bytes]:
    header, signature = codec.expect_array(row, 2, "A proposal's header")
    codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A proposer's signature")
    return Header.of(header), signature
