"""Offences, bans and rates, without a clock."""

from __future__ import annotations

import pytest

from p2p.conduct import BAN_S, BAN_S_MAX, FORGIVEN_S, PEERS_REMEMBERED_MAX, POINTS, POINTS_MAX, Bucket, Conduct
from p2p.network import Offence


def test_what_no_honest_node_sends_bans_at_once() -> None:
    conduct = Conduct()
    assert conduct.offend("a", Offence.MALFORMED, 0)
    assert conduct.is_banned("a", BAN_S - 1)
    assert not conduct.is_banned("a", BAN_S)
    assert not conduct.is_banned("b", 0)


def test_points_melt() -> None:
    conduct, pause_s = Conduct(), float(POINTS[Offence.INVALID])
    assert not any(conduct.offend("a", Offence.INVALID, number * pause_s) for number in range(1_000))
    times = POINTS_MAX // POINTS[Offence.INVALID]
    assert [conduct.offend("b", Offence.INVALID, 0) for _ in range(times)] == [False] * (times - 1) + [True]


def test_each_ban_lasts_twice_as_long_until_the_longest() -> None:
    conduct, now_s, lengths_s = Conduct(), 0.0, []
    for _ in range(12):
        conduct.offend("a", Offence.OVERSIZE, now_s)
        lengths_s.append(conduct.banned_for_s("a", now_s))
        now_s += lengths_s[-1]
    assert lengths_s[:4] == [BAN_S, 2 * BAN_S, 4 * BAN_S, 8 * BAN_S]
    assert max(lengths_s) == lengths_s[-1] == BAN_S_MAX
    assert conduct.bans == conduct.offences == 12


def test_earlier_bans_are_forgiven_after_a_day_without_offence() -> None:
    conduct = Conduct()
    for now_s in (0.0, 1_000.0, 1_000.0 + FORGIVEN_S + 1):
        conduct.offend("a", Offence.MALFORMED, now_s)
    assert conduct.banned_for_s("a", 1_000.0 + FORGIVEN_S + 1) == BAN_S


def test_memory_of_peers_is_bounded() -> None:
    conduct = Conduct()
    for number in range(2 * PEERS_REMEMBERED_MAX):
        conduct.offend(f"peer {number}", Offence.MALFORMED, 0)
    assert len(conduct.banned(1)) == PEERS_REMEMBERED_MAX
    assert conduct.is_banned(f"peer {2 * PEERS_REMEMBERED_MAX - 1}", 1)


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(per_s=10, burst=5, now_s=0)
    assert [bucket.take(1, 0) for _ in range(7)] == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2])
    assert bucket.take(1, 1) == 0
    assert bucket.take(5, 100) == 0
    assert bucket.take(1, 100) == pytest.approx(0.1)


def test_a_bucket_that_is_asked_first_is_not_overdrawn() -> None:
    bucket = Bucket(per_s=1, burst=2, now_s=0)
    assert [bucket.has(1, 0) for _ in range(5)] == [True, True, False, False, False]
    assert bucket.has(1, 1)
