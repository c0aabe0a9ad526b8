"""What comes to a new leader follows upon what the one before it had run, whoever sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis import codec
from genesis.chain import Call, Receipt, SignedTransaction
from genesis.crypto import ZERO_HASH
from genesis.errors import Unavailable
from node.forwarder import PROTOCOL, Forwarder
from node.intake import HELD, Taken
from node.mempool import Mempool, Pending
from p2p.memory import Hub, open_memory_network
from tests.node.running import SPEC, transaction

LATE_MS = 1 << 52
"""Whenever these tests run, it is not over."""


def payment(sequence: int) -> SignedTransaction:
    return transaction(6, [Call(b"p" * 20, b"abcd", b"")], sequence=sequence, expiry=LATE_MS)


FIRST, SECOND = payment(0), payment(1)


@dataclass(slots=True)
class Machine:
    """Stands for what runs transactions; ran: all, in order. done: those that somebody saw through, which compiles."""

    leader: str | None = None
    open: bool = False
    orphans: list[bytes] = field(default_factory=list)
    ran: list[SignedTransaction] = field(default_factory=list)
    done: list[SignedTransaction] = field(default_factory=list)
    compiled: trio.Event | None = None
    """What is seen through waits for it."""
    holds: bool = False
    """The compiler holds up all that comes."""

    async def send(self, signed: Sequence[SignedTransaction], waits: bool) -> Taken:
        self.ran += signed

        async def answers() -> list[Any]:
            if self.compiled is not None:
                await self.compiled.wait()
            self.done += signed
            return [Receipt(one.id, 1, 0, "done", "", 5, 7, (), (), (0, 0)).encode() for one in signed]

        async def at_hand() -> list[Any]:
            return [HELD for _ in signed] if self.holds else await answers()

        return Taken(answers, at_hand)

    def take_orphans(self, count: int) -> list[bytes]:
        taken, self.orphans = self.orphans[:count], self.orphans[count:]
        return taken


@contextmanager
def forwarding(
    nursery: trio.Nursery, machine: Machine, network: Any, pool: Mempool | None = None
) -> Iterator[Forwarder]:
    forwarder = Forwarder(
        pool or Mempool(SPEC, 100), network, lambda: machine.leader, machine.send, machine.take_orphans,
        lambda: machine.open,
    )  # fmt: skip
    nursery.start_soon(forwarder.run)
    yield forwarder
    nursery.cancel_scope.cancel()


def run(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_what_is_forwarded_to_a_new_leader_waits_until_it_has_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock on the wall: signers are recovered on a thread."""
    monkeypatch.setattr("node.forwarder.SETTLE_S", 60.0)

    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, other = Machine(leader="other"), hub.join("other")
            with forwarding(nursery, machine, hub.join("new")) as forwarder:
                await trio.sleep(0.05)
                machine.leader, machine.orphans = None, [FIRST.raw]
                forwarder.wake()
                nursery.start_soon(other.request, "new", PROTOCOL, codec.encode((SECOND.raw,)), 60.0)
                await trio.sleep(0.2)
                assert machine.ran == []
                machine.open = True
                while len(machine.ran) < 2:
                    await trio.sleep(0.01)
                assert machine.ran == [FIRST, SECOND]

    trio.run(main)


def test_what_a_follower_sends_is_passed_on_and_what_a_validator_sends_is_not() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, network = Machine(leader="other"), hub.join("me")
            other, follower = hub.join("other"), hub.join("follower")
            forwarder = Forwarder(
                Mempool(SPEC, 100), network, lambda: machine.leader, machine.send, machine.take_orphans, lambda: True,
                lambda peer: peer == "follower",
            )  # fmt: skip
            await nursery.start(forwarder.run)
            question = codec.encode((FIRST.raw,))
            (row,) = codec.decode(await follower.request("me", PROTOCOL, question, 60.0), 1 << 16)
            assert Receipt.decode(row).transaction == FIRST.id and machine.ran == [FIRST]
            with pytest.raises(Unavailable, match="does not lead"):
                await other.request("me", PROTOCOL, question, 60.0)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_what_clients_send_waits_no_longer_than_that_nor_for_another_leader() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine = Machine(leader="other")
            with forwarding(nursery, machine, hub.join("new")) as forwarder:
                await trio.sleep(1)
                machine.leader = None
                began = trio.current_time()
                with trio.move_on_after(1) as waiting:
                    await forwarder.at_home()
                assert waiting.cancelled_caught
                machine.leader = "third"
                await forwarder.at_home()
                assert trio.current_time() - began < 1.1
                machine.leader, machine.open = None, True
                await forwarder.at_home()
                assert trio.current_time() - began < 1.3
                await forwarder.at_home()

    run(main)


def test_what_the_last_leader_took_goes_to_the_next_ahead_of_what_came_since() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, taken = Machine(leader="old"), list[bytes]()
            refusals = [Unavailable("This node does not lead; ask whoever does.")] * 3

            async def new(_: str, payload: bytes) -> bytes:
                if refusals:
                    raise refusals.pop()
                taken.extend(raws(payload))
                return answered(payload)

            runs_all(hub, "old")
            hub.join("next").serve(PROTOCOL, new)
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                await sent(forwarder, FIRST)
                machine.leader = "next"
                await sent(forwarder, SECOND)
                assert taken == [FIRST.raw, SECOND.raw]

    run(main)


async def silent(_: str, __: bytes) -> bytes:
    await trio.sleep_forever()
    raise AssertionError


def test_who_leads_no_more_is_not_waited_for() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, told = Machine(leader="cut off"), list[Receipt]()
            hub.join("cut off").serve(PROTOCOL, silent)
            runs_all(hub, "next")
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                forwarder.submit(Pending(FIRST, told.append))
                await trio.sleep(1)
                machine.leader = "next"
                forwarder.wake()
                with trio.fail_after(1):
                    while not told:
                        await trio.sleep(0.01)

    run(main)


def test_what_the_mempool_gave_waits_there_again_when_this_node_leads() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, pool = Machine(leader="cut off"), Mempool(SPEC, 100)
            hub.join("cut off").serve(PROTOCOL, silent)
            waits = [Pending(one, lambda _: None) for one in (FIRST, SECOND)]
            pool.learn(pool.unknown([FIRST]), [-1])
            for one in waits:
                pool.admit(one, 0)
            with forwarding(nursery, machine, hub.join("node"), pool) as forwarder:
                await trio.sleep(1)
                assert len(pool) == 0
                machine.leader, machine.open = None, True
                forwarder.wake()
                await forwarder.at_home()
                assert pool.take(1 << 62, 100, 1 << 20) == waits
                assert machine.ran == [], "they were let in here before, and are not once more"

    run(main)


def test_what_runs_again_or_for_somebody_who_has_left_is_seen_through() -> None:
    """By the clock on the wall: signers are recovered on a thread."""

    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, other = Machine(orphans=[FIRST.raw], open=True), hub.join("other")
            machine.compiled = trio.Event()
            with forwarding(nursery, machine, hub.join("new")):
                asking = trio.CancelScope()

                async def ask() -> None:
                    with asking:
                        await other.request("new", PROTOCOL, codec.encode((SECOND.raw,)), 60.0)

                await _until(lambda: machine.ran == [FIRST])
                nursery.start_soon(ask)
                await _until(lambda: machine.ran == [FIRST, SECOND])
                asking.cancel()
                await _until(lambda: asking.cancelled_caught)
                assert machine.done == []
                machine.compiled.set()
                await _until(lambda: {one.id for one in machine.done} == {FIRST.id, SECOND.id})

    trio.run(main)


def compiles(hub: Hub, name: str, held: set[bytes]) -> list[bytes]:
    """A leader whose compiler holds up some of what it is sent, as long as they are in `held`; all that it was sent."""
    asked = list[bytes]()

    async def answer(_: str, payload: bytes) -> bytes:
        asked.extend(raws(payload))
        rows = zip(raws(payload), codec.decode(answered(payload), 1 << 16), strict=True)
        return codec.encode(tuple(tuple(HELD) if raw in held else done for raw, done in rows))

    hub.join(name).serve(PROTOCOL, answer)
    return asked


def test_what_the_leaders_compiler_holds_up_holds_up_nothing_else() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            held, machine, first, second = {FIRST.raw}, Machine(leader="leads"), list[Any](), list[Any]()
            compiles(hub, "leads", held)
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                forwarder.submit(Pending(FIRST, first.append))
                forwarder.submit(Pending(SECOND, second.append))
                await trio.sleep(10)
                assert len(second) == 1 and first == []
                assert forwarder.statistics()["waiting"] == 1
                await sent(forwarder, payment(2))
                held.clear()
                await trio.sleep(1)
                assert len(first) == 1 and forwarder.statistics()["waiting"] == 0

    run(main)


def test_what_came_twice_is_answered_twice_as_far_as_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.mempool.HEARERS_MAX", 2)

    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            held, machine, told = {FIRST.raw}, Machine(leader="leads"), list[Any]()
            compiles(hub, "leads", held)
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                for number in range(3):
                    forwarder.submit(Pending(FIRST, told.append))
                    await trio.sleep(0.1)
                    assert [type(one) for one in told] == [Unavailable] * (number == 2)
                held.clear()
                forwarder.submit(Pending(FIRST, told.append))
                await trio.sleep(1)
                assert [type(one) for one in told] == [Unavailable, *[Receipt] * 3]
                assert forwarder.statistics()["waiting"] == 0

    run(main)


def test_what_is_held_up_goes_to_the_next_leader_ahead_of_what_came_since() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, told = Machine(leader="old"), list[Any]()
            compiles(hub, "old", {FIRST.raw})
            asked = compiles(hub, "next", set())
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                forwarder.submit(Pending(FIRST, told.append))
                await trio.sleep(1)
                machine.leader = "next"
                await sent(forwarder, SECOND)
                assert asked == [FIRST.raw, SECOND.raw] and len(told) == 1

    run(main)


def test_what_is_held_up_runs_here_once_this_node_leads() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, told = Machine(leader="old"), list[Any]()
            compiles(hub, "old", {FIRST.raw})
            with forwarding(nursery, machine, hub.join("node")) as forwarder:
                forwarder.submit(Pending(FIRST, told.append))
                await trio.sleep(1)
                machine.leader, machine.open = None, True
                await trio.sleep(1)
                assert machine.ran == [FIRST] and len(told) == 1

    run(main)


def test_a_validator_is_told_at_once_what_the_compiler_holds_up_and_who_follows_waits() -> None:
    """By the clock on the wall: signers are recovered on a thread."""

    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, network = Machine(open=True, compiled=trio.Event(), holds=True), hub.join("me")
            validator, follower = hub.join("validator"), hub.join("follower")
            forwarder = Forwarder(
                Mempool(SPEC, 100), network, lambda: None, machine.send, machine.take_orphans, lambda: True,
                lambda peer: peer == "follower",
            )  # fmt: skip
            await nursery.start(forwarder.run)
            answers = list[Any]()

            async def ask(of: Any, signed: SignedTransaction) -> None:
                answers.extend(
                    codec.decode(await of.request("me", PROTOCOL, codec.encode((signed.raw,)), 60.0), 1 << 16)
                )

            await ask(validator, FIRST)
            assert answers == [tuple(HELD)]
            nursery.start_soon(ask, follower, SECOND)
            await _until(lambda: machine.ran == [FIRST, SECOND])
            assert len(answers) == 1
            assert machine.compiled is not None
            machine.compiled.set()
            await _until(lambda: len(answers) == 2)
            assert Receipt.decode(answers[1]).transaction == SECOND.id
            nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.timeout(60)
def test_a_deployment_that_is_compiled_here_stops_nothing_when_another_leads() -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            machine, pool = Machine(leader="leads"), Mempool(SPEC, 100)
            runs_all(hub, "leads")
            pool.learn(pool.unknown([FIRST]), [-1])
            pool.hold(Pending(FIRST, lambda _: None), 0)
            with forwarding(nursery, machine, hub.join("node"), pool) as forwarder:
                await sent(forwarder, SECOND)
                assert len(pool) == 1

    run(main)


async def _until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():
            await trio.sleep(0.01)


def runs_all(hub: Hub, name: str) -> list[bytes]:
    """A node that runs whatever it is sent, which is what is returned."""
    taken = list[bytes]()

    async def answer(_: str, payload: bytes) -> bytes:
        taken.extend(raws(payload))
        return answered(payload)

    hub.join(name).serve(PROTOCOL, answer)
    return taken


async def sent(forwarder: Forwarder, signed: SignedTransaction) -> None:
    """Submit it, and wait until whoever leads has answered."""
    told = trio.Event()
    forwarder.submit(Pending(signed, lambda _: told.set()))
    await told.wait()


def raws(payload: bytes) -> list[bytes]:
    return [bytes(raw) for raw in codec.expect_array(codec.decode(payload, 1 << 20), None, "Transactions")]


def answered(payload: bytes) -> bytes:
    receipt = Receipt(ZERO_HASH, 1, 0, "done", "", 5, 7, (), (), (0, 0)).encode()
    return codec.encode(tuple(receipt for _ in raws(payload)))
