"""
The core's end of the local socket: serves the gateway, trio.

`handler(method, payload)` answers. Reads run concurrently; what must keep the order of arrival (`SEND`) is handed to
it one after another, and may answer `Later`. `publish` goes to whoever subscribed: bounded per gateway, and one that
does not keep up loses its subscriptions and is told why. Invalid and Unavailable travel as words; Corrupt does too,
and then stops the service.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from node.gateway.frames import (
    ENDED,
    ERROR,
    PUSH,
    READ_BYTES,
    REQUEST,
    RESULT,
    SEND,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Splitter,
    pack,
)
from node.log import logger
from node.unix_socket import SOCKET_PATH_BYTES_MAX, listen

Handler = Callable[[str, Any], Awaitable[Any]]

IN_FLIGHT_MAX = 8_192
PUSHES_WAITING_BYTES_MAX = 16 << 20

_log = logger("corelink")


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that takes time: `wait` is awaited beside whatever comes next, its value or error is the answer."""

    wait: Callable[[], Awaitable[Any]]


def refusal(error: Invalid | Unavailable) -> list[str]:
    """How one transaction's error travels inside the answer to many: fault, code, message."""
    return list(_words(error))


def link_path(folder: Path) -> Path:
    """Return where the socket of a node's folder lies: in it, or in the temp folder when its path is too long."""
    path = folder.absolute() / "core.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.gettempdir()) / f"tenor-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


class CoreLink:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._peers: set[_Peer] = set()
        self._sequences: dict[str, int] = {}
        self._requests = 0
        self._dropped = 0

    def statistics(self) -> dict[str, int]:
        return {
            "gateways": len(self._peers),
            "in_flight": sum(peer.in_flight for peer in self._peers),
            "requests": self._requests,
            "subscribers_dropped": self._dropped,
        }

    async def serve(self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Listen on a Unix socket readable by this user only, until cancelled; a stale socket file is replaced.

        Raises:
            Corrupt: whatever the handler raised as such.
        """
        listener = listen(path)
        try:
            async with listener, trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    nursery.start_soon(self._serve_peer, await listener.accept())
        finally:
            path.unlink(missing_ok=True)

    def wanted(self, topic: str) -> bool:
        """Whether anyone subscribed; a payload nobody reads need not be built."""
        return any(topic in peer.topics for peer in self._peers)

    def publish(self, topic: str, payload: Any) -> None:
        """Send to the topic's subscribers; never waits. Its sequence number grows whether anyone listens or not."""
        sequence = self._sequences[topic] = self._sequences.get(topic, 0) + 1
        readers = [peer for peer in self._peers if topic in peer.topics]
        if not readers:
            return
        frame = pack(PUSH, topic, sequence, payload)
        for peer in readers:
            if peer.push(frame):
                continue
            self._dropped += 1
            for ended in peer.topics:
                peer.send(pack(ENDED, ended, f"{PUSHES_WAITING_BYTES_MAX} bytes are waiting unread; subscribe again."))
            peer.topics.clear()

    async def _serve_peer(self, stream: trio.SocketStream) -> None:
        peer = _Peer(stream)
        self._peers.add(peer)
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(peer.write)
                ordered_send, ordered = trio.open_memory_channel[tuple[int, Any]](IN_FLIGHT_MAX)
                nursery.start_soon(self._answer_in_order, peer, ordered, nursery)
                await self._read(peer, nursery, ordered_send)
                nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            pass  # the gateway died; its process is restarted by whoever started it
        finally:
            self._peers.discard(peer)

    async def _read(self, peer: _Peer, nursery: trio.Nursery, ordered: trio.MemorySendChannel[tuple[int, Any]]) -> None:
        splitter = Splitter()
        while data := await peer.stream.receive_some(READ_BYTES):
            for kind, request, method, payload in splitter.feed(bytes(data)):
                assert kind == REQUEST, "a gateway only asks"
                self._requests += 1
                if method == SUBSCRIBE:
                    peer.topics.add(payload)
                    peer.send(pack(RESULT, request, self._sequences.get(payload, 0)))
                elif method == UNSUBSCRIBE:
                    peer.topics.discard(payload)
                    peer.send(pack(RESULT, request, None))
                elif peer.in_flight >= IN_FLIGHT_MAX:
                    peer.send(_error(request, Unavailable(f"{IN_FLIGHT_MAX} requests are being worked on; try later.")))
                elif method == SEND:
                    peer.in_flight += 1
                    ordered.send_nowait((request, payload))
                else:
                    peer.in_flight += 1
                    nursery.start_soon(self._answer, peer, request, method, payload)

    async def _answer(self, peer: _Peer, request: int, method: str, payload: Any) -> None:
        await self._finish(peer, request, partial(self._handler, method, payload))

    async def _answer_in_order(
        self, peer: _Peer, ordered: trio.MemoryReceiveChannel[tuple[int, Any]], nursery: trio.Nursery
    ) -> None:
        async for request, payload in ordered:
            later = await self._finish(peer, request, partial(self._handler, SEND, payload))
            if later is not None:
                nursery.start_soon(self._finish, peer, request, later.wait)

    async def _finish(self, peer: _Peer, request: int, work: Callable[[], Awaitable[Any]]) -> Later | None:
        """Await the answer and send it, or return the Later it is to be awaited from."""
        try:
            value = await work()
            if isinstance(value, Later):
                return value
            frame = pack(RESULT, request, value)
        except Corrupt as error:
            peer.send(_error(request, error))
            raise
        except TenorError as error:
            frame = _error(request, error)
        except Exception:  # noqa: BLE001 - the RPC edge: one bad request must not end the node
            _log.exception("a request failed in a way nobody foresaw")
            frame = pack(ERROR, request, "internal", "internal", "The node failed on this request; its log says why.")
        peer.in_flight -= 1
        peer.send(frame)
        return None


class _Peer:
    """One gateway: what waits to be written to it, and its topics."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.topics: set[str] = set()
        self.in_flight = 0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._wake = trio.Event()

    def send(self, frame: bytes) -> None:
        self._out.append(frame)
        self._out_bytes += len(frame)
        self._wake.set()

    def push(self, frame: bytes) -> bool:
        """Send unless too much waits already."""
        if self._out_bytes + len(frame) > PUSHES_WAITING_BYTES_MAX:
            return False
        self.send(frame)
        return True

    async def write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            gathered = b"".join(self._out)
            self._out.clear()
            await self.stream.send_all(gathered)
            self._out_bytes -= len(gathered)


def _words(error: TenorError) -> tuple[str, str, str]:
    if isinstance(error, Invalid):
        return ("invalid", error.code, str(error))
    if isinstance(error, Unavailable):
        return ("unavailable", "unavailable", str(error))
    return ("corrupt", "corrupt", str(error))


def _error(request: int, error: TenorError) -> bytes:
    return pack(ERROR, request, *_words(error))
