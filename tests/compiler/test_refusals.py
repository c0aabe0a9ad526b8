"""Every refusal the compiler knows is shown once, with its exact text: where, what is wrong, what to write instead."""

from __future__ import annotations

from tests.compiler.golden import (
    FOLDER,
    MORE_REFUSALS,
    REFUSALS_OF_TUTORIAL,
    more_refusals,
    refusals,
    refusals_of_tutorial,
    refusals_of_types,
)
from tests.compiler.refusals import hits, places, reached, text_of

UNSHOWN = FOLDER / "refusals_unshown.txt"
"""Second nets, that something before them catches all for; each is the call that makes the error, on one line."""


def test_every_refusal_has_its_golden_text() -> None:
    with reached() as found:
        more = more_refusals()
        slips = refusals_of_tutorial()
        shown = refusals() + refusals_of_types() + slips + more
    assert more == MORE_REFUSALS.read_text()
    assert slips == REFUSALS_OF_TUTORIAL.read_text()
    assert "ACCEPTED" not in shown
    unshown = set(UNSHOWN.read_text().splitlines())
    missing = [f"{place[0]}:{place[1]}: {text_of(place)}" for place in places().keys() - hits(found)
               if text_of(place) not in unshown]  # fmt: skip
    assert missing == [], "write a source for each into refused_more.py, then `python -m tests.compiler.golden`"
