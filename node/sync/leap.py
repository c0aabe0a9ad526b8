"""
A node that runs and has fallen far behind: notices it, and has the node begin again, from a snapshot.

What peers claim makes it look, never stop: that does a header so far ahead that the present validators have certified,
seen twice, while blocks are run all the time. A node that begins again in vain rests before the next attempt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import trio

from genesis.errors import Unavailable
from genesis.spec import ChainSpec
from node.log import logger
from node.membership import Membership
from node.store import Store
from node.sync.joining import OFFERS_WAIT_S, Joining
from node.sync_meter import SyncMeter
from p2p.network import Network, Peer
from settlement.adapter import SettlementAdapter

LOOK_S = 2.0
RUNS_ANYWAY = 10
"""A node that runs goes on until it lacks so many times the blocks for which one that starts takes a snapshot."""
STUCK_LOOKS = 5
"""So often without a block: then blocks are pruned for this node, whoever claims to have them."""
REST_S, REST_S_MAX = 60.0, 3_600.0
"""After beginning again; twice as long each time."""

log = logger("sync")


class Lagging(Protocol):
    """A life. peers: validators' addresses → names in the network."""

    @property
    def peers(self) -> Mapping[bytes, Peer]: ...

    def lags(self) -> bool:
        """Whether it seems to lack many blocks, or such as are pruned where it asks."""
        ...


@dataclass(slots=True)
class Leaps:
    """
    Of one process, over its lives. due: to begin again. behind_blocks: how far behind a snapshot is taken then. rest_s:
    for so long none may follow, from not_before_s on, by the loop's clock, it may.
    """

    due: bool = False
    behind_blocks: int = 1
    rest_s: float = REST_S
    not_before_s: float = -math.inf

    def begin(self, behind_blocks: int) -> None:
        now_s = trio.current_time()
        if now_s - self.not_before_s > REST_S_MAX:
            self.rest_s = REST_S
        self.due, self.behind_blocks, self.not_before_s = True, behind_blocks, now_s + self.rest_s
        self.rest_s = min(2 * self.rest_s, REST_S_MAX)


class Leap:
    """behind_blocks: how far behind a node that starts takes a snapshot."""

    def __init__(
        self,
        spec: ChainSpec,
        store: Store,
        network: Network,
        adapter: SettlementAdapter,
        behind_blocks: int,
        life: Lagging,
        leaps: Leaps,
        meter: SyncMeter,
    ) -> None:
        self._meter = meter
        self._spec, self._store, self._network, self._adapter = spec, store, network, adapter
        self._behind_blocks, self._life, self._leaps = behind_blocks, life, leaps

    async def wait_due(self) -> None:
        """Until this node has to begin again; `Leaps` says how."""
        head, stuck, seen = self._store.head(), 0, 0
        while seen < 2:
            await trio.sleep(LOOK_S)
            stuck = stuck + 1 if self._store.head() == head else 0
            head = self._store.head()
            lags = self._life.lags() and trio.current_time() >= self._leaps.not_before_s
            behind = 1 if stuck >= STUCK_LOOKS else RUNS_ANYWAY * self._behind_blocks
            seen = seen + 1 if lags and await self._is_ahead(behind) else 0
        self._leaps.begin(min(behind, self._behind_blocks))
        log.warning("the others are far ahead; this node begins again, from a snapshot", height=head)

    async def _is_ahead(self, behind_blocks: int) -> bool:
        """Whether a snapshot is offered so far ahead, and its header is certified."""
        membership = Membership.stored(self._spec, self._adapter, self._store, 0)
        joining = Joining(self._spec, self._store, self._network, self._life.peers, self._meter)
        await joining.ask(OFFERS_WAIT_S, membership.sets[-1].stakes)
        if not joining.worth(behind_blocks):
            return False
        with suppress(Unavailable):
            head = await self._adapter.head(self._spec.confirmation_blocks)
            await membership.learn(head.settlement_height)
        return await joining.is_proven(membership.sets, behind_blocks)
