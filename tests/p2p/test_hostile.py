"""
What comes from the network is not what an honest node sends: the process stays up, the sender pays, nobody else does.

Each test has a node under attack, an honest friend connected to it, and an attacker on the same machine; at its end
the friend still gets through, in time.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from libp2p.crypto.ed25519 import create_new_key_pair as ed25519_pair
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE

from genesis.errors import Unavailable
from p2p.address import StaticPeer, read_address
from p2p.identity import NodeKey
from p2p.libp2p import Channel, Libp2p, Link
from p2p.network import MESSAGE_BYTES_MAX, QUEUE_MESSAGES_MAX, Message
from p2p.tcp import TcpNetwork, open_tcp_network
from p2p.tcp_bounds import STREAMS_PER_PEER_MAX
from p2p.tcp_connection import PUBLISH_PROTOCOL, REQUEST_PROTOCOL, STREAM_PROTOCOL
from p2p.tcp_counters import Counters
from p2p.tcp_frames import frame
from p2p.tcp_guard import HEADER, Guard
from p2p.tcp_publications import Publisher
from p2p.tcp_wire import Wire

HERE = read_address("/ip4/127.0.0.1/tcp/0")
NODE, FRIEND, ATTACKER, UNKNOWN = (NodeKey(bytes([byte]) * 32) for byte in (1, 2, 3, 4))
SURELY_S = 20.0
"""A machine under load takes so long for what takes milliseconds; nothing here waits for it in vain."""


@dataclass(frozen=True)
class Scene:
    node: TcpNetwork
    friend: TcpNetwork
    stack: AsyncExitStack

    @property
    def port(self) -> int:
        return self.node.addresses[0].port

    async def socket(self, source: str = "127.0.0.1") -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port, local_address=source)

    async def friend_gets_through(self) -> float:
        """Return how many seconds a question of the friend takes."""
        started_s = trio.current_time()
        assert await self.friend.request(NODE.peer, "echo", b"hello", timeout_s=SURELY_S) == b"hello"
        return trio.current_time() - started_s


Test = Callable[[Scene], Awaitable[None]]
Run = Callable[[Test], None]


@pytest.fixture
def run() -> Run:
    async def main(test: Test) -> None:
        with trio.fail_after(100):
            async with AsyncExitStack() as stack:
                node = await stack.enter_async_context(open_tcp_network(NODE, HERE))
                friend = await stack.enter_async_context(open_tcp_network(FRIEND, HERE))

                async def echo(peer: str, payload: bytes) -> bytes:
                    return payload

                node.serve("echo", echo)
                node.allow([StaticPeer(FRIEND.peer), StaticPeer(ATTACKER.peer)])
                friend.allow([StaticPeer(NODE.peer, node.addresses[0])])
                while not (node.peers() and friend.peers()):
                    await trio.sleep(0.005)
                scene = Scene(node, friend, stack)
                await test(scene)
                await scene.friend_gets_through()
                statistics = node.statistics()
                assert statistics.handler_failures == 0
                assert friend.peers() == (NODE.peer,), "the friend is still connected"

    return lambda test: trio.run(main, test)


class Attack:
    """An authenticated connection that does what it likes: a link of libp2p without a node on top."""

    def __init__(self, link: Link, wire: Wire) -> None:
        self.link = link
        self.wire = wire

    async def frames(self, *frames: bytes) -> None:
        """Send frames of yamux past our own multiplexer, encrypted as they should be."""
        for data in frames:
            await self.link._guarded.session.write(data)

    async def stream(self, protocol: str, data: bytes) -> Channel:
        channel = await self.link.open(protocol)
        await channel.write(data)
        return channel

    async def unasked(self, protocol: str, data: bytes) -> None:
        """Name a protocol and send what belongs to it in one go; returns once the node has ended the stream."""
        channel = Channel(await self.link._yamux.open_stream(), protocol)
        wanted = (f"{name}\n".encode() for name in ("/multistream/1.0.0", protocol))
        with suppress(Unavailable), trio.fail_after(SURELY_S):
            await channel.write(b"".join(bytes([len(name)]) + name for name in wanted) + data)
            await channel.finish()
            while await channel.read():
                pass


@asynccontextmanager
async def attack(scene: Scene, key: NodeKey = ATTACKER, proving: object = None) -> AsyncIterator[Attack]:
    """Raises Unavailable when the node does not let the attacker in, with its key or what it proves instead."""
    refused, libp2p = None, Libp2p(key)
    if proving:
        libp2p._security.transports[NOISE].libp2p_privkey = proving
    async with trio.open_nursery() as nursery:
        wire = Wire(await scene.socket(), "127.0.0.1", Counters())
        nursery.start_soon(wire.run)
        try:
            link = await libp2p.connect(wire, NODE.peer, lambda peer: Guard(0, 1000, trio.current_time()))
        except Unavailable as error:
            refused = error
        else:
            nursery.start_soon(link.run, (PUBLISH_PROTOCOL,), idle)
            yield Attack(link, wire)
        nursery.cancel_scope.cancel()
    if refused:
        raise refused


async def idle(channel: Channel) -> None:
    await trio.sleep_forever()


RAW = {
    "random": random.Random(1).randbytes(4096),
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "tls": bytes.fromhex("1603010200010001fc0303") + bytes(500),
    "bad multistream": b"\x13/multistream/9.9.9\n",
    "huge varint": b"\xff" * 9 + b"\x01" + bytes(100),
    "endless varint": b"\xff" * 10_000,
    "2 GiB announced": b"\x80\x80\x80\x80\x08" + bytes(1000),
    "plaintext wanted": b"\x13/multistream/1.0.0\n\x11/plaintext/2.0.0\n" + bytes(100),
    "lists wanted": b"\x13/multistream/1.0.0\n" + b"\x03ls\n" * 5000,
    "bad noise": b"\x13/multistream/1.0.0\n\x07/noise\n" + b"\xff\xff" + bytes(70_000),
    "empty noise": b"\x13/multistream/1.0.0\n\x07/noise\n" + b"\0\0" * 100,
    "short noise": b"\x13/multistream/1.0.0\n\x07/noise\n" + b"\0\x20" + bytes(32) + b"\0\x01x",
}


@pytest.mark.parametrize("data", RAW.values(), ids=RAW.keys())
def test_what_is_no_handshake_ends_the_connection(run: Run, data: bytes) -> None:
    async def test(scene: Scene) -> None:
        async with await scene.socket() as stream:
            with suppress(trio.BrokenResourceError), trio.fail_after(SURELY_S):
                await stream.send_all(data)
                await stream.send_eof()
                while await stream.receive_some():
                    pass

    run(test)


def test_only_noise_and_yamux_are_spoken(run: Run) -> None:
    async def test(scene: Scene) -> None:
        for protocol in ("/plaintext/2.0.0", "/secio/1.0.0", "/tls/1.0.0", "/noise/2"):
            async with await scene.socket() as stream:
                wanted = bytes([len(protocol) + 1]) + protocol.encode() + b"\n"
                await stream.send_all(b"\x13/multistream/1.0.0\n" + wanted)
                answer = b""
                while not answer.endswith(b"na\n"):
                    answer += await stream.receive_some()
                assert answer == b"\x13/multistream/1.0.0\n\x03na\n"

    run(test)


@pytest.mark.parametrize("addresses", [1, 30])
def test_three_hundred_idle_connections_lock_nobody_out(run: Run, addresses: int) -> None:
    async def test(scene: Scene) -> None:
        async with AsyncExitStack() as stack:
            for number in range(300):
                source = f"127.0.1.{1 + number % addresses}"
                await stack.enter_async_context(await scene.socket(source))
            async with attack(scene):
                assert ATTACKER.peer in scene.node.peers()
            await scene.friend_gets_through()

    run(test)


def test_two_hundred_connections_at_once_leave_nothing_behind(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async def knock() -> None:
            with suppress(trio.BrokenResourceError):
                async with await scene.socket() as stream:
                    await stream.send_all(b"\x13/multistream/1.0.0\n\x07/noise\n" + bytes(50))
                    await stream.receive_some()

        before = set(Path("/proc/self/fd").iterdir())
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(knock)
        await scene.friend_gets_through()
        while scene.node.statistics().refused < 200:
            await trio.sleep(0.005)
        await trio.sleep(0.1)
        assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 2

    run(test)


def test_a_handshake_that_never_ends_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2p.tcp_peers.HANDSHAKE_S", 0.2)

    async def test(scene: Scene) -> None:
        async with await scene.socket() as stream:
            with pytest.raises(trio.BrokenResourceError):
                for byte in b"\x13/multistream/1.0.0\n\x07/noise\n" + bytes(1_000):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.01)

    run(test)


@pytest.mark.parametrize(("signer", "let_in"), [(UNKNOWN, True), (ATTACKER, False)])
def test_nobody_comes_in_under_the_name_of_another(run: Run, signer: NodeKey, let_in: bool) -> None:
    class Proof:
        """A public key that is listed, with somebody's signature."""

        get_public_key = staticmethod(ed25519_pair(UNKNOWN.secret).private_key.get_public_key)
        sign = staticmethod(ed25519_pair(signer.secret).private_key.sign)

    async def test(scene: Scene) -> None:
        scene.node.allow([StaticPeer(FRIEND.peer), StaticPeer(UNKNOWN.peer)])
        with nullcontext() if let_in else pytest.raises(Unavailable):
            async with attack(scene, proving=Proof()):
                assert scene.node.peers() == tuple(sorted((FRIEND.peer, UNKNOWN.peer)))
        assert scene.node.statistics().refused == (not let_in)

    run(test)


def test_someone_on_no_list_is_not_let_in(run: Run) -> None:
    async def test(scene: Scene) -> None:
        with pytest.raises(Unavailable, match="list"):
            async with attack(scene, UNKNOWN):
                raise AssertionError
        assert scene.node.statistics().refused == 1

    run(test)


def yamux(kind: int, flags: int, stream: int, length: int, version: int = 0, body: bytes = b"") -> bytes:
    return HEADER.pack(version, kind, flags, stream, length) + body


FRAMES = {
    "another version": [yamux(0, 0, 1, 0, version=1)],
    "unknown type": [yamux(7, 0, 1, 0)],
    "unknown flags": [yamux(0, 0x8000, 1, 0)],
    "4 GiB of data": [yamux(1, 1, 101, 0), yamux(0, 0, 101, 0xFFFFFFFF)],
    "our side's stream": [yamux(1, 1, 102, 0)],
    "stream zero": [yamux(1, 1, 0, 0)],
    "a stream twice": [yamux(1, 1, 101, 0), yamux(1, 1, 101, 0)],
    "too many streams": [yamux(1, 1, 1001 + 2 * number, 0) for number in range(STREAMS_PER_PEER_MAX + 1)],
    "pings": [yamux(2, 1, 0, number) for number in range(200)],
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES.keys())
def test_what_no_multiplexer_sends_bans_at_the_second_time_at_the_latest(run: Run, frames: list[bytes]) -> None:
    async def test(scene: Scene) -> None:
        while not scene.node.statistics().bans:
            async with attack(scene) as attacker:
                with suppress(ConnectionClosedError):
                    await attacker.frames(*frames)
                while ATTACKER.peer in scene.node.peers():
                    await trio.sleep(0.005)
        assert scene.node.statistics().offences <= 2
        with pytest.raises(Unavailable):
            async with attack(scene):
                raise AssertionError("a banned peer was let in")

    run(test)


def with_length(data: bytes, length: int) -> bytes:
    return length.to_bytes(4, "big") + data


PUBLICATION = Publisher(FRIEND).sign("heads", b"head")
FORGED = dataclasses.replace(PUBLICATION, payload=b"another head")
JUNK = {
    "a message too large": (STREAM_PROTOCOL + "votes", with_length(b"x", MESSAGE_BYTES_MAX + 1)),
    "4 GiB announced": (STREAM_PROTOCOL + "votes", b"\xff\xff\xff\xff"),
    "more than was confirmed": (STREAM_PROTOCOL + "votes", frame(b"x") * (3 * QUEUE_MESSAGES_MAX)),
    "a question too large": (REQUEST_PROTOCOL, with_length(b"x", MESSAGE_BYTES_MAX + 1_000)),
    "an empty question": (REQUEST_PROTOCOL, frame(b"")),
    "a question without its name": (REQUEST_PROTOCOL, frame(b"\x40ab")),
    "a question of another alphabet": (REQUEST_PROTOCOL, frame(b"\x02\xff\xfe")),
    "two questions at once": (REQUEST_PROTOCOL, frame(b"\x04echo") * 2),
    "an empty publication": (PUBLISH_PROTOCOL, frame(b"")),
    "a cut publication": (PUBLISH_PROTOCOL, frame(PUBLICATION.passed_on()[:70])),
    "a publication of random bytes": (PUBLISH_PROTOCOL, frame(b"\xff" * 300)),
    "a forged publication": (PUBLISH_PROTOCOL, frame(FORGED.passed_on())),
    "a publication too large": (PUBLISH_PROTOCOL, with_length(b"x", 1_000_000)),
}


@pytest.mark.parametrize(("protocol", "data"), JUNK.values(), ids=JUNK.keys())
def test_what_no_node_sends_bans_at_the_second_time_at_the_latest(run: Run, protocol: str, data: bytes) -> None:
    async def test(scene: Scene) -> None:
        inbox = scene.node.listen("votes")
        while not scene.node.statistics().bans:
            async with attack(scene) as attacker:
                with suppress(Unavailable):
                    await attacker.stream(protocol, data)
                while ATTACKER.peer in scene.node.peers():
                    await trio.sleep(0.005)
        assert scene.node.statistics().offences <= 2
        inbox.close()

    run(test)


def random_frames(draw: random.Random) -> Iterator[bytes]:
    """Frames as a broken or malicious multiplexer may send them: possible ones, others, with anything in them."""
    bodies = [
        b"\x13/multistream/1.0.0\n",
        *(
            bytes([len(name) + 1]) + name.encode() + b"\n"
            for name in (REQUEST_PROTOCOL, PUBLISH_PROTOCOL, "/tenor/stream/1/votes")
        ),
        frame(b"\x04echo", b"x"),
        frame(PUBLICATION.passed_on()),
        b"",
    ]
    streams = [1 + 2 * draw.randrange(6) for _ in range(3)]
    yield from (yamux(1, 1, stream, 0) for stream in set(streams))
    for _ in range(draw.randrange(60)):
        stream, odds = draw.choice(streams), draw.random()
        body = draw.choice(bodies) if odds < 0.8 else draw.randbytes(draw.randrange(300))
        if odds < 0.9:
            yield yamux(0, draw.choice((0, 0, 0, 2, 4, 8)), stream, len(body), body=body)
        elif odds < 0.97:
            yield yamux(
                draw.randrange(1, 4), draw.randrange(16), draw.randrange(12), draw.choice((0, 1, 70_000, 2**32 - 1))
            )
        else:
            yield draw.randbytes(draw.randrange(30))


@pytest.mark.parametrize("seed", range(16))
def test_random_frames_end_nothing_but_their_connection(run: Run, seed: int) -> None:
    async def test(scene: Scene) -> None:
        scene.node.listen("votes")
        draw = random.Random(seed)
        for _ in range(3):
            async with AsyncExitStack() as stack:
                with suppress(Unavailable, ConnectionClosedError):
                    attacker = await stack.enter_async_context(attack(scene))
                    await attacker.frames(*random_frames(draw))
                    await trio.sleep(0.005)

    run(test)


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def field(number: int, *parts: bytes) -> bytes:
    """A field of protobuf: bytes, text, or a message of fields."""
    body = b"".join(parts)
    return varint(number << 3 | 2) + varint(len(body)) + body


def gossip(sender: bytes, *key: bytes) -> bytes:
    """An RPC of gossipsub that publishes b"data" on the topic "t" under a signature of zeros."""
    return field(2, field(1, sender), field(2, b"data"), field(3, bytes(8)), field(4, b"t"), field(5, bytes(64)), *key)


GOSSIPSUB = {
    "no protobuf": b"\xff" * 50,
    "an undecodable key": gossip(ID.from_base58(ATTACKER.peer).to_bytes(), field(6, b"\xff\xff")),
    "an empty sender": gossip(b"", field(6, b"\x08\x01\x12\x01\x01")),
    "an endless varint": b"\xff" * 2000,
    "a bad from_id": gossip(b"\xff" * 34),
    "a bad senderRecord": field(4, b"\xff" * 200),
    "a bad PX record": field(3, field(4, field(1, b"t"), field(2, field(1, b"\xff" * 34), field(2, b"\xff" * 200)))),
    "IHAVE of junk": field(3, field(1, field(1, b"t"), *(field(2, b"\xff" * 20) for _ in range(5000)))),
    "identify push of junk": b"".join(field(number, b"\xff" * 40) for number in (1, 2, 4, 5, 8)),
}
OF_OTHER_NODES = ("/meshsub/1.1.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/kad/1.0.0", "")


@pytest.mark.parametrize("packet", GOSSIPSUB.values(), ids=GOSSIPSUB.keys())
def test_packets_that_end_a_gossipsub_end_nothing_here(run: Run, packet: bytes) -> None:
    """After the name of a protocol that this node does not speak they are nothing to it; on its own, an offence."""
    framed = varint(len(packet)) + packet

    async def test(scene: Scene) -> None:
        scene.node.listen("votes")
        async with attack(scene) as attacker:
            for protocol in OF_OTHER_NODES:
                with pytest.raises(Unavailable):
                    await attacker.link.open(protocol)
                await attacker.unasked(protocol, framed)
            assert scene.node.statistics().offences == 0
            assert ATTACKER.peer in scene.node.peers()
        while not scene.node.statistics().bans:
            async with attack(scene) as attacker:
                for protocol in ("/ipfs/ping/1.0.0", STREAM_PROTOCOL + "votes", REQUEST_PROTOCOL, PUBLISH_PROTOCOL):
                    with suppress(Unavailable):
                        await attacker.stream(protocol, framed)
                while ATTACKER.peer in scene.node.peers():
                    await trio.sleep(0.005)
        assert scene.node.statistics().offences <= 2

    run(test)


def test_a_later_version_of_a_protocol_is_refused_and_no_offence(run: Run) -> None:
    async def test(scene: Scene) -> None:
        scene.node.listen("votes")
        async with attack(scene) as attacker:
            for protocol in ("/tenor/stream/2/votes", "/tenor/request/2", "/tenor/publish/0", "/tenor/stream/1/"):
                with pytest.raises(Unavailable):
                    await attacker.link.open(protocol)
        assert scene.node.statistics().offences == 0

    run(test)


def test_a_flood_that_keeps_to_the_protocol_is_held_to_its_rate(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2p.tcp_connection.MESSAGES_PER_S", 4_000.0)
    monkeypatch.setattr("p2p.tcp_connection.MESSAGES_BURST", 1_000.0)

    async def test(scene: Scene) -> None:
        inbox, received = scene.node.listen("votes"), 0
        attacker = await scene.stack.enter_async_context(open_tcp_network(ATTACKER, None))
        attacker.allow([StaticPeer(NODE.peer, scene.node.addresses[0])])
        while not attacker.peers():
            await trio.sleep(0.005)

        async def flood() -> None:
            stream = await attacker.open(NODE.peer, "votes")
            while True:
                await stream.send(b"x")

        async def drain() -> None:
            nonlocal received
            async for _ in inbox:
                received += 1

        async with trio.open_nursery() as nursery:
            started_s = trio.current_time()
            nursery.start_soon(flood)
            nursery.start_soon(drain)
            waits = []
            while received < 1_000 + 4_000 / 2:
                waits.append(await scene.friend_gets_through())
            assert trio.current_time() - started_s >= 0.45
            assert sorted(waits)[len(waits) // 2] < 0.5
            nursery.cancel_scope.cancel()

    run(test)


def test_a_message_that_comes_byte_by_byte_ends_its_stream_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2p.tcp_frames.FRAME_S", 0.3)

    async def test(scene: Scene) -> None:
        async with attack(scene) as attacker:
            channel = await attacker.stream(REQUEST_PROTOCOL, b"\0\0\0\x09")
            with pytest.raises(Unavailable):
                for _ in range(100):
                    await channel.write(b"\x04")
                    await trio.sleep(0.06)

    run(test)


def test_publications_of_strangers_and_repeated_ones_go_nowhere(run: Run) -> None:
    async def test(scene: Scene) -> None:
        inbox = scene.node.subscribe("heads")
        by_stranger = Publisher(UNKNOWN).sign("heads", b"mine")
        async with attack(scene) as attacker:
            written = [publication.passed_on() for publication in (by_stranger, PUBLICATION, PUBLICATION)]
            await attacker.stream(PUBLISH_PROTOCOL, b"".join(map(frame, written)))
            assert (await inbox.receive()) == Message(FRIEND.peer, b"head")
            await trio.sleep(0.1)
            assert inbox.statistics().current_buffer_used == 0
        assert scene.node.statistics().publications_received == 1

    run(test)


def test_a_peer_that_does_not_read_is_disconnected(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2p.tcp_connection.PING_S", 0.1)
    monkeypatch.setattr("p2p.tcp_connection.PONG_S", 0.3)

    async def test(scene: Scene) -> None:
        async with attack(scene) as attacker:
            attacker.wire.read = never  # type: ignore[method-assign]
            while ATTACKER.peer in scene.node.peers():
                await trio.sleep(0.005)

    run(test)


async def never(count: int) -> bytes:
    await trio.sleep_forever()
    raise AssertionError
