"""When a journal takes a receipt for certified, and when for come to nothing: nodes in whose place the test answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock

from devnet import journal
from devnet.journal import GIVE_UP_S, LOOK_S, Journal
from genesis.errors import Invalid, Unavailable
from genesis.receipt import Receipt

TOLD = Receipt(bytes(32), 7, 0, "done", "", 1, 1, (), (), (0, 0))
UNKNOWN = Invalid("Nothing is known of it.", "not_found")
BUSY = Unavailable("The node is leaving.")


@dataclass
class Node:
    answer: Receipt | Exception

    async def receipt(self, transaction: bytes) -> Receipt:
        assert transaction == TOLD.transaction
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def looked(monkeypatch: pytest.MonkeyPatch, after_s: float, *answers: Receipt | Exception) -> Journal:
    """A receipt was told so long ago; each node has been looked at once, in their order."""
    nodes = {str(number): Node(answer) for number, answer in enumerate(answers)}

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Node]:
        yield nodes[url]

    async def main() -> Journal:
        kept = Journal(list(nodes), _turn=len(nodes) - 1)
        kept.hear(TOLD)
        await trio.sleep(after_s)
        for _ in nodes:
            await kept.look()
        return kept

    monkeypatch.setattr(journal, "connect", connect)
    return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_what_a_node_behind_the_others_does_not_know_is_certified_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = looked(monkeypatch, 2 * GIVE_UP_S, UNKNOWN, BUSY, replace(TOLD, stage="certified"))
    assert (kept.reverted, list(kept.certified)) == (0, [TOLD.transaction])


def test_what_no_node_knows_after_its_expiry_has_come_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = looked(monkeypatch, 2 * GIVE_UP_S, UNKNOWN, replace(TOLD, stage="reverted"), UNKNOWN)
    assert (kept.reverted, kept.certified) == (1, {})


def test_a_node_that_does_not_say_denies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = looked(monkeypatch, 2 * GIVE_UP_S, UNKNOWN, BUSY, UNKNOWN)
    assert (kept.reverted, kept.certified) == (0, {})


def test_before_its_expiry_nothing_has_come_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = looked(monkeypatch, 2 * LOOK_S, UNKNOWN, UNKNOWN)
    assert kept.reverted == 0


def test_what_comes_out_otherwise_than_told_is_certified_and_reverted(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = looked(monkeypatch, 2 * LOOK_S, replace(TOLD, status="failed", stage="certified"))
    assert (kept.reverted, list(kept.certified)) == (1, [TOLD.transaction])
