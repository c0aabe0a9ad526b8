"""Who may be connected to the gateway: who asks stays, who says nothing goes first, and a full house says so."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
import uvicorn

from node.client import connect
from node.gateway.doorway import Doorway, HttpGuest
from tests.node.stage import LIMITS, StubCore, playing
from tests.node.watching import scrape

ROOM = 20
IDLE = 3 * ROOM


class Guest:
    def __init__(self) -> None:
        self.shown_out = False

    def show_out(self) -> None:
        self.shown_out = True


def out(guests: list[Guest]) -> list[bool]:
    return [guest.shown_out for guest in guests]


def test_the_silent_go_before_the_idle_and_the_idle_before_those_at_work() -> None:
    async def main() -> None:
        doorway = Doorway(4)
        guests = [Guest() for _ in range(9)]
        asking, idle, talking, new, *later = guests
        for guest in (asking, idle, talking, new):
            assert doorway.enter(guest)
        doorway.work(asking)
        doorway.rest(talking)
        doorway.rest(idle)
        doorway.rest(talking)  # it has said something since
        assert doorway.enter(later[0]) and out([asking, idle, talking, new]) == [False, False, False, True]
        doorway.work(later[0])
        assert doorway.enter(later[1]) and out([asking, idle, talking]) == [False, True, False]
        doorway.work(later[1])
        assert doorway.enter(later[2]) and talking.shown_out
        doorway.work(later[2])
        assert not doorway.enter(later[3]), "all are at work"
        doorway.leave(asking)
        for late in (doorway.rest, doorway.work):
            late(asking)
        assert len(doorway) == 3, "who has gone has gone"
        assert doorway.enter(later[3])
        told = {(name, *labels.values()): value for name, labels, value in doorway.samples()}
        assert told["tenor_gateway_turned_away_total", "idle"] == 3
        assert told["tenor_gateway_turned_away_total", "full"] == 1

    asyncio.run(main())


def test_a_full_house_says_so() -> None:
    async def main() -> bytes:
        begun, leave = asyncio.Event(), asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            begun.set()
            await leave.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=partial(HttpGuest, Doorway(1)), lifespan="off", log_config=None)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n")
        await begun.wait()
        other, unheard = await asyncio.open_connection(*listening.getsockname())
        refusal = await other.read()
        leave.set()
        assert b"done" in await reader.read()
        for one in (writer, unheard):
            one.close()
            await one.wait_closed()
        server.should_exit = True
        await serving
        return refusal

    refusal = asyncio.run(main())
    assert refusal.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in refusal
    assert refusal.endswith(b"The gateway has 1 connections, all of them at work; try again in a moment.")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubCore]:
    with playing(tmp_path_factory.mktemp("small"), replace(LIMITS, connections_max=ROOM)) as core:
        yield core


def idle(core: StubCore, stack: ExitStack, count: int) -> None:
    """So many connections that say nothing, from another address."""
    place = urlsplit(core.url)
    for _ in range(count):
        stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=20))


def test_idle_connections_lock_out_nobody_who_asks(small: StubCore) -> None:
    place = urlsplit(small.url)
    kept = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=20)

    def ask(connection: http.client.HTTPConnection) -> int:
        connection.request("POST", "/", '{"jsonrpc":"2.0","id":1,"method":"tenor_chainInfo"}')
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert ask(kept) == 200
    own = kept.sock.getsockname()
    with ExitStack() as stack:
        for _ in range(3):
            idle(small, stack, IDLE)
            assert ask(kept) == 200
            fresh = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=20)
            assert ask(fresh) == 200
            fresh.close()
    assert kept.sock.getsockname() == own, "it was never connected anew"
    kept.close()


def test_a_subscriber_stays_among_idle_connections(small: StubCore) -> None:
    async def main() -> None:
        url = small.url.replace("http", "ws") + "/ws"
        async with connect(url) as client, client.subscribe("blocks") as blocks:
            with ExitStack() as stack:
                for number in range(3):
                    idle(small, stack, IDLE)
                    await trio.to_thread.run_sync(small.run, small.link.publish, "blocks", {"height": number})
                    with trio.fail_after(20):
                        assert (await blocks.receive()).result == {"height": number}

    trio.run(main)


def test_who_goes_is_forgotten(small: StubCore) -> None:
    """Whatever they did before: nothing, a subscription that is still told something, a whole request."""

    async def main() -> None:
        async with connect(small.url.replace("http", "ws") + "/ws") as client, client.subscribe("blocks"):
            with ExitStack() as stack:
                idle(small, stack, 3)
            await trio.to_thread.run_sync(small.run, small.link.publish, "blocks", {"height": 1})
            await client.chain_info()
        with trio.fail_after(60):
            while await trio.to_thread.run_sync(connected) != 1:
                await trio.sleep(0.05)

    def connected() -> float:
        """The one that asks included."""
        return sum(value for name, _, value in scrape(small.url) if name == "tenor_gateway_connections")

    trio.run(main)
