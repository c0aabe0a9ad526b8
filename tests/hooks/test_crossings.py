"""Handlers that wait for a price at or beyond a level: once, in order, whatever the price does meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Decimal, Feed
from execution.lang.bounds import CROSSED_MAX, CROSSED_TURN_MAX
from tests.hooks.legs import FEED, Legs

STOPS: dict[str, tuple[str, tuple[Any, ...]]] = {"oracle": ("oracle", ()), "stops": ("stops", ())}
ONE = Decimal(1)


def levels(legs: Legs, result: Any) -> list[Decimal]:
    return [level for _, level, _, _ in legs.told("stops", result)]


def test_a_stop_order_is_triggered_once_by_a_price_at_or_beyond_its_level() -> None:
    legs = Legs(STOPS)
    legs.batch(*legs.say(100))
    sell = legs.one("stops", "sell", FEED, Decimal(95), Decimal(2))
    buy = legs.one("stops", "buy", FEED, Decimal(105), Decimal(3))
    assert (sell, buy) == (1, 2)
    legs.batch(*legs.say(Decimal("95.01")))
    assert legs.told("stops", legs.batch(*legs.say(95))) == []
    assert legs.told("stops", legs.batch()) == [(1, Decimal(95), Decimal(95), Decimal(-2))]
    legs.batch(*legs.say(94))
    assert legs.told("stops", legs.batch(*legs.say(110))) == [], "it was once"
    assert legs.told("stops", legs.batch()) == [(2, Decimal(105), Decimal(110), Decimal(3))]
    assert legs.state("stops")["stops"] == []
    legs.seal()


def test_programs_take_turns_and_each_hears_its_own_in_order() -> None:
    legs = Legs(STOPS | {"two": ("stops", ()), "three": ("stops", ())})
    for name, count in (("stops", 5), ("two", 2), ("three", 1)):
        for step in range(count):
            legs.one(name, "buy", FEED, Decimal(101 + step), ONE)
    legs.batch(*legs.say(200))
    result = legs.batch()
    assert [one.program for one in result.events] == [2, 3, 4, 2, 3, 2, 2, 2]
    assert levels(legs, result) == [Decimal(101 + step) for step in range(5)]
    legs.seal()


def test_a_price_that_moved_back_before_the_handlers_turn_counts() -> None:
    legs = Legs(STOPS)
    legs.one("stops", "buy", FEED, Decimal(105), ONE)
    legs.one("stops", "sell", FEED, Decimal(95), ONE)
    legs.batch(*legs.say(100, 106, 90, 100))
    assert legs.told("stops", legs.batch()) == [
        (1, Decimal(105), Decimal(100), ONE),
        (2, Decimal(95), Decimal(100), -ONE),
    ]


def test_a_level_that_is_crossed_already_waits_for_the_next_publication() -> None:
    legs = Legs(STOPS)
    legs.batch(*legs.say(110))
    legs.batch(legs.call("stops", "buy", FEED, Decimal(105), ONE))
    assert levels(legs, legs.batch()) == [] == levels(legs, legs.batch())
    legs.batch(*legs.say(108))
    assert levels(legs, legs.batch()) == [Decimal(105)]


def test_a_price_published_before_the_subscription_does_not_count_even_in_the_same_batch() -> None:
    legs = Legs(STOPS)
    legs.batch(*legs.say(110), legs.call("stops", "buy", FEED, Decimal(105), ONE))
    assert levels(legs, legs.batch()) == [] == levels(legs, legs.batch())
    legs.batch(*legs.say(100))
    assert levels(legs, legs.batch()) == []


def test_a_halted_quote_is_no_price() -> None:
    legs = Legs(STOPS)
    legs.one("stops", "buy", FEED, Decimal(105), ONE)
    legs.batch(legs.call("oracle", "halt", FEED, Decimal(200)))
    assert levels(legs, legs.batch()) == []
    legs.batch(*legs.say(105))
    assert levels(legs, legs.batch()) == [Decimal(105)]


def test_the_nearest_levels_come_first_and_equal_ones_in_order_of_subscription() -> None:
    legs = Legs(STOPS)
    for number, level in enumerate((107, 105, 106, 105, 104, 105)):
        legs.one("stops", "buy", FEED, Decimal(level), ONE * number)
    for number, level in enumerate((-5, 95, 90, 95)):
        legs.one("stops", "sell", FEED, Decimal(level), ONE * number)
    legs.batch(*legs.say(106, -4))
    told = [(level, abs(size)) for _, level, _, size in legs.told("stops", legs.batch())]
    above = [(104, 4), (105, 1), (105, 3), (105, 5), (106, 2)]
    assert told == [(Decimal(a), Decimal(b)) for a, b in (*above, (95, 1), (95, 3), (90, 2))]
    legs.batch(*legs.say(-5))
    assert levels(legs, legs.batch()) == [Decimal(-5)]


def test_a_crossing_is_withdrawn_in_time_and_by_its_own_program_only() -> None:
    legs = Legs({**STOPS, "others": ("stops", ())})
    numbers = [legs.one("stops", "buy", FEED, Decimal(105), ONE) for _ in range(4)]
    assert not legs.one("others", "withdraw", numbers[0])
    assert legs.one("stops", "withdraw", numbers[1])
    assert not legs.one("stops", "withdraw", numbers[1])
    assert not legs.one("stops", "withdraw", 77)
    legs.batch(*legs.say(105))
    told = legs.told("stops", legs.batch())
    assert [number for number, *_ in told] == [numbers[0], *numbers[2:]]
    assert not legs.one("stops", "withdraw", numbers[2])


def test_what_is_due_can_still_be_withdrawn_as_long_as_it_has_not_run() -> None:
    legs = Legs(STOPS)
    number = legs.one("stops", "buy", FEED, Decimal(105), ONE)
    legs.one("stops", "set_mode", 1)
    legs.batch(*legs.say(105))
    legs.batch()
    assert legs.one("stops", "withdraw", number), "it failed and is put off"
    legs.one("stops", "set_mode", 0)
    for _ in range(6):
        assert legs.told("stops", legs.batch()) == []


def test_retry_makes_it_due_again_and_a_failure_later() -> None:
    legs = Legs(STOPS)
    legs.one("stops", "buy", FEED, Decimal(105), ONE)
    legs.one("stops", "set_mode", 2)
    legs.batch(*legs.say(105, 100))
    assert [len(levels(legs, legs.batch())) for _ in range(3)] == [1, 1, 1]
    legs.one("stops", "set_mode", 1)
    ran = [sum(event.program == 0 for event in legs.batch().events) for _ in range(9)]
    assert ran == [1, 1, 0, 1, 0, 0, 0, 1, 0]
    legs.one("stops", "set_mode", 0)
    ran = [len(levels(legs, legs.batch())) for _ in range(9)]
    assert sum(ran) == 1


def test_a_handler_that_subscribes_anew_waits_for_the_next_price() -> None:
    legs = Legs(STOPS)
    legs.one("stops", "buy", FEED, Decimal(105), ONE)
    legs.one("stops", "set_mode", 3)
    legs.batch(*legs.say(106))
    assert [len(levels(legs, legs.batch())) for _ in range(3)] == [1, 0, 0]
    legs.batch(*legs.say(107))
    assert [len(levels(legs, legs.batch())) for _ in range(3)] == [1, 0, 0]


def test_a_jump_over_more_levels_than_a_batch_has_room_for_goes_on_and_starves_nobody() -> None:
    legs = Legs({**STOPS, "others": ("stops", ())})
    count = CROSSED_MAX + 3 * CROSSED_TURN_MAX
    for start in range(0, count, 512):
        step = Decimal("0.001")
        legs.batch(legs.call("stops", "many", FEED, 100 + step * start, step, min(512, count - start)))
    for _ in range(3):
        legs.one("others", "buy", Feed(9), Decimal(50), ONE)
    legs.batch(*legs.say(200, 90), legs.call("oracle", "say", Feed(9), Decimal(51)))
    legs.batch()
    assert legs.state("others")["triggered"] == 3, "the other feed had its turn"
    first = legs.state("stops")["triggered"]
    assert CROSSED_MAX - 3 <= first <= CROSSED_MAX
    late = legs.one("stops", "buy", FEED, Decimal(150), ONE)
    assert legs.state("stops")["triggered"] == count, "the price was back, but they were crossed"
    assert levels(legs, legs.batch()) == [], "who came after that price is not meant"
    legs.batch(*legs.say(151))
    assert [number for number, *_ in legs.told("stops", legs.batch())] == [late]
    legs.seal()


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_crossings_roll_back_and_run_again_alike(mode: int) -> None:
    legs = Legs(STOPS)
    for level in (105, 105, 107, 111):
        legs.one("stops", "buy", FEED, Decimal(level), ONE)
    legs.one("stops", "set_mode", mode)
    legs.seal()
    batches = [[*legs.say(106)], [], [*legs.say(108, 95)], []]
    signed = [[legs.signed(call) for call in batch] for batch in batches]

    def block(engine: Any) -> bytes:
        for batch in signed:
            engine.apply(legs.opening, batch)
        root: bytes = engine.seal().state_root
        return root

    for engine in (legs.machine, legs.mirror):
        first = block(engine)
        engine.rollback(legs.height - 1)
        assert block(engine) == first
