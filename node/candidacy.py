"""
A validator's way into the set: once its key is registered and this node could vote, settlement is told so.

The key signs its `Readiness` over the newest commitment that settlement and this node both have. That is handed in,
anew whenever it came to nothing, until settlement has a set with the key; once the chain has come to that set, nothing
is asked any more. The key of a set votes as before meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from genesis.errors import Invalid, Unavailable
from genesis.membership import Readiness, ValidatorSet
from genesis.spec import ChainSpec
from node.batcher import Stages
from node.consensus.doors import Signer
from node.log import logger
from node.recovery import stored_header
from node.store import Store
from settlement.actions import Activate
from settlement.adapter import SettlementAdapter

HEIGHT_MAX = (1 << 63) - 1
_DIGITS = dict.fromkeys(map(ord, "0123456789"))

log = logger("candidacy")


class Candidacy:
    """told: what a registered key waits for before it is in the set; "" while none waits."""

    def __init__(
        self,
        spec: ChainSpec,
        adapter: SettlementAdapter,
        store: Store,
        signer: Signer,
        stages: Stages,
        unready: Callable[[], str],
        sets: Callable[[], Sequence[ValidatorSet]],
        anchor: Callable[[], int],
        poll_s: float,
    ) -> None:
        """
        Args:
            unready: what would keep this node's votes from counting, "" for nothing.
            sets: those that this node has read, by version. anchor: of the chain's newest block.
        """
        self._spec, self._adapter, self._store, self._signer, self._stages = spec, adapter, store, signer, stages
        self._unready, self._sets, self._anchor, self._poll_s = unready, sets, anchor, poll_s
        self._postings: dict[bytes, bytes] = {}
        self.told = ""

    async def run(self) -> None:
        """Until every key has entered, or for ever; an outage of settlement is waited out."""
        while keys := [key for key in self._signer.addresses if not self._entered(key)]:
            try:
                self._tell(await self._look(keys))
            except Unavailable as error:
                self._tell(str(error) if self.told else "")
            await trio.sleep(self._poll_s)
        self._tell("")

    def _entered(self, key: bytes) -> bool:
        """Whether the chain has come to a set with a key, which it may have left since."""
        anchor = self._anchor()
        return any(key in one.stakes and one.from_height <= anchor for one in self._sets())

    def _tell(self, told: str) -> None:
        if told and told.translate(_DIGITS) != self.told.translate(_DIGITS):  # heights that grow are no news
            log.info("registered, waiting to enter", waits_for=told)
        self.told = told

    async def _look(self, keys: Sequence[bytes]) -> str:
        known = self._sets()
        sets = (*known, *await self._adapter.validator_sets(len(known), HEIGHT_MAX))
        pending = await self._adapter.pending_validators()
        told = []
        for key in keys:
            coming = [one.from_height for one in sets if key in one.stakes]
            if coming:
                told.append(f"the set that it is in begins with settlement block {coming[0]}")
            elif key in pending:
                told.append(await self._get_in(key))
        return "; ".join(told)

    async def _get_in(self, key: bytes) -> str:
        """Say that a pending key is ready, if it is and nothing said before is on its way; what it waits for."""
        if lacks := self._unready():
            return f"this node could not vote yet: {lacks}"
        posted, settled = self._stages.posted, self._stages.settled
        if not posted or posted < settled:
            return f"this node has {posted} of the {settled} blocks that settlement holds; it says so when it has all"
        posting = self._postings.get(key)
        if posting is None or await self._adapter.standing(posting) != "pending":
            row = await trio.to_thread.run_sync(self._store.header, posted)
            if row is None:
                return f"this node's blocks begin above block {posted}, the newest that settlement holds"
            ready = Readiness(self._spec.chain_id, key, posted, stored_header(row)[0].hash())
            try:
                signature = await self._signer.declare(ready)
            except (Invalid, Unavailable) as error:
                return f"its signer does not say that it is ready: {error}"
            try:
                activate = Activate(key, ready.height, ready.block_hash, signature)
                self._postings[key] = await self._adapter.activate(activate)
            except (Invalid, Unavailable) as error:
                return f"settlement does not take in that it is ready: {error}"
            log.info("told settlement that this validator is ready", key=key.hex(), height=posted)
        return "settlement was told that it is ready; one of its next blocks takes that in"
