"""Who may shake hands: few at a time of each address, at a rate, and the oldest goes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps

import pytest
import trio

from p2p.tcp_bounds import (
    ACCEPTS_BURST,
    ACCEPTS_PER_S,
    ACCEPTS_TOTAL_BURST,
    HALF_OPEN_MAX,
    HALF_OPEN_PER_IP_MAX,
)
from p2p.tcp_doorway import Doorway


def in_trio(test: Callable[[], None]) -> Callable[[], None]:
    """Scopes can be cancelled only where trio runs."""

    async def main() -> None:
        test()

    @wraps(test)
    def run() -> None:
        trio.run(main)

    return run


def enter_all(doorway: Doorway, addresses: Iterable[str]) -> list[trio.CancelScope]:
    scopes = [doorway.enter(address, 0.0) for address in addresses]
    assert None not in scopes
    return [scope for scope in scopes if scope]


@in_trio
def test_one_more_of_an_address_drops_its_oldest() -> None:
    doorway = Doorway(0.0)
    (other,) = enter_all(doorway, ["192.0.2.9"])
    scopes = enter_all(doorway, ["192.0.2.1"] * (HALF_OPEN_PER_IP_MAX + 2))
    assert [scope.cancel_called for scope in scopes] == [True] * 2 + [False] * HALF_OPEN_PER_IP_MAX
    assert not other.cancel_called


@in_trio
def test_one_more_of_all_drops_the_oldest_of_the_fullest_address() -> None:
    doorway = Doorway(0.0)
    few = enter_all(doorway, ["192.0.2.1"])
    many = enter_all(doorway, ["192.0.2.2"] * HALF_OPEN_PER_IP_MAX)
    rest = enter_all(doorway, (f"198.51.100.{number}" for number in range(HALF_OPEN_MAX - HALF_OPEN_PER_IP_MAX - 1)))
    enter_all(doorway, ["203.0.113.1", "203.0.113.2"])
    assert [scope.cancel_called for scope in many] == [True] * 2 + [False] * (HALF_OPEN_PER_IP_MAX - 2)
    assert not any(scope.cancel_called for scope in few + rest)


@in_trio
def test_who_has_left_takes_no_room() -> None:
    doorway = Doorway(0.0)
    for _ in range(3):
        scopes = enter_all(doorway, ["192.0.2.1"] * HALF_OPEN_PER_IP_MAX)
        for scope in scopes:
            doorway.leave(scope)
        assert not any(scope.cancel_called for scope in scopes)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("fe80::1%eth0", "fe80::2%eth0", "fe81::1%eth0"),
    ],
)
def test_an_address_has_a_rate_and_its_neighbours_under_one_prefix_share_it(one: str, same: str, other: str) -> None:
    doorway = Doorway(0.0)
    enter_all(doorway, [one] * int(ACCEPTS_BURST))
    assert doorway.enter(same, 0.0) is None
    assert doorway.enter(other, 0.0) is not None
    assert doorway.enter(same, 1.5 / ACCEPTS_PER_S) is not None
    assert doorway.enter(same, 1.5 / ACCEPTS_PER_S) is None


def test_all_addresses_together_have_a_rate() -> None:
    doorway = Doorway(0.0)
    entered = [
        doorway.enter(f"10.0.{number % 250}.1", 0.0) is not None for number in range(int(ACCEPTS_TOTAL_BURST) + 50)
    ]
    assert entered == [True] * int(ACCEPTS_TOTAL_BURST) + [False] * 50
