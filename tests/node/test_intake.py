"""A deployment that comes again and again while the compiler has it: each is answered, nothing is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.chain import Deployment, DeployTransaction, Receipt, SignedTransaction, unsigned
from genesis.errors import Invalid
from node.corelink import refusal
from node.intake import HELD, Intake, Taken
from node.mempool import Mempool
from node.outcomes import REFUSED_S, Outcomes
from tests.node.running import SPEC

ALICE = b"a" * 20
LATE_MS = 1 << 52
DOES_NOT_COMPILE = Invalid("Line 1: no program.", "does_not_compile")


def deployment(sequence: int = 0) -> SignedTransaction:
    built = DeployTransaction(
        SPEC.chain_id,
        ALICE,
        0,
        sequence,
        LATE_MS,
        SPEC.gas_transaction_max,
        SPEC.fee_min,
        "two",
        (("two.py", ""),),
        b"",
    )
    return unsigned(built, ALICE)


FIRST = deployment()


class Leader:
    """Takes in what other validators send, with a compiler that takes a second, or until `go`; compiled: how often."""

    def __init__(self, nursery: trio.Nursery, error: Invalid | None = None) -> None:
        nothing: Any = SimpleNamespace(position=lambda _: None)
        unused: Any = Unused()
        self.nursery, self.error, self.compiled = nursery, error, 0
        self.mempool = Mempool(SPEC, 100)
        self.intake = Intake(SPEC, unused, unused, self.mempool, Outcomes(nothing), self._paid)
        self.intake.line = unused
        setattr(self.intake, "compile", self._compile)  # noqa: B010 - a method, to mypy

    async def _paid(self, _: SignedTransaction, __: int) -> str:
        return ""

    async def _compile(self, signed: SignedTransaction) -> Deployment:
        await trio.sleep(1)
        self.compiled += 1
        if self.error is not None:
            raise self.error
        return Deployment(b"d" * 20, signed.id, ALICE, "two", b"", b"", "tenor 1", bytes(32), b"w", "{}")

    async def asked(self, signed: SignedTransaction = FIRST) -> Any:
        """What a validator hears at once that forwards it."""
        taken = await self.intake.run_here([signed], False)
        self.nursery.start_soon(taken.finish)
        (answer,) = await taken.at_hand()
        return answer

    async def waits(self) -> Taken:
        return await self.intake.run_here([FIRST], True)

    def run(self) -> None:
        """Execute what waits."""
        for pending in self.mempool.take(1 << 62, 100, 1 << 20):
            self.mempool.settle(pending, refused=False)
            pending.done(receipt(pending.signed))


class Unused:
    """An engine that knows of no lane, and a line that runs nothing."""

    sequences = None

    def __init__(self) -> None:
        self.turn = trio.Lock()

    async def run(self, _: object, keys: tuple[object, ...]) -> list[int]:
        return [-1] * len(keys)


def receipt(signed: SignedTransaction) -> Receipt:
    return Receipt(signed.id, 1, 0, "done", "", 5, 7, (), (), (0, 0))


@asynccontextmanager
async def leading(error: Invalid | None = None) -> AsyncIterator[Leader]:
    async with trio.open_nursery() as nursery:
        yield Leader(nursery, error)
        nursery.cancel_scope.cancel()


def play(test: Any, error: Invalid | None = None) -> None:
    async def main() -> None:
        async with leading(error) as leader:
            await test(leader)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_validator_that_asks_and_asks_for_what_is_held_hears_so_and_nothing_is_kept_of_it() -> None:
    async def test(leader: Leader) -> None:
        for _ in range(1_200):
            assert await leader.asked() == HELD
        await trio.sleep(0.5)
        (pending,) = leader.mempool.waiting()
        assert pending.also == ()
        assert len(leader.nursery.child_tasks) == 1, "who asked first has it compiled"
        await trio.sleep(2)
        leader.run()
        assert leader.compiled == 1

    play(test)


def test_who_waits_for_what_is_held_hears_its_outcome() -> None:
    async def test(leader: Leader) -> None:
        assert await leader.asked() == HELD
        taken, heard = await leader.waits(), list[Any]()

        async def wait() -> None:
            heard.extend(await taken.finish())

        leader.nursery.start_soon(wait)
        await trio.sleep(2)
        assert heard == []
        leader.run()
        await trio.sleep(0.1)
        assert heard == [receipt(FIRST).encode()]

    play(test)


def test_what_did_not_compile_is_refused_to_who_asks_again_and_not_compiled_again_at_once() -> None:
    async def test(leader: Leader) -> None:
        assert await leader.asked() == HELD
        await trio.sleep(2)
        for _ in range(3):
            assert await leader.asked() == refusal(DOES_NOT_COMPILE)
        assert leader.compiled == 1
        await trio.sleep(REFUSED_S)
        assert await leader.asked() == HELD, "what it may call, or who pays, may be another by then"
        await trio.sleep(2)
        assert leader.compiled == 2

    play(test, DOES_NOT_COMPILE)


def test_refusals_are_remembered_of_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.outcomes.REFUSED_MAX", 2)

    async def test(_: Leader) -> None:
        nothing: Any = None
        outcomes = Outcomes(nothing)
        for number in range(3):
            outcomes.refused(bytes([number]), DOES_NOT_COMPILE)
        assert [outcomes.refusal(bytes([number])) for number in range(3)] == [None, *[DOES_NOT_COMPILE] * 2]

    play(test)
