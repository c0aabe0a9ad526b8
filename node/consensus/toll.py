"""
How much a peer may say: beyond it nothing is read, for reading costs more than sending, and others wait meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.consensus import wire
from p2p.conduct import Bucket
from p2p.network import Peer


@dataclass(frozen=True, slots=True)
class Fare:
    """Bytes a second, and at once."""

    bytes_per_s: float
    burst_bytes: float


FARES: Mapping[str, Fare] = {wire.VOTES: Fare(256 << 10, 4 << 20), wire.BLOCKS: Fare(16 << 20, 32 << 20)}
"""
A hundred times what votes need while all goes well, and twice the longest reminder at once; five full blocks a second.
All ballots that fit, each with a signature to recover, take a fifth of a core.
"""


class Toll:
    """What each peer has said lately."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[Peer, str], Bucket] = {}

    def admits(self, peer: Peer, protocol: str, size: int, now_s: float) -> bool:
        """Whether a message of so many bytes may still be read."""
        fare = FARES[protocol]
        bucket = self._buckets.setdefault((peer, protocol), Bucket(fare.bytes_per_s, fare.burst_bytes, now_s))
        return bucket.has(size, now_s)
