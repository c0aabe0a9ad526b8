"""
Who may be connected: so many clients as there is room for, and none that says nothing in the place of one that does.

When the room is full, whoever has not asked anything yet goes first, the oldest before; then whoever has been idle for
longest. Who is being answered stays. Only when all are at work is a new one turned away, with the reason. Who begins a
request, byte by byte perhaps, must end it in time, and before its head fills the memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from node.watch.samples import Sample, sample

REQUEST_S = 20.0
"""A connection has so long for its first whole request, and for each that it begins."""
HEAD_BYTES_MAX = 32 << 10
"""Of a request beside its body, about: what one read brings is looked at first."""
LOOK_S = 1.0
TRY_AGAIN_LATER = 1013
FULL = "The gateway is full, and this connection was idle for longest; connect again."


class Guest(Protocol):
    """A connection as the doorway sees it. show_out: end it; must not wait."""

    def show_out(self) -> None: ...


class Doorway:
    """connections_max: at once."""

    def __init__(self, connections_max: int) -> None:
        self._max = connections_max
        self._new: OrderedDict[Guest, None] = OrderedDict()
        self._idle: OrderedDict[Guest, None] = OrderedDict()
        self._busy: set[Guest] = set()
        self._begun_s: dict[Guest, float] = {}
        self._refused = self._shown_out = 0

    def enter(self, guest: Guest) -> bool:
        """Let a connection in, another out for it if need be; whether there was room."""
        if len(self) >= self._max and not self._make_room():
            self._refused += 1
            return False
        self._new[guest] = None
        self.begin(guest)
        return True

    def begin(self, guest: Guest) -> None:
        """It has begun to ask, and must come to the end in time."""
        self._begun_s.setdefault(guest, asyncio.get_running_loop().time())

    def end(self, guest: Guest) -> None:
        """What it has begun to ask is whole."""
        self._begun_s.pop(guest, None)

    def work(self, guest: Guest) -> None:
        """It has asked, and is being answered."""
        if self._drop(guest):
            self._busy.add(guest)

    def rest(self, guest: Guest) -> None:
        """It has been answered, or told something."""
        if self._drop(guest):
            self._idle[guest] = None

    def leave(self, guest: Guest) -> None:
        self._drop(guest)
        self.end(guest)

    async def watch(self) -> None:
        """Show out who does not come to ask, or to the end of it, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            late_s = asyncio.get_running_loop().time() - REQUEST_S
            for guest in [guest for guest, since_s in self._begun_s.items() if since_s < late_s]:
                self._show_out(guest)

    def samples(self) -> Iterator[Sample]:
        for state, guests in (("new", self._new), ("idle", self._idle), ("busy", self._busy)):
            yield sample("tenor_gateway_connections", len(guests), state=state)
        yield sample("tenor_gateway_turned_away_total", self._refused, why="full")
        yield sample("tenor_gateway_turned_away_total", self._shown_out, why="idle")

    def __len__(self) -> int:
        return len(self._new) + len(self._idle) + len(self._busy)

    def _make_room(self) -> bool:
        for guests in (self._new, self._idle):
            if guests:
                self._show_out(next(iter(guests)))
                return True
        return False

    def _show_out(self, guest: Guest) -> None:
        self.leave(guest)
        self._shown_out += 1
        guest.show_out()

    def _drop(self, guest: Guest) -> bool:
        """Whether it was here; who has gone does not come back by what is still on its way to him."""
        before = len(self)
        self._new.pop(guest, None)
        self._idle.pop(guest, None)
        self._busy.discard(guest)
        return len(self) < before


class HttpGuest(HttpToolsProtocol):
    """uvicorn's HTTP connection, known to the doorway."""

    def __init__(self, doorway: Doorway, **given: Any) -> None:
        super().__init__(**given)
        self._doorway = doorway
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._doorway.enter(self):
            text = f"The gateway has {len(self._doorway)} connections, all of them at work; try again in a moment."
            self._refuse("503 Service Unavailable", text, "retry-after: 1\r\n")

    def data_received(self, data: bytes) -> None:
        """The parser keeps what neither ends a head nor is of a body: a head so far, a trailer, a chunk's length."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            text = f"A request has at most {HEAD_BYTES_MAX} bytes beside its body; send fewer headers."
            self._refuse("431 Request Header Fields Too Large", text)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._doorway.leave(self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._doorway.begin(self)

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0
        self._doorway.end(self)
        cycle: RequestResponseCycle | None = self.cycle  # none, if this asks for a WebSocket
        if cycle is not None and not cycle.response_complete:
            self._doorway.work(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        pipelined = self.pipeline or not (self.cycle.response_complete or self.cycle.more_body)
        if not self.transport.is_closing() and not pipelined:
            self._doorway.rest(self)

    def handle_websocket_upgrade(self) -> None:
        self._doorway.leave(self)
        super().handle_websocket_upgrade()

    def show_out(self) -> None:
        self.transport.close()

    def _refuse(self, status: str, text: str, headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\n{headers}connection: close\r\n"
        self.transport.write(f"{head}content-length: {len(text)}\r\n\r\n{text}".encode())
        self.transport.close()


class WebSocketGuest(WSProtocol):
    """uvicorn's WebSocket, known to the doorway; what is said on it in either direction keeps it."""

    def __init__(self, doorway: Doorway, **given: Any) -> None:
        super().__init__(**given)
        self._doorway = doorway

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._doorway.enter(self)  # in the place that its HTTP connection has just left
        self._doorway.end(self)
        self._doorway.rest(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._doorway.leave(self)

    def handle_message(self, event: Any) -> None:
        self._doorway.rest(self)
        super().handle_message(event)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self._doorway.rest(self)
        await super().send(message)

    def show_out(self) -> None:
        if self.handshake_complete and not self.close_sent:
            closing = self.send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": FULL})
            self.tasks.add(task := self.loop.create_task(closing))
            task.add_done_callback(self.tasks.discard)
        else:
            self.transport.close()
