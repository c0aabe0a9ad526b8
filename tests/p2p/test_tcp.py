"""What the network over TCP promises beyond the door: lists, dialling, restarts, passing on, failures of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from socket import socket

import pytest
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_pair
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from genesis.errors import Corrupt, Unavailable
from p2p.address import Address, StaticPeer, read_address
from p2p.identity import Kind, NodeKey
from p2p.network import Message, Peer
from p2p.tcp import TcpNetwork, open_tcp_network
from p2p.tcp_bounds import CHANNELS_PER_PROTOCOL_MAX, STRANGER_MESSAGE_BYTES_MAX

HERE = read_address("/ip4/127.0.0.1/tcp/0")
A, B, C, D = sorted((NodeKey(bytes([byte]) * 32) for byte in range(1, 5)), key=lambda key: key.peer)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(100):
            await test()

    trio.run(main)


def at(network: TcpNetwork) -> StaticPeer:
    return StaticPeer(network.identity, network.addresses[0])


async def until_peers(network: TcpNetwork, *keys: NodeKey) -> None:
    """Wait until a node is connected to exactly these."""
    while network.peers() != tuple(sorted(key.peer for key in keys)):
        await trio.sleep(0.005)


@asynccontextmanager
async def pair(a: NodeKey = A, b: NodeKey = B) -> AsyncIterator[tuple[TcpNetwork, TcpNetwork]]:
    async with open_tcp_network(a, HERE) as one, open_tcp_network(b, HERE) as other:
        one.allow([at(other)])
        other.allow([at(one)])
        await until_peers(one, b)
        await until_peers(other, a)
        yield one, other


def test_importing_the_door_does_not_import_libp2p() -> None:
    script = "import sys, p2p.tcp; sys.exit('libp2p' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_taken_port_is_said_so() -> None:
    async def test() -> None:
        async with open_tcp_network(A, HERE) as one:
            with pytest.raises(Unavailable, match="another process listens there"):
                async with open_tcp_network(B, one.addresses[0]):
                    raise AssertionError

    run(test)


def test_keys_of_both_kinds_connect() -> None:
    async def test() -> None:
        async with pair(A, NodeKey(bytes([9]) * 32, Kind.SECP256K1)) as (one, other):
            inbox = other.listen("votes")
            await (await one.open(other.identity, "votes")).send(b"x")
            assert await inbox.receive() == Message(A.peer, b"x")

    run(test)


def test_both_dial_at_once_and_one_connection_is_kept() -> None:
    async def test() -> None:
        for _ in range(10):
            async with pair() as (one, other):
                await trio.sleep(0.05)
                inbox = other.listen("votes")
                await (await one.open(other.identity, "votes")).send(b"x")
                assert await inbox.receive() == Message(A.peer, b"x")
                assert one.statistics().peers == other.statistics().peers == 1

    run(test)


@pytest.mark.parametrize(("first", "second"), [(A, B), (B, A)], ids=["smaller name stays", "larger name stays"])
def test_a_restarted_peer_is_back_soon(first: NodeKey, second: NodeKey) -> None:
    async def test() -> None:
        async with open_tcp_network(first, HERE) as stays:
            address: Address = HERE
            for _ in range(3):
                async with open_tcp_network(second, address, [at(stays)]) as restarted:
                    address = restarted.addresses[0]
                    stays.allow([at(restarted)])
                    started_s = trio.current_time()
                    await until_peers(stays, second)
                    await until_peers(restarted, first)
                    assert trio.current_time() - started_s < 3.0
                await until_peers(stays)

    run(test)


def test_a_peer_that_appears_later_is_found() -> None:
    async def test() -> None:
        async with open_tcp_network(A, HERE) as one:
            address = one.addresses[0]
        async with open_tcp_network(B, None, [StaticPeer(A.peer, address)]) as other:
            while not other.statistics().dial_failures:
                await trio.sleep(0.005)
            async with open_tcp_network(A, address, [StaticPeer(B.peer)]) as one:
                await until_peers(one, B)

    run(test)


def test_a_host_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2p.tcp_peers.CONNECT_S", 0.2)

    async def test() -> None:
        with ExitStack() as stack:
            deaf = stack.enter_context(socket())
            deaf.bind((HERE.host, 0))
            deaf.listen(0)
            for _ in range(3):  # fill the queue of those to be accepted, so that the next is not even answered
                waiting = stack.enter_context(socket())
                waiting.setblocking(False)
                waiting.connect_ex(deaf.getsockname())
            async with open_tcp_network(A, None, [StaticPeer(B.peer, Address(*deaf.getsockname()))]) as one:
                while one.statistics().dial_failures < 2:
                    await trio.sleep(0.005)

    run(test)


def test_another_key_than_expected_is_no_peer() -> None:
    async def test() -> None:
        async with open_tcp_network(C, HERE, strangers=True) as impostor, open_tcp_network(A, None) as one:
            one.allow([StaticPeer(B.peer, impostor.addresses[0])])
            while not one.statistics().dial_failures:
                await trio.sleep(0.005)
            assert one.peers() == ()

    run(test)


def test_the_list_may_change_while_running() -> None:
    async def test() -> None:
        async with pair() as (one, other), open_tcp_network(C, HERE) as third:
            stream_gone = other.listen("votes")
            stream = await one.open(other.identity, "votes")
            third.allow([at(one)])
            one.allow([at(third)])
            await until_peers(one, C)
            await until_peers(other)
            with pytest.raises(Unavailable):
                while True:
                    await stream.send(b"x")
                    await trio.sleep(0.005)
            one.allow([at(other), at(third)])
            await until_peers(one, B, C)
            stream_gone.close()

    run(test)


def test_strangers_come_in_where_they_may_and_go_when_they_may_not() -> None:
    async def test() -> None:
        async with open_tcp_network(A, HERE) as one, open_tcp_network(D, None, [at(one)]) as stranger:
            while not one.statistics().refused:
                await trio.sleep(0.005)
            one.allow([], strangers=True)
            await until_peers(one, D)
            await until_peers(stranger, A)
            one.allow([])
            await until_peers(one)

    run(test)


def test_publications_are_passed_on_to_those_who_do_not_know_the_publisher() -> None:
    async def test() -> None:
        async with pair() as (one, other), open_tcp_network(D, None, [at(other)]) as follower:
            other.allow([at(one)], strangers=True)
            await until_peers(other, A, D)
            await until_peers(follower, B)
            follower.allow([at(other), StaticPeer(A.peer)])
            inbox, back = follower.subscribe("heads"), other.subscribe("heads")
            await one.publish("heads", b"7")
            assert await inbox.receive() == Message(A.peer, b"7")
            await follower.publish("heads", b"a stranger's word")
            await one.publish("heads", b"8")
            assert [(await back.receive()).payload for _ in range(2)] == [b"7", b"8"]

    run(test)


def test_a_peer_has_few_streams_to_one_listener() -> None:
    async def test() -> None:
        async with pair() as (one, other):
            inbox = other.listen("votes")
            streams = [await one.open(other.identity, "votes") for _ in range(CHANNELS_PER_PROTOCOL_MAX)]
            for stream in streams:
                await stream.send(b"x")
                await inbox.receive()
            with pytest.raises(Unavailable):
                more = await one.open(other.identity, "votes")
                while True:
                    await more.send(b"x")
                    await trio.sleep(0.005)
            await streams[0].aclose()
            await trio.sleep(0.1)
            await (await one.open(other.identity, "votes")).send(b"y")
            while (await inbox.receive()).payload != b"y":
                pass
            assert other.statistics().offences == 0

    run(test)


def test_a_handler_that_fails_costs_its_request_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async def fail(peer: Peer, payload: bytes) -> bytes:
            raise KeyError(payload)

        async with pair() as (one, other):
            other.serve("fail", fail)
            for _ in range(3):
                with pytest.raises(Unavailable, match="failed at fail"):
                    await one.request(other.identity, "fail", b"x", timeout_s=5)
            assert other.statistics().handler_failures == 3
            assert other.peers() == (A.peer,)

    run(test)
    assert "KeyError" in caplog.text


def test_a_stranger_may_ask_little_and_is_not_blamed_for_asking_much() -> None:
    async def test() -> None:
        async def echo(peer: Peer, payload: bytes) -> bytes:
            return payload

        async with open_tcp_network(A, HERE, strangers=True) as one, open_tcp_network(D, None, [at(one)]) as stranger:
            one.serve("echo", echo)
            one.listen("votes")
            await until_peers(one, D)
            await until_peers(stranger, A)
            with pytest.raises(Unavailable, match="does not serve"):
                await stranger.open(A.peer, "votes")
            much = bytes(STRANGER_MESSAGE_BYTES_MAX)
            assert await stranger.request(A.peer, "echo", much, timeout_s=10) == much
            with pytest.raises(Unavailable):
                await stranger.request(A.peer, "echo", much + bytes(1_000), timeout_s=10)
            assert await stranger.request(A.peer, "echo", much, timeout_s=10) == much
            assert one.statistics().offences == 0

    run(test)


def test_a_handler_that_finds_the_node_corrupt_ends_its_network() -> None:
    async def test() -> None:
        async def corrupt(peer: Peer, payload: bytes) -> bytes:
            async with trio.open_nursery():
                raise Corrupt("The store is damaged; restore it.")

        with pytest.raises(BaseExceptionGroup) as caught:
            async with pair() as (one, other):
                other.serve("corrupt", corrupt)
                with pytest.raises(Unavailable):
                    await one.request(other.identity, "corrupt", b"", timeout_s=5)
                await trio.sleep_forever()
        assert caught.group_contains(Corrupt)

    run(test)


def test_a_stock_libp2p_connects_and_is_answered_its_ping() -> None:
    async def test() -> None:
        keys = create_new_key_pair(bytes([7]) * 32)
        security = {NOISE: Noise(keys, noise_privkey=create_noise_pair().private_key)}
        host = new_host(key_pair=keys, sec_opt=security, muxer_opt={YAMUX: Yamux})
        async with open_tcp_network(A, HERE, strangers=True) as one, host.run(listen_addrs=[]):
            await host.connect(info_from_p2p_addr(Multiaddr(f"{one.addresses[0]}/p2p/{one.identity}")))
            stream = await host.new_stream(
                info_from_p2p_addr(Multiaddr(f"/p2p/{one.identity}")).peer_id, ["/ipfs/ping/1.0.0"]
            )
            await stream.write(bytes(range(32)))
            assert await stream.read(32) == bytes(range(32))
            assert one.peers() == (str(host.get_id()),)
            await host.disconnect(stream.muxed_conn.peer_id)

    run(test)
