"""
The validator sets, as the settlement chain decides them and this node has read them.

Kept in the store from the moment they are known, which is before any block stands on an anchor where they hold: so a
node that starts without its settlement chain, and an auditor, know who certified what.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from genesis import codec
from genesis.errors import Corrupt, Invalid
from genesis.membership import ValidatorSet, set_at
from genesis.spec import ChainSpec
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
    sets: all that hold somewhere up to the newest anchor read, by version. keep: writes them, synced; runs on a thread.
    """

    def __init__(self, sets: tuple[ValidatorSet, ...], keep: Callable[[bytes], None]) -> None:
        self.sets, self._keep = sets, keep

    @classmethod
    def of(cls, spec: ChainSpec, store: Store) -> Membership:
        return cls(stored_sets(spec, store), lambda rows: store.put_cursors({CURSOR: rows}))

    def at(self, anchor: int) -> ValidatorSet:
        """The set that certifies blocks with an anchor at this settlement height, which has been read."""
        return set_at(self.sets, anchor)

    async def learn(self, adapter: SettlementAdapter, up_to: int, anew: bool) -> None:
        """
        Read what holds up to a settlement height. anew: from the beginning, for settlement may have taken blocks back.

        Raises:
            Unavailable, Corrupt.
        """
        known = () if anew else self.sets
        sets = (*known, *await adapter.validator_sets(len(known), up_to))
        if sets == self.sets:
            return
        if sets[0] != self.sets[0]:
            raise Corrupt("the settlement chain began with other validators than this chain's specification names")
        await trio.to_thread.run_sync(self._keep, codec.encode(tuple(one.fields() for one in sets)))
        self.sets = sets
        log.info("validators change", version=sets[-1].version, anchor=sets[-1].from_height, count=len(sets[-1].stakes))
