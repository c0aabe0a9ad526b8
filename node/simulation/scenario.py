"""
What a seed draws: validators and their stakes, who of them lies and how, who comes and goes, clocks, disks, and a story
of misfortunes.

All of it is data, so that a replay can print it. Liars hold less than a third of the stake; everything else may
befall all at once, for after the story the world is well again, and then every honest validator must go on.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from node.simulation.disk import Fault
from p2p.memory import Weather

VALIDATORS = (4, 7)
ACTS = (8, 14)
LEASES = (2, 4, 8)
"""Views; short, so that everybody leads."""
OFFSET_MS_MAX = 400
DRIFT_PPM_MAX = 2_000
"""Of a clock; ten times what a bad quartz does."""
PAUSE_S = (0.05, 1.2)
"""Between two acts."""
DOWN_S = (0.02, 0.3, 1.8)
"""Shortest, middle and longest time from the end of a life to the next."""

DELAY_S_MAX = 0.04
CHANGES_MAX = 3
"""Of the validator set."""
CHANGE_BLOCKS = (1, 5)
"""Settlement blocks from one change to the next."""
MEMBERS_MIN = 3
LAG_S_MAX = 0.4
"""How late a node reads settlement, in a world whose validators change."""


class Kind(StrEnum):
    """Ways of being byzantine; what each does is in `lies`, of twins in `world`."""

    SILENT = "silent"
    EQUIVOCATOR = "equivocator"
    MISCOUNTER = "miscounter"
    PROPHET = "prophet"
    CONFLICTER = "conflicter"
    NULLER = "nuller"
    OUTDATED = "outdated"
    IMPERSONATOR = "impersonator"
    USURPER = "usurper"
    RANGES = "liar about ranges"
    ALL = "all of these"
    TWINS = "twins"


@dataclass(frozen=True, slots=True)
class Clock:
    """A node's wall clock against the world's. lag_s: how late it reads settlement."""

    offset_ms: int = 0
    drift_ppm: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Crash:
    """
    These stop where they are, and start again after a while, each after its own. delay_s: since the next vote to
    notarise that anybody gives; None for at once.
    """

    down_s: Mapping[int, float]
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class Break:
    """The next sync of a disk goes wrong; its owner, brought down by that, starts again after a while."""

    number: int
    fault: Fault
    down_s: float


@dataclass(frozen=True, slots=True)
class Slow:
    """A disk takes that long for a sync, from now on."""

    number: int
    sync_s: float


@dataclass(frozen=True, slots=True)
class Part:
    """The network falls into two: these, and the others. Nobody: it is whole again."""

    side: frozenset[int]


@dataclass(frozen=True, slots=True)
class Change:
    """Another weather."""

    weather: Weather


Act = Crash | Break | Slow | Part | Change


@dataclass(frozen=True, slots=True)
class Later:
    """A validator set after the first, by number, and the settlement height from which on it holds."""

    height: int
    stakes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    stakes: of the first validators. clocks: of all nodes, those of later validators included. story: acts, each with
    the pause before it in seconds.
    """

    seed: int
    stakes: tuple[int, ...]
    liars: Mapping[int, Kind]
    clocks: tuple[Clock, ...]
    lease_views: int
    story: tuple[tuple[float, Act], ...]
    later: tuple[Later, ...] = ()

    @property
    def honest(self) -> tuple[int, ...]:
        return tuple(number for number in range(len(self.clocks)) if number not in self.liars)

    @property
    def sets(self) -> tuple[Later, ...]:
        """All, the first included."""
        return (Later(0, dict(enumerate(self.stakes))), *self.later)


def draw(seed: int) -> Scenario:
    dice = random.Random(f"scenario {seed}")
    count = dice.randint(*VALIDATORS)
    stakes = tuple(dice.choice((1, 1, 2, 3)) for _ in range(count)) if dice.random() < 0.4 else (1,) * count
    liars = _liars(dice, stakes)
    clocks = tuple(
        Clock(dice.randint(-OFFSET_MS_MAX, OFFSET_MS_MAX), dice.randint(-DRIFT_PPM_MAX, DRIFT_PPM_MAX)) for _ in stakes
    )
    honest = tuple(number for number in range(count) if number not in liars)
    acts = range(dice.randint(*ACTS))
    story = tuple((dice.uniform(*PAUSE_S), _act(dice, count, honest)) for _ in acts)
    scenario = Scenario(seed, stakes, liars, clocks, dice.choice(LEASES), story)
    return with_changes(scenario) if dice.random() < 0.5 else scenario


def with_changes(scenario: Scenario) -> Scenario:
    """The same with validators that join, leave, and go on under another key, which is another node here."""
    dice = random.Random(f"changes {scenario.seed}")
    now, height, later = dict(enumerate(scenario.stakes)), 0, list[Later]()
    newest = len(now)
    for _ in range(dice.randint(1, CHANGES_MAX)):
        height += dice.randint(*CHANGE_BLOCKS)
        match dice.choice(("join", "leave", "rotate")):
            case "join":
                now, newest = {**now, newest: dice.randint(1, 2)}, newest + 1
            case "rotate":
                gone = dice.choice(list(now))
                now, newest = {**_without(now, gone), newest: now[gone]}, newest + 1
            case _:
                left = _without(now, dice.choice(list(now)))
                fit = 3 * sum(stake for number, stake in left.items() if number in scenario.liars) < sum(left.values())
                now = left if fit and len(left) >= MEMBERS_MIN else {**now, newest: 1}
                newest = max(newest, *(number + 1 for number in now))
        later.append(Later(height, now))
    clocks = (*scenario.clocks, *(Clock() for _ in range(newest - len(scenario.clocks))))
    lagging = tuple(replace(clock, lag_s=dice.uniform(0, LAG_S_MAX)) for clock in clocks)
    story = list(scenario.story)
    for number in range(len(scenario.clocks), newest):
        crash = Crash({number: _down_s(dice)}, _delay_s(dice))
        story.insert(dice.randrange(len(story) + 1), (dice.uniform(*PAUSE_S), crash))
    return replace(scenario, clocks=lagging, later=tuple(later), story=tuple(story))


def _without(stakes: Mapping[int, int], gone: int) -> dict[int, int]:
    return {number: stake for number, stake in stakes.items() if number != gone}


def _liars(dice: random.Random, stakes: tuple[int, ...]) -> dict[int, Kind]:
    """As many as may be, one time in six none; in random order while less than a third of the stake lies."""
    liars: dict[int, Kind] = {}
    if dice.random() < 1 / 6:
        return liars
    for number in dice.sample(range(len(stakes)), len(stakes)):
        if 3 * sum(stakes[one] for one in (*liars, number)) < sum(stakes):
            liars[number] = dice.choice(list(Kind))
    return dict(sorted(liars.items()))


def _act(dice: random.Random, count: int, honest: tuple[int, ...]) -> Act:
    one = dice.choice(honest)
    match dice.randrange(12):
        case 0 | 1:
            return Crash({one: _down_s(dice)}, _delay_s(dice))
        case 2:
            return Crash({number: _down_s(dice) for number in honest}, _delay_s(dice))
        case 3 | 4 | 5 | 6:
            return Break(one, dice.choice(list(Fault)), _down_s(dice))
        case 7:
            return Slow(one, dice.choice((0.001, 0.02, 0.1, 0.3)))
        case 8:
            return Part(frozenset(number for number in range(count) if dice.random() < 0.5))
        case 9:
            return Part(frozenset())
        case _:
            return Change(_weather(dice))


def _down_s(dice: random.Random) -> float:
    """Short as often as long."""
    shortest, middle, longest = DOWN_S
    return dice.uniform(shortest, middle) if dice.random() < 0.5 else dice.uniform(middle, longest)


def _delay_s(dice: random.Random) -> float | None:
    """Mostly in the middle of a view, where most may be lost."""
    return dice.uniform(0, DELAY_S_MAX) if dice.random() < 0.7 else None


def _weather(dice: random.Random) -> Weather:
    """The worst is as slow as a time-out, so that views are given up while their votes are on the way."""
    latency_s = dice.choice((0.001, 0.01, 0.05, 0.2))
    return Weather(latency_s, latency_s * dice.uniform(0, 4), *(dice.choice((0.0, 0.1, 0.3)) for _ in range(3)))
