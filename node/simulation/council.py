"""
The settlement chain in the simulation, as far as consensus asks it: which validators certify, and from when on.

Its height follows the world's time; each node reads it late, by a lag of its own. Sets are decided before the world
begins, and known to a node when it has read up to where they hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import trio

from genesis.errors import Invalid, Unavailable
from genesis.membership import ValidatorSet, certifying
from node.consensus.words import Rules

BLOCK_S = 0.5


@dataclass(frozen=True, slots=True)
class Council:
    """sets: by version. rules: those that all of them share."""

    sets: Sequence[ValidatorSet]
    rules: Rules

    def known(self) -> Mapping[int, Rules]:
        """The rules of every set, wherever it ends."""
        return {one.version: self._rules(one, self.sets) for one in self.sets}

    def certifying(self, parent_anchor: int, anchor: int, read: int | None = None) -> Rules:
        """Of the set that certifies a block, as who has read so far sees it; None: as it is."""
        sets = self.sets if read is None else [one for one in self.sets if one.from_height <= read]
        return self._rules(certifying(sets, parent_anchor, anchor), sets)

    def _rules(self, members: ValidatorSet, sets: Sequence[ValidatorSet]) -> Rules:
        until = [one.from_height for one in sets if one.version == members.version + 1]
        return replace(self.rules, stakes=members.stakes, version=members.version, until=until[0] if until else None)


class Reader:
    """One node's view of it, life after life: see `Sets`. lag_s: how late it reads."""

    def __init__(self, council: Council, lag_s: float) -> None:
        self._council, self._lag_s = council, lag_s

    def height(self) -> int:
        """Up to which it has read."""
        return max(0, int((trio.current_time() - self._lag_s) / BLOCK_S))

    def next(self, anchor: int) -> Rules:
        read = max(self.height(), anchor)
        return self._council.certifying(anchor, read, read)

    def named(self, version: int, anchor: int) -> Rules:
        if anchor > self.height():
            raise Unavailable("That settlement block is not known here; ask again when it is.")
        if version not in (one.version for one in self._council.sets if one.from_height <= anchor):
            raise Invalid("There is no such set yet.", "wrong_set")
        return self._council.known()[version]

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        await self.reach(anchor)
        return self._council.certifying(parent_anchor, anchor, self.height())

    async def reach(self, anchor: int) -> None:
        """Raises Unavailable while it is not read."""
        await trio.lowlevel.checkpoint()
        if anchor > self.height():
            raise Unavailable("That settlement block is not known here; ask again when it is.")
