"""
A process that reads: JSON-RPC batches of view calls over HTTP, at a fixed rate, from several addresses of this machine.

`python -m node.bench.read_load PORT PACE`: PACE is a `Pace` as one JSON object. It prints one JSON line at the end.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import trio

from node.bench.load import body_of


@dataclass(frozen=True, slots=True)
class Pace:
    """
    calls_per_s: of all connections together, each of which has one request in flight. batch: calls of one request.
    method and calls: asked for in turn, an object of parameters each.
    """

    calls_per_s: float
    seconds: float
    calls: list[dict[str, Any]]
    method: str = "tenor_call"
    connections: int = 64
    batch: int = 20


class Readers:
    """answers: how many, by "ok" or the word of the refusal. late_s: from the time a request was due to its answer."""

    def __init__(self, port: int, pace: Pace) -> None:
        self._port, self._pace = port, pace
        self._calls = cycle(pace.calls)
        self.answers: Counter[str] = Counter()
        self.late_s: list[float] = []

    async def run(self) -> dict[str, Any]:
        begun = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(self._pace.connections):
                nursery.start_soon(self._connection, number, begun)
        took = time.perf_counter() - begun
        late = sorted(self.late_s)
        done = self.answers.pop("ok", 0)
        return {
            "reads_per_s": round(done / took),
            "refused_per_s": round(sum(self.answers.values()) / took),
            "refused": dict(self.answers),
            "read_p99_ms": round(late[int(0.99 * len(late))] * 1e3, 2),
        }

    async def _connection(self, number: int, begun: float) -> None:
        """Each from an address of its own, as far as the system has several for itself."""
        pace = self._pace
        source = f"127.0.0.{2 + number}" if sys.platform == "linux" else None
        interval_s = pace.batch * pace.connections / pace.calls_per_s
        due = begun + interval_s * number / pace.connections
        async with await trio.open_tcp_stream("127.0.0.1", self._port, local_address=source) as stream:
            while due < begun + pace.seconds:
                await trio.sleep(max(0.0, due - time.perf_counter()))
                await stream.send_all(self._request())
                for answer in json.loads(await body_of(stream)):
                    self.answers[answer["error"]["data"]["code"] if "error" in answer else "ok"] += 1
                self.late_s.append(time.perf_counter() - due)
                due = max(due + interval_s, time.perf_counter() - 1)  # what it is behind by more, is lost

    def _request(self) -> bytes:
        calls = enumerate(islice(self._calls, self._pace.batch))
        members = [{"jsonrpc": "2.0", "id": n, "method": self._pace.method, "params": params} for n, params in calls]
        body = json.dumps(members, separators=(",", ":")).encode()
        return b"POST / HTTP/1.1\r\nhost: node\r\ncontent-length: %d\r\n\r\n" % len(body) + body


if __name__ == "__main__":
    print(json.dumps(trio.run(Readers(int(sys.argv[1]), Pace(**json.loads(sys.argv[2]))).run)))
