"""
Outcomes of mutants, one JSON object a line, and what they sum up to.

A mutant is drawn and tried with the quick tests of its area. One that survives is tried again with all of them, those
included that were written since. Outcomes of mutants that later sources no longer hold stay: they were drawn and tried
alike; a survivor among them cannot be tried again and counts as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.mutate import AREAS, Mutant
from tests.mutants.reasons import ALIVE, EQUIVALENT

FILE = Path(__file__).with_name("results.jsonl")


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    by: what killed it when it was drawn, a test or a difference of the fuzzer; "" when it survived.
    since: what kills it now, of one that survived; "" when nothing does.
    seconds: how long `by` took to fail, or all of them to pass, on whatever machine and load.
    """

    name: str
    before: str
    after: str
    area: str
    by: str
    seconds: float
    since: str = ""

    def is_of(self, mutant: Mutant) -> bool:
        return (self.name, self.before, self.after) == (mutant.name, mutant.before, mutant.after)

    @property
    def killed(self) -> bool:
        return bool(self.by or self.since)

    @property
    def equivalent(self) -> bool:
        return self.name in EQUIVALENT


def read() -> list[Outcome]:
    return [Outcome(**json.loads(line)) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def append(outcome: Outcome) -> None:
    with FILE.open("a") as file:
        file.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")


def replace(outcomes: Iterable[Outcome]) -> None:
    FILE.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in outcomes))


def summary(outcomes: list[Outcome]) -> str:
    """Figures by area, and who survived. A mutant that is the same program cannot be killed and is not counted."""
    rows = [f"{'area':10} {'drawn':>6} {'equivalent':>11} {'killed when drawn':>18} {'killed now':>16}"]
    for area in (*AREAS, "all"):
        found = [one for one in outcomes if area in (one.area, "all")]
        alive = [one for one in found if not one.equivalent]
        then, now = sum(bool(one.by) for one in alive), sum(one.killed for one in alive)
        ratio = [f"{count} ({count / max(len(alive), 1):.1%})" for count in (then, now)]
        rows.append(f"{area:10} {len(found):6} {len(found) - len(alive):11} {ratio[0]:>18} {ratio[1]:>16}")
    survived = sorted((one for one in outcomes if not one.by), key=lambda one: (one.equivalent, bool(one.since)))
    for one in survived:
        why = f"equal: {EQUIVALENT[one.name]}" if one.equivalent else one.since or f"ALIVE: {ALIVE.get(one.name, '')}"
        rows.append(f"{one.name}: {one.before} → {one.after}: {why}")
    return "\n".join(rows)
