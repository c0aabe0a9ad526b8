"""
The core's door to its gateway. It is opened when the node serves, or earlier, while it takes a snapshot: then it says
how that goes, to `/status`, `/metrics` and `tenor node status`, and to everybody else that the node is coming up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from genesis.errors import Unavailable
from node.consensus.reasons import WORDS, coming_up
from node.corelink import CoreLink, Handler
from node.gateway.frames import WATCH
from node.gateway_process import Gateway
from node.sync_meter import SyncMeter
from node.watch.process import process_samples
from node.watch.samples import Sample, sample
from node.watch.words import catching_up


class Entrance:
    """answer: who answers, somebody else once the node serves. nursery: in which the door stays open."""

    def __init__(self, gateway: Gateway, path: Path, sync: SyncMeter, nursery: trio.Nursery) -> None:
        self._gateway, self._path, self._sync, self._nursery = gateway, path, sync, nursery
        self.answer: Handler = self._coming_up
        self.link = CoreLink(self._handle)
        self._opening = trio.Lock()
        self._port: int | None = None

    async def open(self) -> int:
        """Where the gateway listens. May be opened twice."""
        async with self._opening:
            if self._port is None:
                await self._nursery.start(self.link.serve, self._path)
                self._port = await self._gateway.listen()
        return self._port

    async def _handle(self, method: str, payload: Any) -> Any:
        return await self.answer(method, payload)

    async def _coming_up(self, method: str, payload: Any) -> Any:
        if method == WATCH:
            return self._samples()
        if method == "tenor_getConsensus":
            return self._view()
        raise Unavailable(f"This node is coming up. {catching_up(self._sync.view(0, False))} Ask another one.")

    def _samples(self) -> list[Sample]:
        why = coming_up().word
        voting = [sample("tenor_not_voting", word == why, reason=word) for word in WORDS]
        return [*voting, *self._sync.samples(False), *process_samples("core")]

    def _view(self) -> dict[str, Any]:
        """As `Consensus.view`."""
        reason = coming_up()
        return {
            "validator": None,
            "votes": False,
            "why": reason.why,
            "remedy": reason.remedy,
            "entering": "",
            "view": 0,
            "leader": None,
            "waits_for": "a snapshot",
            "failed_views": 0,
            "certified_height": 0,
            "validators": [],
            "evidence": [],
            "counters": {},
            "sync": self._sync.view(0, False),
        }
