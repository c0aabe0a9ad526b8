"""
One validator, life after life: what survives between two of them is its disk, and its key.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from genesis import crypto
from genesis.chain import Header, VoteKind
from genesis.errors import Corrupt
from genesis.membership import Readiness
from node.consensus.doors import Kept
from node.consensus.service import Consensus
from node.consensus.words import Rules, Said
from node.simulation.council import Reader
from node.simulation.disk import Disk
from node.simulation.ledger import Pace, ToyLedger
from node.simulation.scenario import Clock
from node.simulation.watch import FORK, STALLED, Watch
from p2p.memory import Hub, MemoryNetwork

EPOCH_MS = 1_700_000_000_000
TIME_AHEAD_MS_MAX = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A validator in the world. names: of all validators, by address, as this one knows them."""

    name: str
    key: bytes
    clock: Clock
    names: Mapping[bytes, str]
    join: Callable[..., MemoryNetwork]


class Life:
    """Signer and author of one life: what it signs, it signs with the key, and tells the watch."""

    def __init__(self, place: Place, disk: Disk, watch: Watch | None) -> None:
        self._place, self._disk, self._watch = place, disk, watch
        self._given: dict[tuple[VoteKind, int], Said] = {}

    @property
    def address(self) -> bytes:
        return crypto.address_of(self._place.key)

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return (self.address,)

    async def sign(self, said: Said, rules: Rules) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._watch is not None:
            self._watch.signs(self._place.name, self._given, said, self._disk.failed)
        return crypto.sign(said.digest(rules), self._place.key)

    async def propose(self, header: Header) -> bytes:
        return crypto.sign(header.proposal_digest(), self._place.key)

    async def declare(self, ready: Readiness) -> bytes:
        return crypto.sign(ready.digest(), self._place.key)

    async def probe(self) -> None:
        await trio.lowlevel.checkpoint()

    def now_ms(self) -> int:
        clock, now_ms = self._place.clock, trio.current_time() * 1000
        return EPOCH_MS + clock.offset_ms + int(now_ms * (1 + clock.drift_ppm / 1_000_000))


class Member:
    """
    An honest validator; with watch None, one whose deeds nobody looks at: an honest machine in a liar.

    height: of its newest certified block that is synced. alive: whether a life is going on. down_s: from the end of
    one to the next.
    """

    def __init__(
        self,
        place: Place,
        sets: Reader,
        hub: Hub,
        watch: Watch | None,
        dice: random.Random,
        make: Callable[..., Consensus],
        pace: Pace,
    ) -> None:
        self.place, self._sets, self._hub, self._watch, self._make, self._pace = place, sets, hub, watch, make, pace
        self.disk = Disk(dice)
        self.disk.crash = self.crash
        self.height = 0
        self.alive = False
        self.down_s = 1.0
        self.service: Consensus | None = None
        self._scope = trio.CancelScope()

    def crash(self) -> None:
        """Stop where it stands; the next life begins after `down_s`."""
        if self.alive:
            self._say("crashes")
            self._leave()
            self._scope.cancel()

    async def run(self) -> None:
        """One life after another."""
        while True:
            await self._life()
            await trio.sleep(self.down_s)

    def look(self) -> None:
        """What is on the disk of a node that does not run."""
        assert not self.alive, "the disk is in use"
        self.disk.come_back()
        if self._watch is not None:
            self._watch.comes_back(self.place.name, crypto.address_of(self.place.key), ToyLedger.read(self.disk))

    async def _life(self) -> None:
        self.look()
        self._say("starts")
        network = self._hub.join(self.place.name, self.place.join)
        self.alive, self._scope = True, trio.CancelScope()
        life = Life(self.place, self.disk, self._watch)
        peers = {who: name for who, name in self.place.names.items() if who != life.address}
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    ledger = ToyLedger(self.disk, life, self._sets, nursery, self._pace, self._kept)
                    self.height = len(ledger.chain)
                    self.service = self._make(self._sets, life, network, peers, ledger, life.now_ms, TIME_AHEAD_MS_MAX)
                    await self.service.run()
        except* Exception as errors:  # noqa: BLE001  # a life that ends of itself is a finding, whatever it ends with
            self._ends(errors)

    def _ends(self, errors: BaseExceptionGroup[Exception]) -> None:
        if self.alive:
            self._leave()
        told = ", ".join(f"{type(error).__name__}: {error}" for error in _leaves(errors))
        self._say("ends", told)
        if self._watch is None or (self.disk.failed and errors.split(Corrupt)[1] is None):
            return
        self._watch.find(FORK if errors.subgroup(Corrupt) else STALLED, f"{self.place.name} ended: {told}")

    def _leave(self) -> None:
        self.alive = False
        self._hub.crash(self.place.name)

    def _kept(self, kept: Kept) -> None:
        self.height += len(kept.committed)
        if self._watch is not None:
            self._watch.kept(self.place.name, crypto.address_of(self.place.key), kept)

    def _say(self, what: str, more: str = "") -> None:
        if self._watch is not None:
            self._watch.event(self.place.name, what, more)


def _leaves(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors in a group of groups."""
    found: list[BaseException] = []
    for error in errors.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
