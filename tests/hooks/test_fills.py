"""A program hears of its fills: in order, later, one by one; nothing is lost silently, and nobody is entered again."""

from __future__ import annotations

from typing import Any

from execution.lang import Account, Decimal
from execution.lang.bounds import FILLS_WAITING_MAX
from tests.hooks.legs import SIGNER, Legs


def venue_and_hedger() -> Legs:
    venue = Account(bytes([0xC0]) * 20)
    made = Legs({"venue": ("venue", ()), "hedger": ("hedger", (venue,))})
    made.one("hedger", "listen", True)
    return made


def hit(legs: Legs, size: int, times: int = 1) -> Any:
    return legs.call("venue", "fill", legs.account("hedger"), Decimal(size), times)


def test_a_delta_hedger_hears_of_its_fill_and_trades_it_away() -> None:
    legs = venue_and_hedger()
    assert legs.told("hedger", legs.batch(hit(legs, 5))) == []
    assert legs.told("hedger", legs.batch()) == [(1, 1, Decimal(5), 0)]
    assert legs.told("hedger", legs.batch()) == [(3, 2, Decimal(0), 0)], "of its own trade it heard in a run of its own"
    for _ in range(3):
        assert legs.told("hedger", legs.batch()) == []
    state = legs.state("hedger")
    assert (state["heard"], state["delta"]) == (2, 0)
    assert state["fees"] == (-Decimal(35) / 100).raw, "what the venue said of the fee"
    legs.seal()


def test_only_programs_that_listen_are_told() -> None:
    legs = venue_and_hedger()
    assert legs.one("venue", "hears", legs.account("hedger"))
    assert not legs.one("venue", "hears", legs.account("venue"))
    assert not legs.one("venue", "hears", Account(SIGNER))
    legs.batch(
        legs.call("venue", "fill", Account(SIGNER), Decimal(1), 3), legs.call("venue", "trade", Decimal(1), Decimal(1))
    )
    legs.one("hedger", "listen", False)
    legs.batch(hit(legs, 5))
    legs.batch()
    assert legs.state("hedger")["heard"] == 0


def test_fills_that_were_told_together_are_heard_in_one_batch_and_in_order() -> None:
    legs = venue_and_hedger()
    legs.one("hedger", "set_mode", 3)
    legs.batch(hit(legs, 1, 3), hit(legs, -2, 2))
    told = legs.told("hedger", legs.batch())
    assert [(order, delta) for _, order, delta, _ in told] == [(1, 1), (2, 2), (3, 3), (4, 1), (5, -1)]


def test_a_fill_that_fails_or_retries_holds_up_those_behind_it() -> None:
    legs = venue_and_hedger()
    legs.one("hedger", "set_mode", 1)
    legs.batch(hit(legs, 1, 2))
    failed = [sum(event.program == 0 for event in legs.batch().events) for _ in range(4)]
    assert failed == [1, 1, 0, 1]
    legs.one("hedger", "set_mode", 2)
    told = [legs.told("hedger", legs.batch()) for _ in range(5)]
    assert [[order for _, order, _, _ in one] for one in told] == [[], [], [1], [1], [1]]
    legs.one("hedger", "set_mode", 3)
    assert [order for _, order, _, _ in legs.told("hedger", legs.batch())] == [1, 2]
    legs.seal()


def test_fills_beyond_the_queue_are_counted_and_told_with_the_next() -> None:
    legs = venue_and_hedger()
    legs.one("hedger", "set_mode", 3)
    legs.batch(hit(legs, 1, FILLS_WAITING_MAX + 7))
    told = legs.told("hedger", legs.batch())
    assert len(told) == FILLS_WAITING_MAX
    assert [missed for *_, missed in told[:2]] == [7, 0]
    legs.batch(hit(legs, 1))
    assert [missed for *_, missed in legs.told("hedger", legs.batch())] == [0]
    assert legs.state("hedger")["missed"] == 7


def test_what_waits_goes_with_the_subscription_and_passes_to_a_new_handler() -> None:
    legs = venue_and_hedger()
    legs.batch(hit(legs, 1, 2), legs.call("hedger", "listen", False), legs.call("hedger", "listen", True))
    legs.batch(hit(legs, 1, 2), legs.call("hedger", "listen_otherwise"))
    legs.batch()
    legs.batch()
    assert (legs.state("hedger")["heard"], legs.state("hedger")["delta"]) == (2, 0)


def test_a_fill_that_is_given_up_counts_as_missed() -> None:
    legs = venue_and_hedger()
    legs.one("hedger", "set_mode", 1)
    legs.batch(hit(legs, 1, 2))
    failures = 0
    while failures < 16:
        failures += sum(event.program == 0 for event in legs.batch().events)
    legs.one("hedger", "set_mode", 3)
    told = [one for _ in range(3) for one in legs.told("hedger", legs.batch())]
    assert [(order, missed) for _, order, _, missed in told] == [(2, 1)]


def test_fills_roll_back_and_run_again_alike() -> None:
    legs = venue_and_hedger()
    legs.seal()
    signed = [[legs.signed(hit(legs, 2, 40))], [], [legs.signed(hit(legs, -1, 3))], [], []]

    def block(engine: Any) -> bytes:
        for batch in signed:
            engine.apply(legs.opening, batch)
        root: bytes = engine.seal().state_root
        return root

    for engine in (legs.machine, legs.mirror):
        first = block(engine)
        engine.rollback(legs.height - 1)
        assert block(engine) == first
