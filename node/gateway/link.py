"""
The gateway's end of the local socket to the core: asyncio, one connection, many requests in flight.

What is asked within one turn of the event loop leaves in one write. A lost connection fails everything in flight with
Unavailable, is told to whoever holds subscriptions (`on_lost`), and is dialled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from node.gateway.frames import ENDED, ERROR, PUSH, READ_BYTES, REQUEST, RESULT, Splitter, pack

IN_FLIGHT_MAX = 8_192
REDIAL_SECONDS = 0.1
ANSWER_SECONDS = 30.0


class Internal(TenorError):
    """The core failed on a request in a way nobody foresaw; its log has the traceback."""


_FAULTS: dict[str, Callable[[str, str], TenorError]] = {
    "invalid": lambda code, message: Invalid(message, code),
    "unavailable": lambda _, message: Unavailable(message),
    "corrupt": lambda _, message: Corrupt(message),
    "internal": lambda _, message: Internal(message),
}


def fault(kind: str, code: str, message: str) -> TenorError:
    """Return the error that travelled as words."""
    return _FAULTS[kind](code, message)


class Link:
    """
    `run` keeps it connected; `ask` and `post` may be called whenever.

    on_push(topic, sequence, payload), on_ended(topic, reason) and on_lost() are called from `run` and must not wait.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 0
        self._out: list[bytes] = []
        self.on_lost: Callable[[], None] = lambda: None
        self.on_push: Callable[[str, int, Any], None] = lambda *_: None
        self.on_ended: Callable[[str, str], None] = lambda *_: None

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def run(self) -> None:
        """Connect, serve, and again, until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(REDIAL_SECONDS)
                continue
            self._writer = writer
            try:
                await self._read(reader)
            except OSError:
                pass  # the other end died; what was in flight is told below
            finally:
                self._lose(writer)

    async def ask(self, method: str, payload: Any) -> Any:
        """Post and await. Raises what the core raised, and Unavailable when it is away or silent."""
        return await self.post(method, payload)

    def post(self, method: str, payload: Any) -> asyncio.Future[Any]:
        """
        Queue a request, behind all queued before it, and return its answer to come.

        Raises:
            Unavailable: there is no core, or too much waits for it. What the core raises, and Unavailable when it is
            lost or silent for ANSWER_SECONDS, is the answer's.
        """
        if self._writer is None:
            raise Unavailable("The node's core does not answer; it is starting or has stopped. Try again in a moment.")
        if len(self._waiting) >= IN_FLIGHT_MAX:
            raise Unavailable(f"{IN_FLIGHT_MAX} requests are waiting for the core; try again in a moment.")
        self._next_id += 1
        request = self._next_id
        frame = pack(REQUEST, request, method, payload)
        loop = asyncio.get_running_loop()
        answer = self._waiting[request] = loop.create_future()
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append(frame)
        timer = loop.call_later(ANSWER_SECONDS, _expire, answer)

        def forget(_: asyncio.Future[Any]) -> None:
            timer.cancel()
            self._waiting.pop(request, None)

        answer.add_done_callback(forget)
        return answer

    def _flush(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(b"".join(self._out))
        self._out.clear()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        splitter = Splitter()
        while data := await reader.read(READ_BYTES):
            for frame in splitter.feed(data):
                self._take(frame)

    def _take(self, frame: list[Any]) -> None:
        kind = frame[0]
        if kind in (RESULT, ERROR):
            answer = self._waiting.get(frame[1])
            if answer is None or answer.done():
                return
            if kind == RESULT:
                answer.set_result(frame[2])
            else:
                answer.set_exception(fault(frame[2], frame[3], frame[4]))
        elif kind == PUSH:
            self.on_push(frame[1], frame[2], frame[3])
        elif kind == ENDED:
            self.on_ended(frame[1], frame[2])

    def _lose(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        self._out.clear()
        writer.close()
        self.on_lost()
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(Unavailable("The node's core went away while it worked on this; ask again."))


def _expire(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(
            Unavailable(f"No answer within {ANSWER_SECONDS:.0f} s; a transaction sent may still run: ask its receipt.")
        )
