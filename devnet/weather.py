"""
Which faults a seed draws for a devnet of several validators, one after another.

Between two faults all is well again, so that never more than one node is at fault, which is the most that four bear;
but for a total outage, where all are killed at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["kill", "pause", "cut", "hush", "skew", "restart", "outage"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTS = (6, 4, 4, 3, 2, 3, 1)
LEADER_SHARE = 0.5
"""How often the fault is the leader's, whoever that is then."""
HOLD_S_MIN, HOLD_S_MAX = 0.3, 5.0
CALM_S_MIN, CALM_S_MAX = 0.5, 3.0
SKEW_MS_MAX = 3_000


@dataclass(frozen=True, slots=True)
class Fault:
    """
    kill: SIGKILL, and away for hold_s. pause: SIGSTOP. cut, hush: parted from the others, see `wires`. skew: started
    again with a clock that is skew_ms ahead. restart: SIGTERM. outage: all killed.

    node: None is whoever leads. calm_s: from when all is well again to the next fault.
    """

    kind: Kind
    node: int | None
    hold_s: float
    calm_s: float
    skew_ms: int


def draw(seed: int, validators: int) -> Iterator[Fault]:
    """Faults without end, the same for the same seed."""
    source = random.Random(f"chaos {seed}")
    while True:
        (kind,) = source.choices(KINDS, WEIGHTS)
        node = source.randrange(validators)
        leads = source.random() < LEADER_SHARE
        hold_s, calm_s = source.uniform(HOLD_S_MIN, HOLD_S_MAX), source.uniform(CALM_S_MIN, CALM_S_MAX)
        yield Fault(kind, None if leads else node, hold_s, calm_s, source.randint(-SKEW_MS_MAX, SKEW_MS_MAX))
