"""The client on a WebSocket: pipelined requests, order, subscriptions, and connections that misbehave."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request

from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.transaction import Call
from node.client import Client, Notification, blocking, connect
from node.views import hexadecimal
from tests.node.stage import LIMITS, REFUSED_SEQUENCE, StubCore, receipt, signed


def address(core: StubCore) -> str:
    return core.url.replace("http", "ws") + "/ws"


@asynccontextmanager
async def bare(core: StubCore) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A WebSocket without our client on it."""
    host, port = core.url.removeprefix("http://").split(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as nursery:
        yield await trio_websocket.wrap_client_stream(nursery, stream, host, "/ws")
        nursery.cancel_scope.cancel()


def play(core: StubCore, exchange: Callable[[Client], Awaitable[Any]]) -> Any:
    return blocking(address(core), exchange)


def test_a_receipt_comes_back_as_it_was(core: StubCore) -> None:
    one = signed(1)
    assert play(core, lambda client: client.send(one)) == receipt(one.id)


def test_posting_returns_once_taken_in(core: StubCore) -> None:
    assert play(core, lambda client: client.post(signed(1))) is None


def test_refusals_are_raised_as_the_core_raised_them(core: StubCore) -> None:
    with pytest.raises(Invalid, match="Lane 0 leaves no gap") as caught:
        play(core, lambda client: client.send(signed(REFUSED_SEQUENCE)))
    assert caught.value.code == "sequence_gap"
    with pytest.raises(Unavailable, match="busy"):
        play(core, lambda client: client.block())
    with pytest.raises(Corrupt, match="its log says why"):
        play(core, lambda client: client.book(404))


def test_a_frame_mixes_receipts_and_refusals(core: StubCore) -> None:
    outcomes = play(core, lambda client: client.send_many([signed(1), signed(REFUSED_SEQUENCE), signed(2)]))
    assert outcomes[0] == receipt(signed(1).id)
    assert isinstance(outcomes[1], Invalid)
    assert outcomes[2] == receipt(signed(2).id)


def test_every_read_passes_its_parameters(core: StubCore) -> None:
    async def exchange(client: Client) -> None:
        who = b"w" * 20
        assert (await client.account(who))["account"] == hexadecimal(who)
        assert (await client.positions(who))["account"] == hexadecimal(who)
        assert (await client.book(3, 7))["depth"] == 7
        assert (await client.chain_info())["method"] == "tenor_chainInfo"
        assert (await client.request("tenor_getWithdrawals", account=hexadecimal(who)))["first_height"] == 0
        assert (await client.request("tenor_getPrograms"))["method"] == "tenor_getPrograms"
        assert (await client.proof(who, 9))["page"] == 9
        assert (await client.call(who, b"abcd", b"\x01" * 8))["result"] == hexadecimal(who + b"abcd" + b"\x01" * 8)
        simulated = await client.simulate(who, [Call(who, b"abcd", b"", 5)], gas=9)
        assert (simulated["signer"], simulated["gas"], simulated["calls"][0]["gas"]) == (None, 9, 5)
        with pytest.raises(Invalid, match="No block holds"):
            await client.receipt(b"r" * 32)

    play(core, exchange)


def test_frames_of_a_connection_reach_the_core_in_order(core: StubCore) -> None:
    """Big frames recover on threads and small ones in place, yet none overtakes another."""
    transactions = [signed(n) for n in range(100, 190)]

    async def exchange(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            at = 0
            for size in (40, 1, 20, 1, 1, 27):
                nursery.start_soon(client.send_many, transactions[at : at + size])
                at += size
                await trio.testing.wait_all_tasks_blocked()

    del core.arrived[:]
    play(core, exchange)
    assert [raw for raw, _, _ in core.arrived] == [one.raw for one in transactions]


def test_a_subscription_numbers_what_it_pushes(core: StubCore) -> None:
    async def exchange(client: Client) -> list[Notification]:
        async with client.subscribe("blocks") as blocks:
            for height in (1, 2, 3):
                await trio.to_thread.run_sync(
                    core.run, core.link.publish, "blocks", {"height": height, "root": b"\x09"}
                )
            return [await blocks.receive() for _ in range(3)]

    got = play(core, exchange)
    assert [n.result for n in got] == [{"height": h, "root": "0x09"} for h in (1, 2, 3)]
    assert [n.sequence - got[0].sequence for n in got] == [0, 1, 2]


def test_a_filter_lets_only_matching_members_through(core: StubCore) -> None:
    members = [{"transaction": bytes([n]) * 32, "market": n} for n in range(4)]

    async def exchange(client: Client) -> list[Any]:
        wanted = [hexadecimal(members[n]["transaction"]) for n in (1, 3)]  # type: ignore[arg-type]
        async with (
            client.subscribe("receipts", transaction=wanted) as some,
            client.subscribe("events", market=2) as two,
        ):
            publish = trio.to_thread.run_sync
            await publish(core.run, core.link.publish, "receipts", members[:1])
            await publish(core.run, core.link.publish, "receipts", members)
            await publish(core.run, core.link.publish, "events", members)
            return [(await some.receive()).result, (await two.receive()).result]

    receipts, events = play(core, exchange)
    assert [member["market"] for member in receipts] == [1, 3]
    assert [member["market"] for member in events] == [2]


def test_the_core_knows_when_nobody_listens(core: StubCore) -> None:
    async def exchange(client: Client) -> None:
        async with client.subscribe("stages"):
            assert await trio.to_thread.run_sync(core.run, core.link.wanted, "stages")
        while await trio.to_thread.run_sync(core.run, core.link.wanted, "stages"):
            await client.chain_info()

    play(core, exchange)


@pytest.mark.parametrize("params", [["nothing"], [], ["blocks", 7], ["blocks", {"a": {}}], ["blocks", {"a": "0xg"}]])
def test_subscriptions_of_the_wrong_shape_are_named(core: StubCore, params: list[Any]) -> None:
    async def exchange(client: Client) -> None:
        with pytest.raises(Invalid) as caught:
            await client.request("tenor_subscribe", **dict(zip(("topic", "filter"), params, strict=False)))
        assert caught.value.code == "invalid_params"

    play(core, exchange)


def test_subscriptions_of_a_connection_are_bounded(core: StubCore) -> None:
    async def exchange(client: Client) -> None:
        for _ in range(LIMITS.subscriptions_max):
            await client.request("tenor_subscribe", topic="blocks")
        with pytest.raises(Invalid, match="the most allowed"):
            await client.request("tenor_subscribe", topic="blocks")

    play(core, exchange)


def test_unsubscribing_what_is_not_there_is_false(core: StubCore) -> None:
    assert play(core, lambda client: client.request("tenor_unsubscribe", subscription="0x999999")) is False


def test_nobody_at_the_address_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="No node answers at"):
        blocking("ws://127.0.0.1:1/ws", lambda client: client.chain_info())


def test_an_oversized_message_closes_with_1009(core: StubCore) -> None:
    async def exchange(client: Client) -> None:
        with pytest.raises(Unavailable, match="1009"):
            await client.request("tenor_getReceipt", transaction="x" * (70 << 10))
        with pytest.raises(Unavailable):
            await client.chain_info()

    play(core, exchange)
    assert play(core, lambda client: client.chain_info())


def test_text_that_is_no_json_is_answered_and_the_connection_lives(core: StubCore) -> None:
    async def main() -> None:
        async with bare(core) as raw:
            for text, number in (("{", -32700), ("[" * 5_000, -32600), ("7", -32600)):
                await raw.send_message(text)
                assert json.loads(await raw.get_message())["error"]["code"] == number
            await raw.send_message(b'{"jsonrpc":"2.0","id":5,"method":"tenor_chainInfo"}')
            assert json.loads(await raw.get_message())["id"] == 5

    trio.run(main)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff\xff",
        b"\x81\x05hello",  # a client must mask
        b"\x81\xff" + b"\xff" * 12,  # 2⁶⁴ bytes long
        b"\x81\x84\x00\x00\x00\x00\xff\xfe\xfd\xfc",  # no UTF-8
        b"\xc1\x80\x00\x00\x00\x00",  # a reserved bit
        b"\x80\x80\x00\x00\x00\x00",  # continues what never began
        b"\x89\xfe\x01\x00\x00\x00\x00\x00" + bytes(256),  # a ping too long
    ],
)
def test_a_malformed_frame_costs_its_connection_and_nothing_else(core: StubCore, frame: bytes) -> None:
    host, port = core.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b"101" in connection.recv(4096)
        connection.sendall(frame)
        received = b""
        while data := connection.recv(4096):
            received += data
    assert received[:1] in (b"", b"\x88")
    assert play(core, lambda client: client.chain_info())


def test_a_subscriber_that_does_not_read_is_cut_off_with_the_reason(core: StubCore) -> None:
    async def main() -> None:
        async with bare(core) as raw, connect(address(core)) as other:
            await raw.send_message('{"jsonrpc":"2.0","id":1,"method":"tenor_subscribe","params":["stages"]}')
            await raw.get_message()
            # its reader stands still once one message waits; kernel buffers and the queue fill up behind it
            for _ in range(60):
                for _ in range(200):
                    await trio.to_thread.run_sync(core.run, core.link.publish, "stages", "x" * 4_000)
                await other.chain_info()
            with pytest.raises(trio_websocket.ConnectionClosed) as caught:
                while True:
                    await raw.get_message()
            assert caught.value.reason.code == 1013
            assert "unread" in caught.value.reason.reason

    trio.run(main)


async def ping_when_closed(stream: trio.SocketStream) -> None:
    """A node that sends a ping between the client's farewell and its own."""
    node = WSConnection(ConnectionType.SERVER)
    async with stream:
        while data := await stream.receive_some():
            node.receive_data(data)
            for event in node.events():
                if isinstance(event, Request):
                    await stream.send_all(node.send(AcceptConnection()))
                if isinstance(event, CloseConnection):
                    ping = b"\x89\x04ping"
                    await stream.send_all(ping + node.send(event.response()))


def test_a_ping_that_crosses_the_farewell_is_no_error() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), ping_when_closed, 0)
            port = listener.socket.getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/ws"):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(main)


async def echo(stream: trio.SocketStream) -> None:
    """What a client meets that dials a port of its own: itself."""
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def other_greeting(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.send_all(b"SSH-2.0-something\r\n")
        await stream.receive_some()


@pytest.mark.parametrize("who", [echo, other_greeting])
def test_somebody_who_is_no_node_is_nobody(
    who: Callable[[trio.SocketStream], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.client.CONNECT_SECONDS", 0.3)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), who, 0)
            with pytest.raises(Unavailable, match="No node answers"):
                async with connect(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/ws"):
                    pass
            nursery.cancel_scope.cancel()

    trio.run(main)
