"""
How peers behave: points for offences, bans for many points, and the buckets that limit rates.

Points melt away with time; at POINTS_MAX a peer is banned, each time twice as long. Nothing is written to disk: a
restart forgives. All times are passed in, so this runs under any clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from p2p.network import Offence, Peer

POINTS = {
    Offence.INVALID: 20,
    Offence.FLOOD: 60,
    Offence.MALFORMED: 100,
    Offence.OVERSIZE: 100,
    Offence.FORGED: 100,
}
"""
Of each offence. What breaks the protocol or is disproven bans at once, since no honest node sends it; a flood at the
second time.
"""
POINTS_MAX = 100
"""At which a peer is banned."""
POINTS_MELTED_PER_S = 1.0
BAN_S = 30.0
"""The first ban; each further one lasts twice as long, up to BAN_S_MAX."""
BAN_S_MAX = 3_600.0
FORGIVEN_S = 86_400.0
"""Without an offence for so long, a peer's earlier bans no longer count."""
PEERS_REMEMBERED_MAX = 4_096
"""Beyond it the longest unseen is forgotten: names cost nothing, memory does."""


@dataclass(slots=True)
class Record:
    """What is held against one peer."""

    points: float = 0.0
    seen_s: float = 0.0
    bans: int = 0
    banned_until_s: float = 0.0


class Conduct:
    """The records of all peers that offended."""

    def __init__(self) -> None:
        self.offences = 0
        self.bans = 0
        self._records: OrderedDict[Peer, Record] = OrderedDict()

    def offend(self, peer: Peer, offence: Offence, now_s: float) -> bool:
        """Add an offence; return whether the peer is banned now."""
        self.offences += 1
        record = self._records.setdefault(peer, Record(seen_s=now_s))
        self._records.move_to_end(peer)
        if len(self._records) > PEERS_REMEMBERED_MAX:
            self._records.popitem(last=False)
        rest_s = now_s - record.seen_s
        record.points = max(0.0, record.points - rest_s * POINTS_MELTED_PER_S) + POINTS[offence]
        record.bans = 0 if rest_s > FORGIVEN_S else record.bans
        record.seen_s = now_s
        if record.points >= POINTS_MAX:
            record.points = 0.0
            record.banned_until_s = now_s + min(BAN_S_MAX, BAN_S * 2.0**record.bans)
            record.bans += 1
            self.bans += 1
        return self.is_banned(peer, now_s)

    def is_banned(self, peer: Peer, now_s: float) -> bool:
        return self.banned_for_s(peer, now_s) > 0

    def banned_for_s(self, peer: Peer, now_s: float) -> float:
        """Return how much of a ban is left; 0 without one."""
        record = self._records.get(peer)
        return max(0.0, record.banned_until_s - now_s) if record else 0.0

    def banned(self, now_s: float) -> tuple[Peer, ...]:
        return tuple(sorted(peer for peer in self._records if self.is_banned(peer, now_s)))


class Bucket:
    """A token bucket that may be overdrawn: who overdraws waits until the debt is paid."""

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._filled_s = now_s

    def take(self, tokens: float, now_s: float) -> float:
        """Take tokens; return how many seconds to wait before going on, 0 when there were enough."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._per_s) - tokens
        self._filled_s = now_s
        return max(0.0, -self._tokens / self._per_s)

    def has(self, tokens: float, now_s: float) -> bool:
        """Take tokens if there are as many; return whether there were."""
        if self.take(tokens, now_s) == 0:
            return True
        self._tokens += tokens
        return False
