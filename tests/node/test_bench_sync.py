"""The sync bench in small: a validator and followers as processes over TCP, by the command line; killed and back."""

from __future__ import annotations

import pytest
import trio

from node.bench.sync import Plan, measure


@pytest.mark.slow
def test_followers_come_level_and_a_killed_validator_comes_back() -> None:
    figures = trio.run(measure, Plan(orders=400, accounts=640))
    assert figures["orders"] == 400 and figures["blocks"] > 0
    assert all(figures[name] > 0 for name in ("replay_100k_s", "snapshot_100k_s", "restart_1m_accounts_s"))
