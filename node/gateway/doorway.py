"""
Who may be connected: so many clients as there is room for, and none that says nothing in the place of one that does.

When the room is full, whoever has not asked anything yet goes first, the oldest before; then whoever has been idle for
longest. Who is being answered stays. Only when all are at work is a new one turned away, with the reason.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from node.watch.samples import Sample, sample

FIRST_REQUEST_S = 20.0
"""A connection has so long for its first whole request."""
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
        self._new: OrderedDict[Guest, float] = OrderedDict()
        self._idle: OrderedDict[Guest, None] = OrderedDict()
        self._busy: set[Guest] = set()
        self._refused = self._shown_out = 0

    def enter(self, guest: Guest) -> bool:
        """Let a connection in, another out for it if need be; whether there was room."""
        if len(self) >= self._max and not self._make_room():
            self._refused += 1
            return False
        self._new[guest] = asyncio.get_running_loop().time()
        return True

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

    async def watch(self) -> None:
        """Show out who does not come to ask, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            late_s = asyncio.get_running_loop().time() - FIRST_REQUEST_S
            for guest in [guest for guest, since_s in self._new.items() if since_s < late_s]:
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
        self._drop(guest)
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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._doorway.enter(self):
            text = f"The gateway has {len(self._doorway)} connections, all of them at work; try again in a moment."
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 1\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text.encode())
            )
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._doorway.leave(self)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle: RequestResponseCycle | None = self.cycle  # none, if this asks for a WebSocket
        if cycle is not None and not cycle.response_complete:
            self._doorway.work(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._doorway.rest(self)

    def handle_websocket_upgrade(self) -> None:
        self._doorway.leave(self)
        super().handle_websocket_upgrade()

    def show_out(self) -> None:
        self.transport.close()


class WebSocketGuest(WSProtocol):
    """uvicorn's WebSocket, known to the doorway; what is said on it in either direction keeps it."""

    def __init__(self, doorway: Doorway, **given: Any) -> None:
        super().__init__(**given)
        self._doorway = doorway

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._doorway.enter(self)  # in the place that its HTTP connection has just left
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
