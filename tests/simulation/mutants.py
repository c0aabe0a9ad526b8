"""Services and protocols that lack one rule each: what the simulation is for is to find every one of them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from genesis.chain import Block, VoteKind
from genesis.errors import Corrupt
from node.consensus import simplex
from node.consensus.actions import Action, Remind
from node.consensus.doors import Certified, Kept, Ledger, Remembered, Sets, Signer
from node.consensus.service import Consensus, _Stage
from node.consensus.simplex import Simplex, Standing
from node.consensus.words import Link, Quorum, Rules, Said
from node.simulation.scenario import Kind
from p2p.network import Network


class HalfIsQuorum(Rules):
    def has_quorum(self, signers: Iterable[bytes]) -> bool:
        return 2 * sum(self.stakes[signer] for signer in signers) >= sum(self.stakes.values())


class Halves:
    """Who certifies, with quorums of half."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets

    def next(self, anchor: int) -> Rules:
        return _halved(self._sets.next(anchor))

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        return _halved(await self._sets.of(parent_anchor, anchor))


def _halved(rules: Rules) -> Rules:
    return HalfIsQuorum(*(getattr(rules, one.name) for one in fields(rules)))


class OwnAnchor:
    """Takes the set that holds at a block's own anchor for the one that certifies it."""

    def __init__(self, sets: Any) -> None:
        self._sets = sets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sets, name)

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        rules: Rules = await self._sets.of(anchor, anchor)
        return rules


def own_anchor(sets: Sets, signer: Signer, network: Network, peers: Any, ledger: Any, *rest: Any) -> Consensus:
    ledger._sets = OwnAnchor(ledger._sets)
    return Consensus(OwnAnchor(sets), signer, network, peers, ledger, *rest)


class OldVotesCount(Halves):
    """Counts the votes of whoever was in the set before."""

    def next(self, anchor: int) -> Rules:
        rules = self._sets.next(anchor)
        before: dict[int, Rules] = self.__dict__.setdefault("seen", {})
        before[rules.version] = rules
        old = before.get(rules.version - 1, rules)
        return replace(rules, stakes={**old.stakes, **rules.stakes})

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        return await self._sets.of(parent_anchor, anchor)


class NeverVotesAgain(Simplex):
    """Leaves the last block of a set alone when its view has failed."""

    def _last(self) -> Link | None:
        return None


def sets(make: Callable[[Sets], Sets]) -> Callable[..., Consensus]:
    return lambda sets, *rest: Consensus(make(sets), *rest)


class SkipsNullifications(Simplex):
    """Votes for a block although views between it and its parent may have been decided."""

    def _skipped(self, parent: Link, view: int) -> bool:
        return True


class FinalisesWhatItGaveUp(Simplex):
    """Votes to finalise a block in a view that it voted to nullify."""

    def _vote_finalise(self) -> None:
        given_up = [said for said in self._said.values() if said.nullified]
        for said in given_up:
            said.nullified = False
        super()._vote_finalise()
        for said in given_up:
            said.nullified = True


class NotarisesTwice(Simplex):
    """Votes for each good block of a view."""

    def _vote_notarise(self) -> None:
        said: set[bytes] = self.__dict__.setdefault("said_twice", set())
        for block in self._candidates():
            if block.good and block.link.hash not in said and self.me is not None:
                said.add(block.link.hash)
                self._cast(self.view).notarised = block.link.hash
                self._say(Said(VoteKind.NOTARISE, self.view, block.link.height, block.link.hash), block.link)


class TakesNotarisationForCertificate(Simplex):
    def _commit(self) -> None:
        for view in range(self.committed.view + 1, self.view):
            quorum = self._tally.quorum(view, VoteKind.NOTARISE)
            if quorum is not None and self._tally.quorum(view, VoteKind.FINALISE) is None:
                said = replace(quorum.said, kind=VoteKind.FINALISE)
                self._tally.learn(Quorum(said, quorum.signatures))
        self._find_final()
        super()._commit()


class NeverGivesUp(Simplex):
    """Waits for ever for a leader."""

    def _nullify(self, view: int) -> None:
        self._cast(view).nullified = True


class StaleLease(Simplex):
    """Goes on leading, and follows whoever does, when the lease has ended."""

    def _settle(self, now_ms: int) -> list[Action]:
        with _endless_lease():
            return super()._settle(now_ms)

    def standing(self) -> Standing:
        with _endless_lease():
            return super().standing()


@contextmanager
def _endless_lease() -> Iterator[None]:
    right = simplex.leader
    vars(simplex)["leader"] = lambda rules, parent, view: right(replace(rules, lease_views=1 << 40), parent, view)
    try:
        yield
    finally:
        vars(simplex)["leader"] = right


class SpeaksBeforeSync(Consensus):
    """Sends votes and proposals, then syncs them."""

    async def _flush(self) -> None:
        stage, self._stage = self._stage, _Stage()
        self._stage = _Stage(ballots=stage.ballots, blocks=stage.blocks, after=stage.after)
        await super()._flush()
        if stage.kept() != Kept():
            await self._ledger.keep(stage.kept())
        self._forget()


class GoesOnWithoutDisk(Consensus):
    """Takes a failed sync for a nuisance."""

    async def _flush(self) -> None:
        stage = self._stage
        try:
            await super()._flush()
        except Corrupt:
            self._stage = _Stage(ballots=stage.ballots, blocks=stage.blocks, after=stage.after)
            await super()._flush()


class TrustsRanges(Consensus):
    """Takes blocks of a range without looking at their certificates."""

    def _check_certified(self, one: Certified) -> None:
        pass


class NeverCatchesUp(Consensus):
    def _compare(self, peer: str, height: int) -> None:
        pass


class NeverReminds(Consensus):
    def _remind(self, peer: str) -> None:
        pass

    async def _carry_out(self, action: Action) -> list[Action]:
        return [] if isinstance(action, Remind) else await super()._carry_out(action)


class Door:
    """A ledger that breaks a promise."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class ForgetsVotes(Door):
    """And all else above the newest certified block, at a restart."""

    def remembered(self) -> Remembered:
        return replace(self._ledger.remembered(), kept=Kept())


class ForgetsProposals(Door):
    def remembered(self) -> Remembered:
        found = self._ledger.remembered()
        return replace(found, kept=replace(found.kept, proposals=()))


class BelievesBlocks(Door):
    """Says of every block that it came out as its header says."""

    async def execute(self, block: Block, vouched: bool) -> bool:
        await self._ledger.execute(block, vouched)
        return True


class DoesNotWaitForTheDisk(Door):
    """Calls kept what is not synced."""

    async def keep(self, kept: Kept) -> None:
        self._ledger._told(kept)
        self._ledger.chain += kept.committed


def machine(make: type[Simplex]) -> Callable[..., Consensus]:
    return partial(Consensus, make=make)


def door(make: type[Door]) -> Callable[..., Consensus]:
    def made(sets: Sets, signer: Signer, network: Network, peers: Any, ledger: Ledger, *rest: Any) -> Consensus:
        return Consensus(sets, signer, network, peers, make(ledger), *rest)

    return made


@dataclass(frozen=True)
class Mutant:
    """
    among: makes all liars of the kind that the rule is against. since: the first seed worth the time. changes: whether
    the validators have to change for it.
    """

    make: Callable[..., Consensus]
    among: Kind | None = None
    since: int = 0
    changes: bool = False


MUTANTS = {
    "half a stake is a quorum": Mutant(sets(Halves)),
    "OwnAnchor": Mutant(own_anchor, changes=True),
    "OldVotesCount": Mutant(sets(OldVotesCount), changes=True),
    "NeverVotesAgain": Mutant(machine(NeverVotesAgain), changes=True, since=2),
    "SkipsNullifications": Mutant(machine(SkipsNullifications), Kind.USURPER, since=2),
    "FinalisesWhatItGaveUp": Mutant(machine(FinalisesWhatItGaveUp), since=2),
    "NotarisesTwice": Mutant(machine(NotarisesTwice), Kind.EQUIVOCATOR, since=3),
    "TakesNotarisationForCertificate": Mutant(machine(TakesNotarisationForCertificate)),
    "NeverGivesUp": Mutant(machine(NeverGivesUp)),
    "StaleLease": Mutant(machine(StaleLease)),
    "SpeaksBeforeSync": Mutant(SpeaksBeforeSync),
    "GoesOnWithoutDisk": Mutant(GoesOnWithoutDisk, since=1),
    "TrustsRanges": Mutant(TrustsRanges, Kind.RANGES, since=14),
    "NeverCatchesUp": Mutant(NeverCatchesUp, since=1),
    "NeverReminds": Mutant(NeverReminds, since=1),
    "ForgetsVotes": Mutant(door(ForgetsVotes), Kind.EQUIVOCATOR),
    "ForgetsProposals": Mutant(door(ForgetsProposals), Kind.SILENT, since=2),
    "BelievesBlocks": Mutant(door(BelievesBlocks), Kind.MISCOUNTER),
    "DoesNotWaitForTheDisk": Mutant(door(DoesNotWaitForTheDisk)),
}
