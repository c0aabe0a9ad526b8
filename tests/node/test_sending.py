"""A node that only follows passes transactions on, in order, past validators that refuse, stall and lie."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis import codec
from genesis.chain import Call, DeployTransaction, Receipt, SignedTransaction, sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.transaction import KINDS_WITH_SOURCE
from node.forwarder import ANSWER_TIMEOUT_S, PROTOCOL
from node.mempool import Pending
from node.sync import sending
from node.sync.sending import AVOIDED_S, FRAME_BYTES_MAX, PATIENCE_S, Sending
from p2p.memory import MemoryNetwork, open_memory_network
from tests.node.running import SPEC, transaction

Rows = Sequence[bytes]
Answer = Callable[[Rows], Awaitable[bytes]]


def payment(sequence: int, key: int = 6, calls: int = 1) -> SignedTransaction:
    """Of about 4 KiB a call; the same each time."""
    return transaction(key, [Call(b"p" * 20, b"abcd", b"x" * 4_000)] * calls, sequence=sequence, expiry=1 << 50)


def receipt(signed: SignedTransaction) -> Receipt:
    return Receipt(signed.id, 1, 0, "done", "", 5, 7, (), (), (0, 0))


def deployment(key: int) -> SignedTransaction:
    t = DeployTransaction(
        SPEC.chain_id, development_address(key), 0, 0, 1 << 50, SPEC.gas_transaction_max, SPEC.fee_min, "two",
        (("two.py", ""),), b"", b"",
    )  # fmt: skip
    return sign(t, development_key(key))


KNOWN: dict[bytes, SignedTransaction] = {}
"""By their bytes: what the validators of these tests can decode."""


def pending(signed: SignedTransaction, told: list[Any]) -> Pending:
    KNOWN[signed.raw] = signed
    return Pending(signed, told.append)


async def runs(rows: Rows) -> bytes:
    return codec.encode(tuple(receipt(KNOWN[row]).encode() for row in rows))


async def refuses(rows: Rows) -> bytes:
    raise Unavailable("This node is leaving; send to another one.")


async def stalls(rows: Rows) -> bytes:
    await trio.sleep_forever()
    raise AssertionError


async def forges(rows: Rows) -> bytes:
    return codec.encode(tuple(receipt(payment(77)).encode() for _ in rows))


async def answers_fewer(rows: Rows) -> bytes:
    return codec.encode(())


async def finds_fault(rows: Rows) -> bytes:
    return codec.encode(tuple(("invalid", "sequence_gap", "Lane 0 leaves no gap.") for _ in rows))


class Town:
    """Validators by name, each with its way to answer; asked: what each was asked, in order."""

    def __init__(self, follower: MemoryNetwork, names: Sequence[str]) -> None:
        self.network, self.names = follower, names
        self.asked: list[tuple[str, int]] = []
        self.sending = Sending(follower, lambda: self.names)

    def serve(self, network: MemoryNetwork, answer: Answer) -> None:
        async def handle(_: str, payload: bytes) -> bytes:
            rows: Any = codec.decode(payload, 1 << 20)
            self.asked.append((network.identity, len(rows)))
            return await answer(rows)

        network.serve(PROTOCOL, handle)


def play(test: Callable[[Town], Awaitable[None]], **validators: Answer) -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            town = Town(hub.join("follower"), tuple(validators))
            for name, answer in validators.items():
                town.serve(hub.join(name), answer)
            await nursery.start(town.sending.run)
            await test(town)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def came(told: Sequence[Any], count: int) -> None:
    while len(told) < count:
        await trio.sleep(0.01)


@pytest.mark.parametrize("first", [refuses, stalls, forges, answers_fewer])
def test_who_has_no_answer_is_passed_over(first: Answer) -> None:
    async def test(town: Town) -> None:
        told: list[Any] = []
        town.sending.submit(pending(payment(0), told))
        await came(told, 1)
        assert told == [receipt(payment(0))]
        assert town.asked == [("first", 1), ("second", 1)]
        assert trio.current_time() <= ANSWER_TIMEOUT_S + 1
        assert town.network.statistics().bans == (first in (forges, answers_fewer))

    play(test, first=first, second=runs)


def test_who_stalls_is_asked_last_for_a_while() -> None:
    async def test(town: Town) -> None:
        told: list[Any] = []
        for number in range(5):
            town.sending.submit(pending(payment(number), told))
            await came(told, number + 1)
        assert town.asked == [("first", 1), *[("second", 1)] * 5]
        assert trio.current_time() <= ANSWER_TIMEOUT_S + 1
        await trio.sleep(AVOIDED_S)
        town.sending.submit(pending(payment(5), told))
        await came(told, 6)
        assert town.asked[6:] == [("first", 1), ("second", 1)], "it may have come to itself"

    play(test, first=stalls, second=runs)


def test_a_validators_refusal_is_the_answer() -> None:
    async def test(town: Town) -> None:
        told: list[Any] = []
        town.sending.submit(pending(payment(5), told))
        await came(told, 1)
        assert isinstance(told[0], Invalid) and told[0].code == "sequence_gap"
        assert town.asked == [("first", 1)]

    play(test, first=finds_fault, second=runs)


def test_without_an_answer_for_long_the_client_is_told_what_to_ask() -> None:
    async def test(town: Town) -> None:
        told: list[Any] = []
        town.sending.submit(pending(payment(0), told))
        await came(told, 1)
        assert isinstance(told[0], Unavailable) and "receipt" in str(told[0])
        assert PATIENCE_S <= trio.current_time() <= PATIENCE_S + 1

    play(test, first=refuses)


def test_a_lane_keeps_its_order_and_waits_for_no_other() -> None:
    """The first frame waits as long as its validator likes; another account's goes past it, its own lane's does not."""
    release = trio.Event()
    ran: list[bytes] = []

    async def slow(rows: Rows) -> bytes:
        if KNOWN[rows[0]] == payment(0):
            await release.wait()
        ran.extend(rows)
        return await runs(rows)

    async def test(town: Town) -> None:
        told: list[Any] = []
        first, behind, other = payment(0), payment(1), payment(0, key=7)
        town.sending.submit(pending(first, told))
        await trio.sleep(0.1)
        for signed in (behind, other):
            town.sending.submit(pending(signed, told))
        await came(told, 1)
        assert told == [receipt(other)]
        release.set()
        await came(told, 3)
        assert ran == [other.raw, first.raw, behind.raw]

    play(test, first=slow)


def test_deployments_go_alone_take_their_time_and_hold_up_their_own_lanes_alone() -> None:
    async def compiles(rows: Rows) -> bytes:
        if rows[0][0] in KINDS_WITH_SOURCE:
            await trio.sleep(2 * ANSWER_TIMEOUT_S)
        return await runs(rows)

    async def test(town: Town) -> None:
        told: list[Any] = []
        behind, other = payment(1), payment(0, key=14)
        deployments = [deployment(key) for key in range(6, 12)]
        for signed in (*deployments, behind, other):
            town.sending.submit(pending(signed, told))
        await came(told, 1)
        assert told == [receipt(other)] and trio.current_time() < ANSWER_TIMEOUT_S
        await came(told, 8)
        assert told.index(receipt(deployments[0])) < told.index(receipt(behind))
        assert town.asked == [("first", 1)] * 8

    play(test, first=compiles, second=runs)


def test_frames_are_as_large_as_a_follower_may_ask_and_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WAITING_MAX", 20)

    async def test(town: Town) -> None:
        told: list[Any] = []
        large = [pending(payment(number, calls=8), told) for number in range(20)]
        for one in large:
            town.sending.submit(one)
        with pytest.raises(Unavailable, match="20 transactions wait"):
            town.sending.submit(pending(payment(99), told))
        await came(told, 20)
        assert [one.transaction for one in told] == [one.signed.id for one in large]
        each = FRAME_BYTES_MAX // large[0].size
        assert max(count for _, count in town.asked) == each and sum(count for _, count in town.asked) == 20

    play(test, first=runs)
