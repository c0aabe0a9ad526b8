"""
One seed from beginning to end: a network of validators, a story of misfortunes, health, and a last look at the disks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from genesis import crypto
from genesis.membership import ValidatorSet
from node.consensus.service import Consensus
from node.consensus.words import Rules
from node.simulation import scheduler, toy
from node.simulation.council import Council, Reader
from node.simulation.ear import Ear
from node.simulation.ledger import Pace
from node.simulation.liars import lie_of
from node.simulation.lies import Liar
from node.simulation.member import Member, Place
from node.simulation.mouth import Mouth
from node.simulation.scenario import Act, Break, Change, Crash, Kind, Part, Scenario, Slow, draw
from node.simulation.watch import DOUBLE_SIGNATURE, FORK, STALLED, Finding, Watch
from p2p.memory import Hub, Weather, open_memory_network

TIMEOUT_MS = 500
TIMEOUT_MS_MAX = 4_000
HEALTHY = Weather(0.005, 0.005)
SYNC_S = 0.001
RECOVERY_S = 30.0
"""Virtual; so long after the world is well all honest validators must have `RECOVERY_BLOCKS` new blocks."""
RECOVERY_BLOCKS = 12
GLANCE_S = 0.25
PASSES_MAX = 200_000
"""Rounds of trio's scheduler; a seed takes 20,000."""
VOTE_S = 1.0
"""So long a crash waits for its vote."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed showed. digest: of all events in order. height: certified in the end. virtual_s: how long it took."""

    seed: int
    findings: tuple[Finding, ...]
    digest: str
    height: int
    virtual_s: float
    trace: tuple[str, ...]


def simulate(seed: int, traced: bool = False, make: Callable[..., Consensus] = Consensus) -> Outcome:
    """Run one seed; make: the service of the honest."""
    return play(draw(seed), traced, make)


def play(scenario: Scenario, traced: bool = False, make: Callable[..., Consensus] = Consensus) -> Outcome:
    return scheduler.run(lambda: _live(scenario, traced, make), scenario.seed)


async def _live(scenario: Scenario, traced: bool, make: Callable[..., Consensus]) -> Outcome:
    keys = [crypto.sha256(b"simulated validator %d" % number) for number in range(len(scenario.clocks))]
    council = _council(scenario, [crypto.address_of(key) for key in keys])
    watch = Watch(council, frozenset(crypto.address_of(keys[number]) for number in scenario.honest), traced)
    trio.lowlevel.add_instrument(_Patience(watch))
    async with open_memory_network(scenario.seed, HEALTHY) as hub:
        world = World(scenario, keys, council, hub, watch, make)
        with watch.stop:
            async with trio.open_nursery() as nursery:
                for member in (*world.honest.values(), *world.others):
                    nursery.start_soon(member.run)
                await world.story()
                await world.recover()
                world.check_evidence()
                world.end()
                nursery.cancel_scope.cancel()
        if not watch.findings:
            for member in world.honest.values():
                member.look()
    height = len(watch.chain) - 1
    return Outcome(
        scenario.seed, tuple(watch.findings), watch.digest(), height, trio.current_time(), tuple(watch.trace)
    )


def _council(scenario: Scenario, addresses: list[bytes]) -> Council:
    rules = Rules(toy.CHAIN, {}, 0, scenario.lease_views, TIMEOUT_MS, TIMEOUT_MS_MAX)
    return Council(
        [
            ValidatorSet(version, one.height, {addresses[number]: stake for number, stake in one.stakes.items()})
            for version, one in enumerate(scenario.sets)
        ],
        rules,
    )


class _Patience(trio.abc.Instrument):
    """Ends a run whose tasks never rest: virtual time stands still while anybody works."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._left = watch, PASSES_MAX

    def before_io_wait(self, timeout: float) -> None:
        self._left -= 1
        if self._left == 0:
            self._watch.find(STALLED, f"{PASSES_MAX} rounds of the scheduler and no end: somebody spins")


class World:
    """honest: nodes by number. others: machines within liars, two for twins."""

    def __init__(
        self,
        scenario: Scenario,
        keys: list[bytes],
        council: Council,
        hub: Hub,
        watch: Watch,
        make: Callable[..., Consensus],
    ) -> None:
        self._scenario, self._keys, self._council, self._hub, self._watch = scenario, keys, council, hub, watch
        self._make = make
        self.honest = {number: self._honest(number) for number in scenario.honest}
        self.others = [member for number, kind in scenario.liars.items() for member in self._liar(number, kind)]

    # Who lives here

    def _honest(self, number: int) -> Member:
        join = partial(Ear, watch=self._watch)
        return self._member(number, name(number), self._names(number), join, self._watch, self._make)

    def _liar(self, number: int, kind: Kind) -> list[Member]:
        """The honest machines in a liar; twins are two with one key, each known to half of the others."""
        join: Callable[..., Ear] = partial(Ear, watch=self._watch)
        if kind is Kind.TWINS:
            return [
                self._member(number, twin, self._half(number, side), join, None, Consensus)
                for side, twin in enumerate((name(number), twin_of(number)))
            ]
        others = tuple(name(other) for other in range(len(self._keys)) if other != number)
        liar = Liar(self._council.known(), self._keys[number], self._dice(f"lies {number}"), others)
        join = partial(Mouth, watch=self._watch, lie=lie_of(kind, liar))
        return [self._member(number, name(number), self._names(number), join, None, Consensus)]

    def _member(
        self,
        number: int,
        known_as: str,
        names: dict[bytes, str],
        join: Callable[..., Ear],
        watch: Watch | None,
        make: Callable[..., Consensus],
    ) -> Member:
        clock = self._scenario.clocks[number]
        place, sets = Place(known_as, self._keys[number], clock, names, join), Reader(self._council, clock.lag_s)
        member = Member(place, sets, self._hub, watch, self._dice(f"disk {known_as}"), make, Pace())
        member.disk.sync_s = SYNC_S
        return member

    def _names(self, mine: int) -> dict[bytes, str]:
        """What everybody is called by one of them: half of them know of a pair of twins only the second."""
        names = {}
        for number, key in enumerate(self._keys):
            twins = self._scenario.liars.get(number) is Kind.TWINS and mine % 2 == 1
            names[crypto.address_of(key)] = twin_of(number) if twins else name(number)
        return names

    def _half(self, number: int, side: int) -> dict[bytes, str]:
        known = {crypto.address_of(key): name(one) for one, key in enumerate(self._keys) if one % 2 == side}
        return {**known, crypto.address_of(self._keys[number]): name(number)}

    def _dice(self, what: str) -> random.Random:
        return random.Random(f"{what} of {self._scenario.seed}")

    # What befalls them

    async def story(self) -> None:
        for pause_s, act in self._scenario.story:
            await trio.sleep(pause_s)
            self._watch.event("*", str(act))
            if isinstance(act, Crash) and act.delay_s is not None:
                await self._watch.wait_for_vote(VOTE_S)
                await trio.sleep(act.delay_s)
            self._befall(act)

    def _befall(self, act: Act) -> None:
        match act:
            case Crash(down_s, _):
                for number, seconds in down_s.items():
                    self.honest[number].down_s = seconds
                    self.honest[number].crash()
            case Break(number, fault, down_s):
                self.honest[number].down_s = down_s
                self.honest[number].disk.faults.append(fault)
            case Slow(number, sync_s):
                self.honest[number].disk.sync_s = sync_s
            case Part(side):
                twins = (number for number, kind in self._scenario.liars.items() if kind is Kind.TWINS)
                self._hub.partition([[*map(name, sorted(side)), *(twin_of(n) for n in twins if n not in side)]])
            case Change(weather):
                self._hub.set_weather(weather)

    async def recover(self) -> None:
        """All is well; wait until all honest validators have new blocks. A stall if they do not."""
        self._watch.event("*", "all is well")
        self._hub.heal()
        self._hub.set_weather(HEALTHY)
        for member in self.honest.values():
            member.disk.faults.clear()
            member.disk.sync_s = SYNC_S
        wanted = len(self._watch.chain) - 1 + RECOVERY_BLOCKS
        end_s = trio.current_time() + RECOVERY_S
        while min(member.height for member in self.honest.values()) < wanted:
            if trio.current_time() > end_s:
                heights = {member.place.name: member.height for member in self.honest.values()}
                self._watch.find(STALLED, f"{RECOVERY_S:.0f} s after all was well height {wanted} is not: {heights}")
            await trio.sleep(GLANCE_S)

    def check_evidence(self) -> None:
        """Nobody honest is accused by anybody honest, and nobody honest disagrees with a quorum."""
        for member in self.honest.values():
            service = member.service
            assert service is not None, "every member has lived"
            accused = {first.signer for first, _ in service.evidence} | {one.proposer for one, _ in service.exposed}
            for address in sorted(accused & self._watch.honest):
                self._watch.find(DOUBLE_SIGNATURE, f"{member.place.name} has evidence against {address.hex()[:8]}")
            if service.diverged is not None:
                self._watch.find(FORK, f"{member.place.name} disagrees with height {service.diverged.height}")

    def end(self) -> None:
        """Everybody stops where he stands."""
        for member in self.honest.values():
            member.crash()


def name(number: int) -> str:
    return f"v{number}"


def twin_of(number: int) -> str:
    return f"v{number}'"
