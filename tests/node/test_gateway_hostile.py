"""A gateway before clients that bend HTTP: right answers where there are any, else bounds of time and room."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from node.gateway.doorway import HEAD_BYTES_MAX, Doorway, HttpGuest
from node.gateway.link import Link
from node.gateway.server import application
from tests.node.stage import LIMITS, StubCore

SURELY_S = 60.0
"""Nothing waits for it in vain."""
FOREIGN = {
    "a foreign host": {"host": "rebound.example:8645"},
    "a host like ours": {"host": "localhost.rebound.example"},
    "an address elsewhere": {"host": "203.0.113.9"},
    "no address": {"host": "[::"},
    "a foreign page": {"origin": "https://rebound.example"},
    "a page without a place": {"origin": "null"},
}
OURS = [{"host": "localhost:8645"}, {"host": "[::1]:8645"}, {"host": "127.0.0.1"}, {"origin": "http://localhost:8645"}]


@contextmanager
def raw(core: StubCore) -> Iterator[socket.socket]:
    place = urlsplit(core.url)
    with socket.create_connection((place.hostname, place.port), SURELY_S) as connection:
        yield connection


def answered(core: StubCore, data: bytes) -> bytes:
    """Everything that comes back until the gateway closes, which the request asks for."""
    with raw(core) as connection:
        connection.sendall(data)
        return b"".join(iter(partial(connection.recv, 1 << 16), b""))


def question(number: int, *headers: str) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tenor_chainInfo"})
    lines = ("POST / HTTP/1.1", "host: node", f"content-length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", body)).encode()


# Host and Origin


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_for_this_machine_is_shown_under_no_other_name(core: StubCore, headers: dict[str, str]) -> None:
    for path in ("/metrics", "/status"):
        answer = httpx.get(core.url + path, headers=headers)
        assert answer.status_code == 421
        assert "localhost" in answer.text and "gateway.metrics" in answer.text and "tenor_" not in answer.text


@pytest.mark.parametrize("headers", OURS)
def test_what_is_for_this_machine_is_shown_under_its_names(core: StubCore, headers: dict[str, str]) -> None:
    assert [httpx.get(core.url + path, headers=headers).status_code for path in ("/metrics", "/status")] == [200, 200]


def test_every_host_of_a_request_counts(core: StubCore) -> None:
    both = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: rebound.example\r\nconnection: close\r\n\r\n"
    assert answered(core, both).split(b" ")[1] in (b"400", b"421")


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_page_may_ask_what_everybody_may_but_its_browser_shows_it_nothing(
    core: StubCore, headers: dict[str, str]
) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tenor_chainInfo"}
    answer = httpx.post(core.url, json=asked, headers=headers)
    assert answer.json()["result"] == {"method": "tenor_chainInfo"}
    before = httpx.options(core.url, headers={**headers, "access-control-request-method": "POST"})
    assert before.status_code == 405
    assert not [name for one in (answer, before) for name in one.headers if name.startswith("access-control")]


# Expect, pipelines


def test_who_waits_for_a_word_before_the_body_gets_it(core: StubCore) -> None:
    head, _, body = question(7, "expect: 100-continue", "connection: close").partition(b"\r\n\r\n")
    with raw(core) as connection:
        connection.sendall(head + b"\r\n\r\n")
        word = b""
        while not word.endswith(b"\r\n\r\n"):
            word += connection.recv(1) or b"closed \r\n\r\n"
        assert word == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = b"".join(iter(partial(connection.recv, 1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and json.loads(answer.partition(b"\r\n\r\n")[2])["id"] == 7


def test_who_announces_too_large_a_body_is_not_told_to_send_it(core: StubCore) -> None:
    head = b"POST / HTTP/1.1\r\nhost: node\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"
    assert answered(core, head % (LIMITS.body_bytes_max + 1)).startswith(b"HTTP/1.1 413 ")


def test_pipelined_requests_are_answered_each_and_in_order(core: StubCore) -> None:
    count = 200
    asked = [question(number) for number in range(count)]
    answer = answered(core, b"".join((*asked, question(count, "connection: close"))))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert [json.loads(body)["id"] for body in bodies] == list(range(count + 1))


def test_what_comes_behind_a_pipelined_request_that_is_none_is_not_read_as_one(core: StubCore) -> None:
    answer = answered(core, question(1) + b"\x00nothing\r\n\r\n" + question(2))
    assert answer.count(b"HTTP/1.1 ") <= 2 and b'"id":2' not in answer


# Heads without end


CHUNKED = b"POST / HTTP/1.1\r\nhost: node\r\ntransfer-encoding: chunked\r\n\r\n"
FLOODS = {
    "many headers": (b"POST / HTTP/1.1\r\nhost: node\r\n", b"x-flood: x\r\n"),
    "one long header": (b"POST / HTTP/1.1\r\nhost: node\r\nx-flood: ", b"x" * 12),
    "a long address": (b"POST /", b"x" * 12),
    "a long trailer": (CHUNKED + b"0\r\n", b"x: y\r\n"),
    "a chunk's long length": (CHUNKED + b"1;x=", b"x" * 12),
}


@pytest.mark.parametrize(("begin", "more"), FLOODS.values(), ids=FLOODS.keys())
def test_a_head_without_end_ends_its_connection_and_nothing_else(core: StubCore, begin: bytes, more: bytes) -> None:
    flood = more * (HEAD_BYTES_MAX // len(more))
    with raw(core) as connection, suppress(ConnectionError):
        connection.sendall(begin)
        for _ in range(1_000):
            connection.sendall(flood)
        raise AssertionError("32 MB of a head were taken")
    assert httpx.post(core.url, json={"jsonrpc": "2.0", "id": 1, "method": "tenor_chainInfo"}).json()["id"] == 1


def test_a_head_a_little_too_long_is_told_so(core: StubCore) -> None:
    """If it sends on, the answer may be lost with the connection."""
    with raw(core) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nx: " + b"x" * (HEAD_BYTES_MAX + 1))
        answer = b"".join(iter(partial(connection.recv, 1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 431 ") and answer.endswith(b"send fewer headers.")


# Time


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """The gateway in this process, without a core."""
    doorway = Doorway(10)
    app = application(Link(folder / "nowhere"), LIMITS, doorway)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=partial(HttpGuest, doorway), log_config=None))  # type: ignore[arg-type]
    running = asyncio.create_task(server._serve([listening]))
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        await running


GET, POST = (
    b"GET /health HTTP/1.1\r\nhost: node\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: node\r\ncontent-length: 60000\r\n\r\n",
)
SLOW = {
    "a body": (b"", POST),
    "a head": (b"", b"POST / HTTP/1.1\r\nx: "),
    "a body on a used connection": (GET, POST),
    "a head on a used connection": (GET, b"POST / HTTP/1.1\r\nx: "),
    "a body that nobody reads": (GET, POST.replace(b"POST / ", b"POST /nowhere ")),
    "a body behind a request": (b"", GET + POST),
}


@pytest.mark.parametrize(("before", "slow"), SLOW.values(), ids=SLOW.keys())
def test_what_comes_byte_by_byte_is_cut_off_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, slow: bytes
) -> None:
    monkeypatch.setattr("node.gateway.doorway.REQUEST_S", 0.3)
    monkeypatch.setattr("node.gateway.doorway.LOOK_S", 0.05)

    async def drip(writer: Any) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    async def main() -> None:
        async with asyncio.timeout(SURELY_S), serving(tmp_path) as place:
            reader, writer = await asyncio.open_connection(*place)
            if before:
                writer.write(before)
                assert b"core" in await reader.readuntil(b"}")
            writer.write(slow)
            dripping = asyncio.create_task(drip(writer))
            with suppress(ConnectionError):
                while await reader.read(1 << 16):
                    pass
            dripping.cancel()
            writer.close()

    asyncio.run(main())


def test_a_used_connection_that_begins_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.gateway.doorway.REQUEST_S", 0.1)
    monkeypatch.setattr("node.gateway.doorway.LOOK_S", 0.02)

    async def main() -> None:
        async with asyncio.timeout(SURELY_S), serving(tmp_path) as place:
            reader, writer = await asyncio.open_connection(*place)
            for _ in range(2):
                writer.write(GET)
                assert b"core" in await reader.readuntil(b"}")
                await asyncio.sleep(0.4)
            writer.close()

    asyncio.run(main())
