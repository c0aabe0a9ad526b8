"""Each rule of the protocol is needed: without it some seed shows a fork, one out of turn, or a chain that stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from genesis.chain import VoteKind
from genesis.crypto import address_of
from genesis.errors import TenorError
from node.consensus import simplex
from node.consensus.simplex import Simplex
from node.consensus.words import Link, Quorum, Rules, Said
from tests.consensus.town import KEYS, Liar, Town, Twins, rules_of, storm

SEEDS = 60


class HalfIsQuorum(Rules):
    def has_quorum(self, signers: Iterable[bytes]) -> bool:
        return 2 * len(list(signers)) >= len(self.stakes)


class SkipsNullifications(Simplex):
    def _skipped(self, parent: Link, view: int) -> bool:
        return True


class FinalisesWhatItGaveUp(Simplex):
    """Says finalise for a view it voted to nullify."""

    def _vote_finalise(self) -> None:
        given_up = [said for said in self._said.values() if said.nullified]
        for said in given_up:
            said.nullified = False
        super()._vote_finalise()
        for said in given_up:
            said.nullified = True


class NotarisesTwice(Simplex):
    def _vote_notarise(self) -> None:
        for block in self._candidates():
            if block.good and block.link.hash not in self.__dict__.setdefault("said_twice", set()):
                self.said_twice.add(block.link.hash)
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


def caught(run: Callable[[int], Town]) -> bool:
    """Whether some seed shows that something is wrong: a property broken, or an error of the protocol's own checks."""
    for seed in range(SEEDS):
        try:
            town = run(seed)
            storm(town, 25)
            height = town.height()
            town.run(town.now + 20_000)
        except (TenorError, AssertionError):
            return True
        honest = {address_of(KEYS[number]) for number in town.members}
        if town.broken or town.accused & honest or town.height() <= height:
            return True
    return False


@pytest.mark.parametrize(
    "machine", [SkipsNullifications, FinalisesWhatItGaveUp, NotarisesTwice, TakesNotarisationForCertificate]
)
def test_a_protocol_without_one_of_its_rules_is_caught(machine: type[Simplex]) -> None:
    assert caught(lambda seed: Town(seed, liars={3: Twins if seed % 2 else Liar}, make=machine))


def test_half_of_the_stake_is_no_quorum() -> None:
    rules = rules_of(4)
    half = HalfIsQuorum(rules.chain, rules.stakes, 0, rules.lease_views, rules.timeout_ms, rules.timeout_ms_max)
    assert caught(lambda seed: Town(seed, liars={3: Twins}, rules=half))


def test_a_lease_that_never_ends_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = simplex.leader

    def stale(rules: Rules, parent: Link, view: int) -> bytes:
        return right(replace(rules, lease_views=1 << 40), parent, view)

    monkeypatch.setattr(simplex, "leader", stale)
    assert caught(Town)
