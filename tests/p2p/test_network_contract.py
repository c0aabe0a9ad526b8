"""One suite for every implementation of the network door, on a network in good health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from genesis.errors import Invalid, Unavailable
from p2p.address import StaticPeer, read_address
from p2p.identity import NodeKey
from p2p.memory import Weather, open_memory_network
from p2p.network import MESSAGE_BYTES_MAX, PUBLICATION_BYTES_MAX, QUEUE_MESSAGES_MAX, Message, Network, Offence
from p2p.tcp import open_tcp_network

NAMES = ("a", "b", "c")
Nodes = dict[str, Network]
Test = Callable[[Nodes], Awaitable[None]]


@asynccontextmanager
async def memory() -> AsyncIterator[Nodes]:
    async with open_memory_network(seed=1, weather=Weather(latency_s=0.01, jitter_s=0.005)) as hub:
        yield {name: hub.join(name) for name in NAMES}


@asynccontextmanager
async def tcp() -> AsyncIterator[Nodes]:
    """Three nodes on this machine, each on a free port, who know one another."""
    async with AsyncExitStack() as stack:
        here = read_address("/ip4/127.0.0.1/tcp/0")
        keys = sorted((NodeKey(bytes([byte]) * 32) for byte in (1, 2, 3)), key=lambda key: key.peer)
        nodes = [await stack.enter_async_context(open_tcp_network(key, here)) for key in keys]
        everybody = [StaticPeer(node.identity, node.addresses[0]) for node in nodes]
        for node in nodes:
            node.allow(everybody)
        while any(len(node.peers()) < 2 for node in nodes):
            await trio.sleep(0.005)
        yield dict(zip(NAMES, nodes))


@dataclass(frozen=True)
class Run:
    """
    Runs a test against three connected nodes.

    pause_s: in which a message surely arrives. patience_s: in which nothing more happens. On a virtual clock neither
    takes any time.
    """

    opened: Callable[[], AbstractAsyncContextManager[Nodes]]
    virtual: bool
    pause_s: float
    patience_s: float

    def __call__(self, test: Test) -> None:
        trio.run(self._main, test, clock=MockClock(autojump_threshold=0) if self.virtual else None)

    async def _main(self, test: Test) -> None:
        with trio.fail_after(60):
            async with self.opened() as nodes:
                await test(nodes)


RUNS = {"memory": Run(memory, True, pause_s=0.02, patience_s=2), "tcp": Run(tcp, False, pause_s=0.0, patience_s=0.4)}


@pytest.fixture(params=sorted(RUNS))
def run(request: pytest.FixtureRequest) -> Run:
    return RUNS[request.param]


async def take(channel: trio.MemoryReceiveChannel[Message], count: int) -> list[bytes]:
    return [(await channel.receive()).payload for _ in range(count)]


def test_everybody_sees_everybody_else(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        identities = [node.identity for node in nodes.values()]
        assert identities == sorted(set(identities))
        for node in nodes.values():
            assert node.peers() == tuple(peer for peer in identities if peer != node.identity)
            assert node.statistics().peers == 2

    run(test)


def test_a_stream_keeps_the_order_and_names_the_sender(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("votes")
        stream = await nodes["a"].open(nodes["b"].identity, "votes")
        sent = [str(number).encode() for number in range(500)]
        for payload in sent:
            await stream.send(payload)
        received = [await inbox.receive() for _ in sent]
        assert [message.payload for message in received] == sent
        assert {message.peer for message in received} == {nodes["a"].identity}

    run(test)


def test_streams_of_different_senders_meet_in_one_listener(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["c"].listen("votes")
        for name in ("a", "b"):
            stream = await nodes[name].open(nodes["c"].identity, "votes")
            await stream.send(name.encode())
            await stream.aclose()
        assert sorted(await take(inbox, 2)) == [b"a", b"b"]

    run(test)


def test_sends_at_once_share_frames(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("votes")
        stream = await nodes["a"].open(nodes["b"].identity, "votes")
        for _ in range(200):
            await stream.send(b"x")
        await take(inbox, 200)
        statistics = nodes["a"].statistics()
        assert statistics.messages_sent == 200
        assert statistics.frames_sent <= 100

    run(test)


def test_a_listener_that_does_not_drain_holds_up_its_sender(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("blocks")
        stream = await nodes["a"].open(nodes["b"].identity, "blocks")
        with trio.move_on_after(run.patience_s) as waited:
            for _ in range(3 * QUEUE_MESSAGES_MAX):
                await stream.send(b"x")
        assert waited.cancelled_caught
        assert len(await take(inbox, QUEUE_MESSAGES_MAX)) == QUEUE_MESSAGES_MAX

    run(test)


def test_nobody_opens_a_stream_that_nobody_listens_to(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        with pytest.raises(Unavailable):
            await nodes["a"].open(nodes["b"].identity, "votes")
        with pytest.raises(Unavailable):
            await nodes["a"].open("nobody", "votes")

    run(test)


def test_a_request_is_answered(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        async def double(peer: str, payload: bytes) -> bytes:
            return peer.encode() + payload * 2

        nodes["b"].serve("double", double)
        assert (
            await nodes["a"].request(nodes["b"].identity, "double", b"xy", timeout_s=1)
            == nodes["a"].identity.encode() + b"xyxy"
        )
        assert nodes["b"].statistics().requests_answered == 1

    run(test)


def test_a_refusal_reaches_the_asker_as_the_same_kind_of_error(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        async def refuse(peer: str, payload: bytes) -> bytes:
            raise Invalid("No such range; ask for one that exists.", "bad_range") if payload else Unavailable("Busy.")

        nodes["b"].serve("range", refuse)
        with pytest.raises(Invalid, match="No such range") as refusal:
            await nodes["a"].request(nodes["b"].identity, "range", b"x", timeout_s=1)
        assert refusal.value.code == "bad_range"
        with pytest.raises(Unavailable, match="Busy"):
            await nodes["a"].request(nodes["b"].identity, "range", b"", timeout_s=1)

    run(test)


def test_a_request_without_answer_is_unavailable_in_time(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        async def sleep(peer: str, payload: bytes) -> bytes:
            await trio.sleep_forever()
            raise AssertionError

        nodes["b"].serve("sleep", sleep)
        started = trio.current_time()
        other = nodes["b"].identity
        for peer, protocol in ((other, "sleep"), (other, "unserved"), ("nobody", "sleep")):
            with pytest.raises(Unavailable):
                await nodes["a"].request(peer, protocol, b"", timeout_s=run.patience_s)
        assert trio.current_time() - started <= 3 * run.patience_s + 2

    run(test)


def test_who_retires_answers_nothing_any_more_and_waits_for_what_is_at_work(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        asked, ended, refusals = trio.Event(), [], []

        async def slow(peer: str, payload: bytes) -> bytes:
            asked.set()
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):  # as the engine, whose work is never abandoned
                    await trio.sleep(run.pause_s)
                ended.append(payload)
            raise AssertionError

        async def ask() -> None:
            with pytest.raises(Unavailable, match=r"does not serve|is leaving") as refusal:
                await nodes["a"].request(nodes["b"].identity, "slow", b"one", 50)
            refusals.append(refusal)

        nodes["b"].serve("slow", slow)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await asked.wait()
            await nodes["b"].retire()
            assert ended == [b"one"]
            await ask()
        assert len(refusals) == 2

    run(test)


def test_a_publication_reaches_all_subscribers_but_the_publisher(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        inboxes = {name: node.subscribe("blocks") for name, node in nodes.items()}
        await nodes["a"].publish("blocks", b"7")
        await nodes["a"].publish("other", b"8")
        for name in ("b", "c"):
            assert await inboxes[name].receive() == Message(nodes["a"].identity, b"7")
        await trio.sleep(run.patience_s)
        for inbox in inboxes.values():
            with pytest.raises(trio.WouldBlock):
                inbox.receive_nowait()

    run(test)


def test_a_subscriber_that_does_not_read_loses_the_newest_and_holds_up_nobody(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        slow, quick = nodes["b"].subscribe("blocks"), nodes["c"].subscribe("blocks")
        seen = 0
        for _ in range((QUEUE_MESSAGES_MAX + 10) // 11):
            for _ in range(11):
                await nodes["a"].publish("blocks", b"x")
            await trio.sleep(run.pause_s)
            seen += len(await take(quick, 11))
        assert seen == QUEUE_MESSAGES_MAX + 10
        await trio.sleep(run.patience_s)
        assert nodes["b"].statistics().publications_dropped == 10
        assert len(await take(slow, QUEUE_MESSAGES_MAX)) == QUEUE_MESSAGES_MAX

    run(test)


def test_sizes_are_bounded(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        nodes["b"].listen("blocks")
        stream = await nodes["a"].open(nodes["b"].identity, "blocks")
        large = bytes(MESSAGE_BYTES_MAX + 1)
        await stream.send(large[:-1])
        for call in (
            stream.send(large),
            nodes["a"].request(nodes["b"].identity, "blocks", large, timeout_s=1),
            nodes["a"].publish("blocks", bytes(PUBLICATION_BYTES_MAX + 1)),
        ):
            with pytest.raises(Invalid) as caught:
                await call
            assert caught.value.code == "too_large"

    run(test)


def test_the_largest_message_arrives_whole(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        async def turn(peer: str, payload: bytes) -> bytes:
            return payload[::-1]

        inbox, large = nodes["b"].listen("blocks"), bytes(range(256)) * (MESSAGE_BYTES_MAX // 256)
        nodes["b"].serve("turn", turn)
        stream = await nodes["a"].open(nodes["b"].identity, "blocks")
        for _ in range(3):
            await stream.send(large)
        assert await take(inbox, 3) == [large] * 3
        assert await nodes["a"].request(nodes["b"].identity, "turn", large, timeout_s=20) == large[::-1]

    run(test)


def test_a_stuck_listener_holds_up_no_other_stream_and_no_request(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        async def echo(peer: str, payload: bytes) -> bytes:
            return payload

        nodes["b"].listen("blocks")
        votes, target = nodes["b"].listen("votes"), nodes["b"].identity
        nodes["b"].serve("echo", echo)
        stuck = await nodes["a"].open(target, "blocks")
        with trio.move_on_after(run.patience_s):
            for _ in range(3 * QUEUE_MESSAGES_MAX):
                await stuck.send(bytes(64 * 1024))
        stream = await nodes["a"].open(target, "votes")
        for number in range(20):
            await stream.send(str(number).encode())
            assert await take(votes, 1) == [str(number).encode()]
            assert await nodes["a"].request(target, "echo", b"x", timeout_s=5) == b"x"

    run(test)


def test_a_slow_answer_holds_up_no_other(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        waiting = trio.Event()

        async def answer(peer: str, payload: bytes) -> bytes:
            if payload == b"slow":
                await waiting.wait()
            return payload

        nodes["b"].serve("p", answer)
        answers: list[bytes] = []

        async def ask(payload: bytes) -> None:
            answers.append(await nodes["a"].request(nodes["b"].identity, "p", payload, timeout_s=10))
            waiting.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, b"slow")
            await trio.sleep(run.patience_s)
            nursery.start_soon(ask, b"quick")
        assert answers == [b"quick", b"slow"]

    run(test)


def test_a_stream_that_breaks_says_so_though_nothing_is_sent(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = nodes.values()
        b.listen("votes")
        bad, good = await a.open(b.identity, "votes"), await c.open(b.identity, "votes")
        with trio.move_on_after(run.patience_s) as patience:
            await bad.wait_broken()
        assert patience.cancelled_caught
        for _ in range(6):
            b.report(a.identity, Offence.INVALID)
        await bad.wait_broken()
        with pytest.raises(Unavailable):
            await bad.send(b"x")
        await good.send(b"unaffected")

    run(test)


def test_enough_offences_ban_a_peer_and_nobody_else(run: Run) -> None:
    async def test(nodes: Nodes) -> None:
        a, b, c = nodes.values()
        inbox = b.listen("votes")
        bad, good = await a.open(b.identity, "votes"), await c.open(b.identity, "votes")
        b.report(a.identity, Offence.INVALID)
        await bad.send(b"still let in")
        assert await take(inbox, 1) == [b"still let in"]
        for _ in range(5):
            b.report(a.identity, Offence.INVALID)
        with pytest.raises(Unavailable):  # a little later
            for _ in range(100):
                await bad.send(b"x")
                await trio.sleep(run.patience_s / 100)
        assert b.peers() == (c.identity,)
        for one, other in ((a, b), (b, a)):
            with pytest.raises(Unavailable):
                await one.open(other.identity, "votes")
            with pytest.raises(Unavailable):
                await one.request(other.identity, "p", b"", timeout_s=run.patience_s)
        await good.send(b"unaffected")
        while (await inbox.receive()).peer != c.identity:
            pass
        statistics = b.statistics()
        assert (statistics.banned, statistics.bans, statistics.offences, statistics.peers) == (1, 1, 6, 1)
        assert c.statistics().bans == a.statistics().bans == 0

    run(test)
