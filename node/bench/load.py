"""
Load on a node: senders that keep frames of signed transactions in flight, or send them at fixed times; trio.

Counted is what came back as a receipt that says "done". A latency is from submission, in a paced run from the time the
frame was due, to the arrival of its last receipt.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from genesis.errors import TenorError
from node.client import Client, connect

Frame = Sequence[str]
"""Transactions as 0x-hexadecimal, sent in one message."""
HEAD_BYTES_MAX = 64 << 10


@dataclass(slots=True)
class Tally:
    """answers: arrival time, count done, latency in s; in order of arrival. refused: everything else, by reason."""

    answers: list[tuple[float, int, float]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, sent: float, receipts: Sequence[dict[str, Any]]) -> None:
        now = time.perf_counter()
        done = 0
        for receipt in receipts:
            if receipt.get("status") == "done":
                done += 1
            else:
                self.refused[str(receipt.get("reason") or receipt.get("error"))] += 1
        self.answers.append((now, done, now - sent))

    def rate(self, start: float, stop: float) -> float:
        """Done per second among answers that arrived in [start, stop)."""
        return sum(done for at, done, _ in self.answers if start <= at < stop) / (stop - start)

    def latencies(self, start: float, stop: float) -> list[float]:
        """One for each transaction, ascending."""
        return sorted(late for at, done, late in self.answers if start <= at < stop for _ in range(done))


async def saturate(
    url: str, lines: Sequence[Sequence[Frame]], in_flight: int, tally: Tally, until: float = math.inf
) -> None:
    """
    Send each line's frames over its own WebSocket in their order, `in_flight` of them unanswered at a time, until they
    end or the clock (time.perf_counter) says `until`; return when all sent are answered.
    """
    async with trio.open_nursery() as nursery:
        for frames in lines:
            nursery.start_soon(_saturate, url, iter(frames), in_flight, tally, until)


async def pace(url: str, lines: Sequence[Sequence[Frame]], frames_per_s: float, tally: Tally) -> None:
    """Send each line's frames at fixed times, all lines together frames_per_s, whatever has been answered."""
    begun = time.perf_counter() + 0.05
    async with trio.open_nursery() as nursery:
        for number, frames in enumerate(lines):
            first = begun + number / frames_per_s
            nursery.start_soon(_pace, url, frames, first, len(lines) / frames_per_s, tally)


async def post(port: int, transactions: Sequence[Sequence[str]], tally: Tally) -> None:
    """One HTTP request a transaction, one after another, over a kept connection for each sequence."""
    async with trio.open_nursery() as nursery:
        for line in transactions:
            nursery.start_soon(_post, port, line, tally)


async def _saturate(url: str, frames: Iterator[Frame], in_flight: int, tally: Tally, until: float) -> None:
    async with connect(url) as client, trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(_keep_sending, client, frames, tally, until)


async def _keep_sending(client: Client, frames: Iterator[Frame], tally: Tally, until: float) -> None:
    for frame in frames:
        if time.perf_counter() >= until:
            return
        await _send(client, frame, time.perf_counter(), tally)


async def _pace(url: str, frames: Sequence[Frame], first: float, interval_s: float, tally: Tally) -> None:
    async with connect(url) as client, trio.open_nursery() as nursery:
        for number, frame in enumerate(frames):
            due = first + number * interval_s
            await trio.sleep(max(0.0, due - time.perf_counter()))
            nursery.start_soon(_send, client, frame, due, tally)


async def _send(client: Client, frame: Frame, sent: float, tally: Tally) -> None:
    try:
        tally.note(sent, await client.request("tenor_sendTransactions", transactions=list(frame)))
    except TenorError as error:
        tally.refused[str(error)] += len(frame)


async def _post(port: int, transactions: Sequence[str], tally: Tally) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        for transaction in transactions:
            request = {"jsonrpc": "2.0", "id": 1, "method": "tenor_sendTransaction", "params": [transaction]}
            body = json.dumps(request).encode()
            head = b"POST / HTTP/1.1\r\nhost: node\r\ncontent-length: %d\r\n\r\n" % len(body)
            sent = time.perf_counter()
            await stream.send_all(head + body)
            answer = json.loads(await body_of(stream))
            tally.note(sent, [answer.get("result", answer)])


async def body_of(stream: trio.SocketStream) -> bytes:
    """The body of one HTTP response that tells its length."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < HEAD_BYTES_MAX:
        data += await stream.receive_some()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next(int(value) for name, _, value in lines if name == b"content-length")
    while len(body) < length:
        body += await stream.receive_some()
    return body
