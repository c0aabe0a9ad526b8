"""The engine bench in small: it measures what it says, on a chain that really trades."""

from __future__ import annotations

import pytest

from node.bench import engine, venue, workload


@pytest.fixture(scope="module")
def small(request: pytest.FixtureRequest) -> engine.Figures:
    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)
    patch.setattr(engine, "BATCH_ORDERS", 256)
    patch.setattr(workload, "RESTING_AT_FIRST", 300)
    return engine.measure(calls=8, accounts=400, blocks=2, block_ms=20)


def test_orders_fill_rest_and_cancel_and_none_is_refused(small: engine.Figures) -> None:
    assert small["fill_share"] >= 0.3
    assert small["rested"] > 0
    assert small["cancelled"] > 0
    assert small["refused"] == 0


def test_every_part_of_the_work_is_counted(small: engine.Figures) -> None:
    assert small["root_share"] > 0
    assert small["store_share"] > 0
    assert small["host_share"] > 0
    assert small["gas_per_order"] > 500
    assert small["pages_per_block"] > 0


def test_the_same_seed_draws_the_same_orders() -> None:
    def drawn() -> list[bytes]:
        chain = venue.open_venue(engine.Machine(engine.standard_plan), 8)
        stream = workload.Workload(chain, 4, seed=3)
        return [call.arguments for signed in stream.transactions(5) for call in signed.transaction.calls]

    assert drawn() == drawn()
