"""One suite for every implementation of the network door, on a network in good health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from genesis.errors import Invalid, Unavailable
from p2p.memory import Weather, open_memory_network
from p2p.network import MESSAGE_BYTES_MAX, PUBLICATION_BYTES_MAX, QUEUE_MESSAGES_MAX, Message, Network

NAMES = ("a", "b", "c")


@asynccontextmanager
async def memory() -> AsyncIterator[dict[str, Network]]:
    async with open_memory_network(seed=1, weather=Weather(latency_s=0.01, jitter_s=0.005)) as hub:
        yield {name: hub.join(name) for name in NAMES}


IMPLEMENTATIONS = {"memory": memory}
Nodes = dict[str, Network]
Test = Callable[[Nodes], Awaitable[None]]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Run an async test against three connected nodes; time passes by itself when all wait."""
    opened: Callable[[], AbstractAsyncContextManager[Nodes]] = IMPLEMENTATIONS[request.param]

    async def main(test: Test) -> None:
        with trio.fail_after(60):
            async with opened() as nodes:
                await test(nodes)

    return lambda test: trio.run(partial(main, test), clock=MockClock(autojump_threshold=0))


async def take(channel: trio.MemoryReceiveChannel[Message], count: int) -> list[bytes]:
    return [(await channel.receive()).payload for _ in range(count)]


def test_everybody_sees_everybody_else(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        assert {name: node.peers() for name, node in nodes.items()} == {
            "a": ("b", "c"),
            "b": ("a", "c"),
            "c": ("a", "b"),
        }
        assert [node.identity for node in nodes.values()] == list(NAMES)

    run(test)


def test_a_stream_keeps_the_order_and_names_the_sender(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("votes")
        stream = await nodes["a"].open("b", "votes")
        sent = [str(number).encode() for number in range(500)]
        for payload in sent:
            await stream.send(payload)
        received = [await inbox.receive() for _ in sent]
        assert [message.payload for message in received] == sent
        assert {message.peer for message in received} == {"a"}

    run(test)


def test_streams_of_different_senders_meet_in_one_listener(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["c"].listen("votes")
        for name in ("a", "b"):
            stream = await nodes[name].open("c", "votes")
            await stream.send(name.encode())
            await stream.aclose()
        assert sorted(await take(inbox, 2)) == [b"a", b"b"]

    run(test)


def test_sends_at_once_share_frames(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("votes")
        stream = await nodes["a"].open("b", "votes")
        for _ in range(200):
            await stream.send(b"x")
        await take(inbox, 200)
        statistics = nodes["a"].statistics()
        assert statistics.messages_sent == 200
        assert statistics.frames_sent <= 100

    run(test)


def test_a_listener_that_does_not_drain_holds_up_its_sender(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        inbox = nodes["b"].listen("blocks")
        stream = await nodes["a"].open("b", "blocks")
        with trio.move_on_after(10) as waited:
            for _ in range(3 * QUEUE_MESSAGES_MAX):
                await stream.send(b"x")
        assert waited.cancelled_caught
        assert len(await take(inbox, QUEUE_MESSAGES_MAX)) == QUEUE_MESSAGES_MAX

    run(test)


def test_nobody_opens_a_stream_that_nobody_listens_to(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        with pytest.raises(Unavailable):
            await nodes["a"].open("b", "votes")
        with pytest.raises(Unavailable):
            await nodes["a"].open("nobody", "votes")

    run(test)


def test_a_request_is_answered(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        async def double(peer: str, payload: bytes) -> bytes:
            return peer.encode() + payload * 2

        nodes["b"].serve("double", double)
        assert await nodes["a"].request("b", "double", b"xy", timeout_s=1) == b"axyxy"
        assert nodes["b"].statistics().requests_answered == 1

    run(test)


def test_a_refusal_reaches_the_asker_as_the_same_kind_of_error(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        async def refuse(peer: str, payload: bytes) -> bytes:
            raise Invalid("No such range; ask for one that exists.", "bad_range") if payload else Unavailable("Busy.")

        nodes["b"].serve("range", refuse)
        with pytest.raises(Invalid, match="No such range") as refusal:
            await nodes["a"].request("b", "range", b"x", timeout_s=1)
        assert refusal.value.code == "bad_range"
        with pytest.raises(Unavailable, match="Busy"):
            await nodes["a"].request("b", "range", b"", timeout_s=1)

    run(test)


def test_a_request_without_answer_is_unavailable_in_time(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        async def sleep(peer: str, payload: bytes) -> bytes:
            await trio.sleep_forever()
            raise AssertionError

        nodes["b"].serve("sleep", sleep)
        started = trio.current_time()
        for peer, protocol in (("b", "sleep"), ("b", "unserved"), ("nobody", "sleep")):
            with pytest.raises(Unavailable):
                await nodes["a"].request(peer, protocol, b"", timeout_s=2)
        assert trio.current_time() - started <= 6.1

    run(test)


def test_a_publication_reaches_all_subscribers_but_the_publisher(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        inboxes = {name: node.subscribe("blocks") for name, node in nodes.items()}
        await nodes["a"].publish("blocks", b"7")
        await nodes["a"].publish("other", b"8")
        for name in ("b", "c"):
            assert await inboxes[name].receive() == Message("a", b"7")
        await trio.sleep(1)
        for inbox in inboxes.values():
            with pytest.raises(trio.WouldBlock):
                inbox.receive_nowait()

    run(test)


def test_a_subscriber_that_does_not_read_loses_the_newest_and_holds_up_nobody(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        slow, quick = nodes["b"].subscribe("blocks"), nodes["c"].subscribe("blocks")
        seen = 0
        for _ in range(QUEUE_MESSAGES_MAX + 10):
            await nodes["a"].publish("blocks", b"x")
            await trio.sleep(0.02)
            seen += len(await take(quick, 1))
        assert seen == QUEUE_MESSAGES_MAX + 10
        assert nodes["b"].statistics().publications_dropped == 10
        assert len(await take(slow, QUEUE_MESSAGES_MAX)) == QUEUE_MESSAGES_MAX

    run(test)


def test_sizes_are_bounded(run: Callable[[Test], None]) -> None:
    async def test(nodes: Nodes) -> None:
        nodes["b"].listen("blocks")
        stream = await nodes["a"].open("b", "blocks")
        large = bytes(MESSAGE_BYTES_MAX + 1)
        await stream.send(large[:-1])
        for call in (
            stream.send(large),
            nodes["a"].request("b", "blocks", large, timeout_s=1),
            nodes["a"].publish("blocks", bytes(PUBLICATION_BYTES_MAX + 1)),
        ):
            with pytest.raises(Invalid) as caught:
                await call
            assert caught.value.code == "too_large"

    run(test)
