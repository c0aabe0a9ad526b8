"""A hook goes on where it stopped: the cursor is its own state, RETRY its next turn."""

from __future__ import annotations

from execution.lang import Decimal
from tests.hooks.legs import Legs


def test_a_walk_over_thousands_of_entries_goes_on_from_batch_to_batch() -> None:
    legs = Legs({"walker": ("walker", ())})
    for _ in range(3):
        legs.one("walker", "fill", 1000)
    legs.batch(legs.call("walker", "start"))
    legs.seal()
    rounds = 0
    while legs.state("walker")["cursor"] >= 0:
        legs.batch()
        rounds += 1
        if rounds == 15:
            legs.seal()
    legs.batch()
    state = legs.state("walker")
    assert state["rounds"] == rounds + 1 == 3000 // 100 + 1
    assert state["total"] == Decimal(3000 * 2999 // 2).raw
    legs.seal()
