"""
One node of the network in memory: its streams, its listeners, its subscriptions.

`memory_links` decides what arrives when; this file queues, orders and counts, with the bounds of `network`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import trio

from genesis.errors import Invalid, TenorError, Unavailable
from p2p.handlers import Handlers
from p2p.memory_links import Links
from p2p.network import (
    MESSAGE_BYTES_MAX,
    PUBLICATION_BYTES_MAX,
    QUEUE_MESSAGES_MAX,
    Handler,
    Message,
    Offence,
    Peer,
    Statistics,
    Stream,
    check_name,
    check_size,
)


class MemoryStream:
    """Sending end of a stream: a bounded queue of (due time, payload), emptied in order by one task."""

    def __init__(self, links: Links, sender: MemoryNetwork, receiver: MemoryNetwork, protocol: str) -> None:
        self.receiver = receiver.identity
        self._broken = trio.Event()
        self._links = links
        self._sender = sender
        self._due_s = -math.inf
        self._queue, waiting = trio.open_memory_channel[tuple[float, bytes]](QUEUE_MESSAGES_MAX)
        self._delivery = trio.CancelScope()
        links.nursery.start_soon(self._deliver, waiting, receiver, protocol)

    async def send(self, payload: bytes) -> None:
        check_size(payload, MESSAGE_BYTES_MAX)
        if self._broken.is_set():
            raise Unavailable(f"The stream to {self.receiver} is broken; open a new one.")
        arrival_s = trio.current_time() + self._links.delay_s(self._sender.identity, self.receiver)
        self._due_s = max(self._due_s, arrival_s)
        try:
            await self._queue.send((self._due_s, payload))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unavailable(f"The stream to {self.receiver} is broken; open a new one.") from error
        self._sender.count(messages_sent=1)

    async def aclose(self) -> None:
        await self._queue.aclose()
        self._sender.forget(self)

    async def wait_broken(self) -> None:
        await self._broken.wait()

    def break_off(self) -> None:
        """Lose what is on its way and fail from now on."""
        self._broken.set()
        self._delivery.cancel()

    async def _deliver(
        self, waiting: trio.MemoryReceiveChannel[tuple[float, bytes]], receiver: MemoryNetwork, protocol: str
    ) -> None:
        frame_s = -math.inf
        with self._delivery:
            async with waiting:
                async for due_s, payload in waiting:
                    await trio.sleep_until(due_s)
                    await receiver.arrive(protocol, Message(self._sender.identity, payload))
                    self._sender.count(frames_sent=due_s > frame_s)
                    frame_s = due_s


class MemoryNetwork:
    """See `Network`; made by `Hub.join`."""

    def __init__(self, links: Links, nodes: Mapping[Peer, MemoryNetwork], identity: Peer) -> None:
        self._links = links
        self._nodes = nodes
        self._identity = identity
        self._streams: set[MemoryStream] = set()
        self._listeners: dict[str, trio.MemorySendChannel[Message]] = {}
        self._handlers = Handlers(identity)
        self._subscriptions: dict[str, list[trio.MemorySendChannel[Message]]] = {}
        self._statistics = Statistics(0, 0, 0, 0, 0, 0, 0)

    @property
    def identity(self) -> Peer:
        return self._identity

    def peers(self) -> tuple[Peer, ...]:
        return self._links.others(self._identity)

    async def open(self, peer: Peer, protocol: str) -> Stream:
        check_name(protocol)
        await trio.sleep(self._links.delay_s(self._identity, peer))
        if not self._links.linked(self._identity, peer) or protocol not in self._nodes[peer]._listeners:
            raise Unavailable(f"{peer} cannot be reached on {protocol} now; try again later.")
        receiver = self._nodes[peer]
        stream = MemoryStream(self._links, self, receiver, protocol)
        self._streams.add(stream)
        return stream

    def listen(self, protocol: str) -> trio.MemoryReceiveChannel[Message]:
        check_name(protocol)
        assert protocol not in self._listeners, f"{protocol} has a listener"
        self._listeners[protocol], receive = trio.open_memory_channel[Message](QUEUE_MESSAGES_MAX)
        return receive

    async def request(self, peer: Peer, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        check_name(protocol)
        check_size(payload, MESSAGE_BYTES_MAX)
        answered, answer = trio.open_memory_channel[bytes | TenorError](2)
        for delay_s in self._links.deliveries_s(self._identity, peer):
            self._links.nursery.start_soon(self._ask, peer, protocol, payload, delay_s, answered)
        with trio.move_on_after(timeout_s):
            result = await answer.receive()
            if isinstance(result, TenorError):
                raise result
            return result
        raise Unavailable(f"{peer} did not answer {protocol} within {timeout_s} s; ask again or another peer.")

    def serve(self, protocol: str, handler: Handler) -> None:
        check_name(protocol)
        self._handlers.serve(protocol, handler)

    async def retire(self) -> None:
        await self._handlers.retire()

    async def publish(self, topic: str, payload: bytes) -> None:
        check_name(topic)
        check_size(payload, PUBLICATION_BYTES_MAX)
        self.count(publications_sent=1)
        for peer in self.peers():
            for delay_s in self._links.deliveries_s(self._identity, peer):
                self._links.nursery.start_soon(self._announce, peer, topic, payload, delay_s)
        await trio.lowlevel.checkpoint()

    def subscribe(self, topic: str) -> trio.MemoryReceiveChannel[Message]:
        check_name(topic)
        send, receive = trio.open_memory_channel[Message](QUEUE_MESSAGES_MAX)
        self._subscriptions.setdefault(topic, []).append(send)
        return receive

    def report(self, peer: Peer, offence: Offence) -> None:
        if self._links.conduct(self._identity).offend(peer, offence, trio.current_time()):
            self.break_cut_streams()
            if peer in self._nodes:
                self._nodes[peer].break_cut_streams()

    def statistics(self) -> Statistics:
        conduct = self._links.conduct(self._identity)
        return replace(
            self._statistics,
            peers=len(self.peers()),
            banned=len(conduct.banned(trio.current_time())),
            bans=conduct.bans,
            offences=conduct.offences,
        )

    async def arrive(self, protocol: str, message: Message) -> None:
        """Hand a stream's message to the listener; waits while that is behind, drops it once that has gone."""
        try:
            await self._listeners[protocol].send(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        self.count(messages_received=1)

    def count(self, **more: int) -> None:
        """Add to the statistics."""
        new = {name: getattr(self._statistics, name) + amount for name, amount in more.items()}
        self._statistics = replace(self._statistics, **new)

    def forget(self, stream: MemoryStream) -> None:
        self._streams.discard(stream)

    def break_cut_streams(self) -> None:
        """Break the outgoing streams to peers that this node no longer reaches."""
        for stream in [s for s in self._streams if not self._links.linked(self._identity, s.receiver)]:
            stream.break_off()
            self._streams.discard(stream)

    def shut(self) -> None:
        """Break everything and end all channels; the node is out of the network already."""
        self._handlers.stop()
        self.break_cut_streams()
        for send in (*self._listeners.values(), *(s for sends in self._subscriptions.values() for s in sends)):
            send.close()

    async def _announce(self, peer: Peer, topic: str, payload: bytes, delay_s: float) -> None:
        with self._links.carry() as room:
            if not room:
                return
            await trio.sleep(delay_s)
            if self._links.linked(self._identity, peer):
                self._nodes[peer]._receive(topic, Message(self._identity, payload))

    def _receive(self, topic: str, message: Message) -> None:
        for send in tuple(self._subscriptions.get(topic, ())):
            try:
                send.send_nowait(message)
                self.count(publications_received=1)
            except trio.WouldBlock:
                self.count(publications_dropped=1)
            except trio.BrokenResourceError:
                self._subscriptions[topic].remove(send)

    async def _ask(
        self,
        peer: Peer,
        protocol: str,
        payload: bytes,
        delay_s: float,
        answered: trio.MemorySendChannel[bytes | TenorError],
    ) -> None:
        with self._links.carry() as room:
            if not room:
                return
            await trio.sleep(delay_s)
            if not self._links.linked(self._identity, peer):
                return
            result = await self._nodes[peer]._answer(self._identity, protocol, payload)
            for back_s in self._links.deliveries_s(peer, self._identity)[:1]:
                await trio.sleep(back_s)
                try:
                    answered.send_nowait(result)
                except (trio.BrokenResourceError, trio.WouldBlock):
                    return

    async def _answer(self, peer: Peer, protocol: str, payload: bytes) -> bytes | TenorError:
        try:
            answer = await self._handlers.answer(peer, protocol, payload)
        except (Invalid, Unavailable) as refusal:
            return refusal
        self.count(requests_answered=1)
        return answer
