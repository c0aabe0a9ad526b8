"""
The validator sets, as the settlement chain decides them and this node has read them.

They are read up to a block's anchor before the block is executed, and kept in the store from then on: so a node that
starts without its settlement chain, and an auditor, know who certified what and who certifies next.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from genesis import codec
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.membership import ValidatorSet, certifying, eligible
from genesis.spec import ChainSpec
from node.consensus.words import Rules, rules_of
from node.log import logger
from node.store import Store
from settlement.adapter import SettlementAdapter

CURSOR = "validators"
ROWS_BYTES_MAX = 16 << 20

log = logger("membership")


def stored_sets(spec: ChainSpec, store: Store) -> tuple[ValidatorSet, ...]:
    """By version; the first one is the spec's. Raises Corrupt."""
    row = store.cursor(CURSOR)
    if row is None:
        return (ValidatorSet(0, 0, spec.stakes),)
    try:
        return tuple(
            map(ValidatorSet.of, codec.expect_array(codec.decode(row, ROWS_BYTES_MAX), None, "Validator sets"))
        )
    except Invalid as error:
        raise Corrupt(f"the stored validator sets do not decode: {error}") from error


class Membership:
    """
    See `Sets`. sets: all that hold somewhere up to `read`, a settlement height, by version. keep: writes them, synced;
    runs on a thread.
    """

    def __init__(
        self,
        spec: ChainSpec,
        adapter: SettlementAdapter,
        sets: tuple[ValidatorSet, ...],
        keep: Callable[[bytes], None],
        read: int = 0,
    ) -> None:
        self._spec, self._adapter, self._keep = spec, adapter, keep
        self.sets, self.read = sets, read
        self._reading = trio.Lock()

    @classmethod
    def stored(cls, spec: ChainSpec, adapter: SettlementAdapter, store: Store, tip_anchor: int) -> Membership:
        """As an earlier life left them: read up to the newest block's anchor at least."""
        return cls(spec, adapter, stored_sets(spec, store), lambda rows: store.put_cursors({CURSOR: rows}), tip_anchor)

    def certifying(self, parent_anchor: int, anchor: int) -> ValidatorSet:
        """The set that certifies a block, by its parent's anchor and its own, up to which is read."""
        return certifying(self.sets, parent_anchor, anchor)

    def next(self, anchor: int) -> Rules:
        return self._rules(certifying(self.sets, anchor, max(self.read, anchor)))

    def named(self, version: int, anchor: int) -> Rules:
        if anchor > self.read:
            raise Unavailable(f"Settlement block {anchor} has not been read here; who certifies is not known.")
        for one in eligible(self.sets, 0, anchor):
            if one.version == version:
                return self._rules(one)
        raise Invalid(f"No set {version} certifies a block with anchor {anchor}.", "wrong_set")

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        await self.reach(anchor)
        return self._rules(self.certifying(parent_anchor, anchor))

    async def reach(self, anchor: int) -> None:
        """Read up to a settlement height. Raises Unavailable while it is not confirmed; Corrupt."""
        if anchor > self.read:
            head = await self._adapter.head(self._spec.confirmation_blocks)
            await self.learn(head.settlement_height)
        if anchor > self.read:
            raise Unavailable(f"Settlement block {anchor} is not confirmed as this node sees it; who certifies waits.")

    async def learn(self, up_to: int, anew: bool = False) -> None:
        """
        Read what holds up to a settlement height. anew: from the beginning, for settlement may have taken blocks back.

        Raises:
            Unavailable, Corrupt.
        """
        async with self._reading:
            known = () if anew else self.sets
            sets = (*known, *await self._adapter.validator_sets(len(known), up_to))
            if sets != self.sets:
                await self._take(sets)
            self.read = up_to if anew else max(self.read, up_to)

    async def _take(self, sets: tuple[ValidatorSet, ...]) -> None:
        if sets[0] != self.sets[0]:
            raise Corrupt("the settlement chain began with other validators than this chain's specification names")
        await trio.to_thread.run_sync(self._keep, codec.encode(tuple(one.fields() for one in sets)))
        self.sets, newest = sets, sets[-1]
        log.info("validators change", version=newest.version, anchor=newest.from_height, count=len(newest.stakes))

    def _rules(self, members: ValidatorSet) -> Rules:
        following = self.sets[members.version + 1 :]
        return rules_of(self._spec, members, following[0].from_height if following else None)
