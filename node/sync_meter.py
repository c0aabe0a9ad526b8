"""How a node comes level with the others, in numbers: for `/metrics`, `/status` and `tenor node status`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from node.watch.samples import Sample, sample

Phase = Literal["replays", "snapshot", "blocks", "level"]
PHASES: tuple[Phase, ...] = get_args(Phase)
TAU_S = 5.0
"""Over about so long the rate is taken."""


@dataclass(slots=True)
class SyncMeter:
    """
    Since the node started.

    begun: "replays" while it comes back to its own newest block, "snapshot" while it takes one, then "" while it runs.
    target: height that validators with more than a third of the stake said to have when they were last asked. pieces,
    pieces_total: of the newest snapshot, those that are here, an earlier life's too, and all. received: bytes of blocks
    and snapshots. peers: asked at a time. lies: peers whose answers were disproven.
    """

    begun: Literal["replays", "snapshot", ""] = "replays"
    target: int = 0
    pieces: int = 0
    pieces_total: int = 0
    received: int = 0
    peers: int = 0
    lies: int = 0
    _recent: float = 0.0
    _at_s: float = 0.0

    def came(self, size: int) -> None:
        """So many bytes. From one thread."""
        self.received += size
        self._recent = TAU_S * self.rate() + size

    def rate(self) -> float:
        """Bytes a second of late."""
        now_s = time.monotonic()
        self._recent *= math.exp((self._at_s - now_s) / TAU_S)
        self._at_s = now_s
        return self._recent / TAU_S

    def phase(self, lags: bool) -> Phase:
        return self.begun or ("blocks" if lags else "level")

    def view(self, height: int, lags: bool) -> dict[str, Any]:
        """As `tenor_getConsensus` has it. lags: of a node that runs, whether it lacks many blocks."""
        return {
            "phase": self.phase(lags),
            "height": height,
            "target": max(self.target, height),
            "pieces": self.pieces,
            "pieces_total": self.pieces_total,
            "bytes": self.received,
            "bytes_per_s": int(self.rate()),
            "peers": self.peers,
            "lies": self.lies,
        }

    def samples(self, lags: bool) -> Iterator[Sample]:
        for phase in PHASES:
            yield sample("tenor_catch_up_phase", phase == self.phase(lags), phase=phase)
        yield sample("tenor_catch_up_target_height", self.target)
        yield sample("tenor_catch_up_pieces", self.pieces, state="here")
        yield sample("tenor_catch_up_pieces", self.pieces_total, state="all")
        yield sample("tenor_catch_up_bytes_total", self.received)
        yield sample("tenor_catch_up_bytes_per_second", self.rate())
        yield sample("tenor_catch_up_peers", self.peers)
        yield sample("tenor_catch_up_lies_total", self.lies)
