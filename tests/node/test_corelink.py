"""The link between gateway and core: frames survive any split, order is kept, and Corrupt stops the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.errors import Corrupt, Invalid
from node import corelink
from node.corelink import CoreLink, Later
from node.gateway.frames import ENDED, ERROR, FRAME_BYTES_MAX, PUSH, REQUEST, RESULT, SEND, SUBSCRIBE, Splitter, pack

members = st.lists(st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20), max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(frames=st.lists(members, max_size=6), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_frames_survive_any_split(frames: list[list[Any]], cuts: list[int]) -> None:
    data = b"".join(pack(*frame) for frame in frames)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter = Splitter()
    got = [frame for start, end in pairwise(edges) for frame in splitter.feed(data[start:end])]
    assert got == frames


def test_a_frame_too_long_or_no_msgpack_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="is the most"):
        Splitter().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    with pytest.raises(Corrupt, match="not msgpack"):
        Splitter().feed(b"\x00\x00\x00\x01\xc1")


class Peer:
    """A gateway by hand."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._splitter = Splitter()
        self._frames: list[list[Any]] = []

    async def send(self, *frames: bytes) -> None:
        await self.stream.send_all(b"".join(frames))

    async def next(self) -> list[Any]:
        while not self._frames:
            data = await self.stream.receive_some(65_536)
            assert data, "the core closed the link"
            self._frames += self._splitter.feed(bytes(data))
        return self._frames.pop(0)


def play(folder: Path, handler: corelink.Handler, exchange: Callable[[CoreLink, Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(folder, handler) as link, await trio.open_unix_socket(str(folder / "core.sock")) as stream:
            await exchange(link, Peer(stream))

    trio.run(main)


@asynccontextmanager
async def serving(folder: Path, handler: corelink.Handler) -> Any:
    link = CoreLink(handler)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.serve, folder / "core.sock")
        yield link
        nursery.cancel_scope.cancel()


async def nothing(method: str, payload: Any) -> Any:
    return None


def test_sends_are_handled_in_order_though_their_outcomes_take_time(tmp_path: Path) -> None:
    admitted: list[int] = []
    gates = [trio.Event() for _ in range(20)]

    async def handler(method: str, payload: Any) -> Any:
        for _ in range((20 - payload) % 5):
            await trio.lowlevel.checkpoint()
        admitted.append(payload)

        async def outcome() -> int:
            await gates[payload].wait()
            return int(payload) * 10

        return Later(outcome)

    async def exchange(_: CoreLink, peer: Peer) -> None:
        await peer.send(*(pack(REQUEST, n, SEND, n) for n in range(20)))
        await trio.testing.wait_all_tasks_blocked()
        assert admitted == list(range(20))
        for n in reversed(range(20)):
            gates[n].set()
            assert await peer.next() == [RESULT, n, n * 10]

    play(tmp_path, handler, exchange)


def test_reads_do_not_wait_for_one_another(tmp_path: Path) -> None:
    gate = trio.Event()

    async def handler(method: str, payload: Any) -> Any:
        if payload == "slow":
            await gate.wait()
        return payload

    async def exchange(_: CoreLink, peer: Peer) -> None:
        await peer.send(pack(REQUEST, 1, "read", "slow"), pack(REQUEST, 2, "read", "quick"))
        assert await peer.next() == [RESULT, 2, "quick"]
        gate.set()
        assert await peer.next() == [RESULT, 1, "slow"]

    play(tmp_path, handler, exchange)


def test_answers_msgpack_cannot_carry_are_internal_errors(tmp_path: Path) -> None:
    async def handler(method: str, payload: Any) -> Any:
        return 2**64

    async def exchange(_: CoreLink, peer: Peer) -> None:
        await peer.send(pack(REQUEST, 1, "read", None))
        assert (await peer.next())[:3] == [ERROR, 1, "internal"]

    play(tmp_path, handler, exchange)


def test_a_refused_frame_of_sends_is_an_error_and_the_next_goes_on(tmp_path: Path) -> None:
    async def handler(method: str, payload: Any) -> Any:
        if payload == "bad":
            raise Invalid("No.", "expired")
        return payload

    async def exchange(_: CoreLink, peer: Peer) -> None:
        await peer.send(pack(REQUEST, 1, SEND, "bad"), pack(REQUEST, 2, SEND, "good"))
        assert await peer.next() == [ERROR, 1, "invalid", "expired", "No."]
        assert await peer.next() == [RESULT, 2, "good"]

    play(tmp_path, handler, exchange)


@pytest.mark.parametrize("method", [SEND, "read"])
def test_corrupt_leaves_the_service(tmp_path: Path, method: str) -> None:
    async def handler(method: str, payload: Any) -> Any:
        raise Corrupt("The disk is gone.")

    async def exchange(_: CoreLink, peer: Peer) -> None:
        await peer.send(pack(REQUEST, 1, method, None))
        await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        play(tmp_path, handler, exchange)
    assert caught.group_contains(Corrupt, match="The disk is gone")


def test_too_much_in_flight_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corelink, "IN_FLIGHT_MAX", 2)
    gate = trio.Event()

    async def handler(method: str, payload: Any) -> Any:
        await gate.wait()

    async def exchange(link: CoreLink, peer: Peer) -> None:
        await peer.send(*(pack(REQUEST, n, "read", None) for n in range(3)))
        assert (await peer.next())[:3] == [ERROR, 2, "unavailable"]
        assert link.statistics()["in_flight"] == 2
        gate.set()
        assert {(await peer.next())[1] for _ in range(2)} == {0, 1}

    play(tmp_path, handler, exchange)


def test_pushes_carry_growing_numbers_from_where_the_subscription_stood(tmp_path: Path) -> None:
    async def exchange(link: CoreLink, peer: Peer) -> None:
        link.publish("blocks", "unheard")
        assert not link.wanted("blocks")
        await peer.send(pack(REQUEST, 1, SUBSCRIBE, "blocks"))
        assert await peer.next() == [RESULT, 1, 1]
        assert link.wanted("blocks")
        link.publish("stages", "not asked for")
        link.publish("blocks", {"height": 2})
        assert await peer.next() == [PUSH, "blocks", 2, {"height": 2}]

    play(tmp_path, nothing, exchange)


def test_a_gateway_that_does_not_read_loses_its_subscriptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corelink, "PUSHES_WAITING_BYTES_MAX", 2_000_000)

    async def exchange(link: CoreLink, peer: Peer) -> None:
        await peer.send(pack(REQUEST, 1, SUBSCRIBE, "blocks"))
        await peer.next()
        while link.wanted("blocks"):
            link.publish("blocks", b"x" * 100_000)
            await trio.lowlevel.checkpoint()
        assert link.statistics()["subscribers_dropped"] == 1
        frame = await peer.next()
        while frame[0] == PUSH:
            frame = await peer.next()
        assert frame[:2] == [ENDED, "blocks"]
        assert "unread" in frame[2]

    play(tmp_path, nothing, exchange)


def test_the_socket_is_the_owners_alone_and_goes_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "core.sock"
    path.write_text("left over from a crash")

    async def exchange(_: CoreLink, __: Peer) -> None:
        assert path.stat().st_mode & 0o777 == 0o600

    play(tmp_path, nothing, exchange)
    assert not path.exists()
