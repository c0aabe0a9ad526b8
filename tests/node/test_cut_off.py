"""Whoever leads is cut off again and again: what clients send anywhere is answered, runs, and runs once."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import pytest
import trio

from genesis.errors import Invalid, Unavailable
from node.programs import Programs
from tests.node.running import transaction
from tests.node.test_validators import COUNT, FOUR, Town, play

SPEC = replace(FOUR, lease_views=3)
SENDERS, LANES, CUTS = range(6, 10), (1, 2, 3), 5
PAID = b"paid" * 5


async def certified(town: Town, one: bytes) -> bool:
    try:
        return (await town.members[0].client.receipt(one)).stage in ("certified", "posted", "final")
    except Unavailable:
        return False  # it is to run once more
    except Invalid as error:
        assert error.code == "not_found"
        return False


@pytest.mark.slow
def test_each_transaction_is_answered_and_runs_once_while_leaders_are_cut_off(tmp_path: Path) -> None:
    dice = random.Random(1)

    async def test(town: Town) -> None:
        await town.grown(0, 2)
        pay = (await Programs.load(town.members[0].client))["bank"].call("transfer", 0, PAID, "1")
        done, over = [], trio.Event()

        async def trade(key: int, lane: int) -> None:
            """One after another: in a lane nothing can run after what came later."""
            for sequence in count():
                if over.is_set():
                    return
                sent = transaction(key, [pay], lane=lane, sequence=sequence)
                receipt = await town.members[dice.randrange(COUNT)].client.send(sent)
                assert receipt.status == "done", receipt
                while not await certified(town, receipt.transaction):
                    await trio.sleep(0.02)
                done.append(receipt.transaction)

        async with trio.open_nursery() as nursery:
            for key, lane in product(SENDERS, LANES):
                nursery.start_soon(trade, key, lane)
            for _ in range(CUTS):
                await trio.sleep(dice.uniform(0.2, 0.8))
                alone = await town.leader()
                town.hub.partition([[f"v{alone}"], [f"v{number}" for number in range(COUNT) if number != alone]])
                await trio.sleep(dice.choice((0.05, 0.3, 1.2)))
                town.hub.heal()
            over.set()
        await town.level()
        assert (await town.members[0].client.account(PAID))["balances"]["USD"] == str(len(done))

    play(tmp_path, test, SPEC)
