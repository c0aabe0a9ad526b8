"""
The routes: POST / and WebSocket /ws for JSON-RPC, GET /health, and those of `watching`.

A body is refused as soon as it is known to be too long. On a WebSocket up to IN_HAND_MAX requests run at once, and
transactions still reach the core in the order they came; more is not read until one is answered. A client that leaves
notifications unread is cut off with code 1013 and the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from genesis.errors import TenorError
from node import rpc_codes
from node.config import GatewayConfig
from node.gateway.dispatch import Dispatcher
from node.gateway.doorway import TRY_AGAIN_LATER, Doorway
from node.gateway.link import Link
from node.gateway.methods import BadParams, fields
from node.gateway.subscriptions import SUBSCRIBE_PARAMETERS, UNSUBSCRIBE_PARAMETERS, Subscription, Subscriptions
from node.gateway.traffic import Traffic
from node.gateway.transactions import Ticket
from node.gateway.watching import operator_routes

IN_HAND_MAX = 64
UNREAD_MAX = 4_096


def application(link: Link, limits: GatewayConfig, doorway: Doorway) -> Starlette:
    """Return the ASGI application; the link runs as long as it does."""
    pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="recover")
    traffic = Traffic()
    dispatcher = Dispatcher(link, pool, limits, traffic)
    subscriptions = Subscriptions(link)

    async def rpc(request: Request) -> Response:
        try:
            data = await _body(request, limits.body_bytes_max)
        except ClientDisconnect:
            return Response(status_code=400)
        if data is None:
            return _too_large(limits.body_bytes_max)
        text = await dispatcher.answer(data, Ticket(), None, _address(request))
        return Response(status_code=204) if text is None else Response(text, media_type="application/json")

    async def health(_: Request) -> Response:
        return JSONResponse({"core": link.connected}, 200 if link.connected else 503)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        traffic.websockets += 1
        try:
            await Connection(websocket, dispatcher, subscriptions, limits).run()
        finally:
            traffic.websockets -= 1

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.gather(link.run(), doorway.watch())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            pool.shutdown(wait=False, cancel_futures=True)

    return Starlette(
        routes=[
            Route("/", rpc, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
            WebSocketRoute("/ws", socket),
            *operator_routes(link, (traffic, subscriptions, doorway), limits.metrics),
        ],
        lifespan=lifespan,
    )


class Connection:
    """One WebSocket: reads requests, runs them, writes answers and notifications through one queue."""

    def __init__(
        self, websocket: WebSocket, dispatcher: Dispatcher, subscriptions: Subscriptions, limits: GatewayConfig
    ) -> None:
        self._websocket = websocket
        self._address = _address(websocket)
        self._dispatcher = dispatcher
        self._subscriptions = subscriptions
        self._limits = limits
        self._mine: dict[str, Subscription] = {}
        self._last: Ticket | None = None
        self._in_hand = asyncio.Semaphore(IN_HAND_MAX)
        self._out: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: asyncio.Task[None] | None = None

    async def run(self) -> None:
        writer = asyncio.create_task(self._write())
        try:
            while True:
                await self._in_hand.acquire()
                message = await self._websocket.receive()
                if message["type"] != "websocket.receive":
                    return
                text = message.get("text")
                data = text.encode() if text is not None else message["bytes"]
                self._last = Ticket(self._last)
                task = asyncio.create_task(self._answer(data, self._last))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (WebSocketDisconnect, RuntimeError):
            return  # gone, or closed by us while reading
        finally:
            for subscription in self._mine.values():
                self._subscriptions.remove(subscription)
            writer.cancel()

    async def _answer(self, data: bytes, ticket: Ticket) -> None:
        fresh: list[tuple[Subscription, int]] = []
        try:
            text = await self._dispatcher.answer(data, ticket, partial(self._special, fresh), self._address)
        finally:
            ticket.leave()
            self._in_hand.release()
        if text is not None:
            self._out.put_nowait(text)
        for subscription, sequence in fresh:
            subscription.announced(sequence)

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._websocket.send_text(await self._out.get())

    async def _special(self, fresh: list[tuple[Subscription, int]], method: str, params: object) -> Any:
        if method == "tenor_subscribe":
            given = fields(SUBSCRIBE_PARAMETERS, params, method)
            if len(self._mine) >= self._limits.subscriptions_max:
                raise BadParams(f"This connection has {len(self._mine)} subscriptions, the most allowed; drop one.")
            subscription = Subscription(given["topic"], given["filter"], self._deliver, self._ended)
            self._mine[subscription.id] = subscription
            try:
                sequence = await self._subscriptions.add(subscription)
            except TenorError:
                self._mine.pop(subscription.id, None)
                raise
            fresh.append((subscription, sequence))
            return {"subscription": subscription.id, "topic": subscription.topic, "sequence": sequence}
        given = fields(UNSUBSCRIBE_PARAMETERS, params, method)
        known = self._mine.pop(str(given["subscription"]), None)
        if known is not None:
            self._subscriptions.remove(known)
        return known is not None

    def _deliver(self, text: str) -> None:
        if self._out.qsize() >= UNREAD_MAX:
            self._ended(f"{UNREAD_MAX} notifications are waiting unread")
        else:
            self._out.put_nowait(text)

    def _ended(self, reason: str) -> None:
        """Close with the reason (at most 123 bytes fit); once."""
        for subscription in self._mine.values():
            self._subscriptions.remove(subscription)
        self._mine.clear()
        if self._cut is None:
            closing = self._websocket.close(TRY_AGAIN_LATER, reason[:120])
            self._cut = asyncio.create_task(_quietly(closing))


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


async def _quietly(closing: Any) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await closing


async def _body(request: Request, bytes_max: int) -> bytes | None:
    """The whole body, None as soon as it is longer than allowed."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > bytes_max:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            return None
        parts.append(part)
    return b"".join(parts)


def _too_large(bytes_max: int) -> Response:
    error = {
        "code": rpc_codes.TOO_LARGE,
        "message": f"A request has at most {bytes_max} bytes; split it.",
        "data": {"code": "request_too_large"},
    }
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 413, headers={"connection": "close"})
