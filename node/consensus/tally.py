"""
What validators have said, view by view: the first vote of each, quorums as they come about, and who says two things.

Bounded: views above the present one by more than VIEWS_AHEAD_MAX are not heard; a validator has one vote of each kind a
view, a second one is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from genesis.chain import VoteKind
from node.consensus.words import Ballot, Quorum, Rules, Said

VIEWS_AHEAD_MAX = 256


@dataclass(slots=True)
class _View:
    """votes: by kind and signer. quorums: by kind."""

    votes: dict[tuple[VoteKind, bytes], Ballot] = field(default_factory=dict)
    quorums: dict[VoteKind, Quorum] = field(default_factory=dict)


class Tally:
    """newest: the highest view that has a quorum of any kind."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.newest = 0
        self._views: dict[int, _View] = {}

    def add(self, ballot: Ballot) -> tuple[Quorum | None, Ballot | None]:
        """The quorum that this vote completes, and the earlier vote that it contradicts."""
        view = self._views.setdefault(ballot.said.view, _View())
        kind = ballot.said.kind
        first = view.votes.setdefault((kind, ballot.signer), ballot)
        if first.said != ballot.said:
            return None, first
        if kind in view.quorums:
            return None, None
        agreed = {one.signer: one for one in view.votes.values() if one.said == ballot.said}
        if not self._rules.has_quorum(agreed):
            return None, None
        quorum = Quorum(ballot.said, tuple(agreed[signer].signature for signer in sorted(agreed)))
        return self._keep(quorum), None

    def learn(self, quorum: Quorum) -> Quorum | None:
        """Take over a checked quorum; None when it is known."""
        known = self._views.setdefault(quorum.said.view, _View()).quorums
        return None if quorum.said.kind in known else self._keep(quorum)

    def has(self, said: Said, signature: bytes) -> bool:
        """Whether this very vote was added."""
        found = self._views.get(said.view)
        return found is not None and any((one.said, one.signature) == (said, signature) for one in found.votes.values())

    def quorum(self, view: int, kind: VoteKind) -> Quorum | None:
        found = self._views.get(view)
        return found.quorums.get(kind) if found else None

    def own(self, signer: bytes, view: int) -> list[Ballot]:
        """What a validator has said in a view."""
        found = self._views.get(view)
        return [] if found is None else [one for (_, by), one in found.votes.items() if by == signer]

    def who(self, said: Said) -> list[bytes]:
        """Who has said so, in order of address."""
        found = self._views.get(said.view)
        return [] if found is None else sorted(by for (_, by), one in found.votes.items() if one.said == said)

    def forget(self, below: int) -> None:
        """Drop the views below."""
        for view in [view for view in self._views if view < below]:
            del self._views[view]

    def _keep(self, quorum: Quorum) -> Quorum:
        self._views[quorum.said.view].quorums[quorum.said.kind] = quorum
        self.newest = max(self.newest, quorum.said.view)
        return quorum
