"""Whole nodes while their validator set changes: who joins votes, who leaves follows, and what is lost is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.crypto import sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.membership import STAKE_UNIT, possession_digest
from node.audit import audit
from settlement.actions import Action, Announce, Claim, Exit, Register, Replace, RotateKey
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local
from tests.node.running import ADMIN, SETTLEMENT_BLOCK_MS
from tests.node.test_validators import COUNT, FOUR, KEYS, Town, play

SPEC = replace(
    FOUR,
    validators_delay_blocks=2,
    confirmation_blocks=1,
    challenge_blocks=2,
    exit_blocks=4,
    replace_blocks=4,
    lease_views=4,
    commitment_blocks=2,
)
JOINING, ROTATED = 15, 11
"""ROTATED is the key that the last of the first four goes on under."""
OWNER = development_address(6)
REST_S = 0.5
"""Ten times what a block that has its votes takes to become certified."""


@asynccontextmanager
async def settlement_of(town: Town) -> AsyncIterator[LocalSettlement]:
    async with open_local(town.folder / "settlement.sqlite", Terms.of(town.spec), SETTLEMENT_BLOCK_MS) as settlement:
        yield settlement


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    while not (answer := await holds()):
        await trio.sleep(0.02)
    return answer


async def act(settlement: LocalSettlement, sender: bytes, action: Action) -> int:
    """Have a block take an action in; the version of the newest set from then on."""
    posting = await settlement.act(sender, action, b"")

    async def taken() -> bool:
        return await settlement.standing(posting) in ("posted", "final")

    await until(taken)
    return (await settlement.validator_sets(0, 10**9))[-1].version


async def certified_by(town: Town, number: int, version: int) -> None:
    """Wait until a node has a block of a set, or of one after it."""

    async def there() -> bool:
        info = await town.members[number].client.chain_info()
        return bool(info["height"] and (await town.members[number].client.block())["validators"] >= version)

    await until(there)


def consent(key: int, owner: bytes) -> bytes:
    return sign(possession_digest(SPEC.chain_id, owner), development_key(key))


async def leads(town: Town, number: int, key: int) -> None:
    """Wait until a node has a block from now on that a key proposed; views may fail meanwhile."""
    client, height = town.members[number].client, await town.height(number)
    proposer = ""
    while proposer != named(key):
        height += 1
        while await town.height(number) < height:
            await trio.sleep(0.02)
        proposer = (await client.block(height))["proposer"]


async def votes(town: Town, number: int) -> dict[str, Any]:
    """Wait until a node votes; how it stands."""
    while not (view := await town.members[number].client.consensus())["votes"]:
        await trio.sleep(0.02)
    return view


async def paid(town: Town, number: int) -> None:
    """A transfer sent to one node; wait until its block is certified there: whoever leads next knows its sequence."""
    receipt = await town.pay(number)
    assert receipt.status == "done"
    while await town.height(number) < receipt.height:
        await trio.sleep(0.02)
    await town.grown(number, 2)


def named(key: int) -> str:
    return "0x" + development_address(key).hex()


@pytest.mark.slow
def test_validators_join_rotate_and_leave_while_the_chain_goes_on(tmp_path: Path) -> None:
    keys = (*KEYS, JOINING)

    async def test(town: Town) -> None:
        await town.start(COUNT)
        async with settlement_of(town) as settlement:
            await settlement.fund(OWNER, 0, STAKE_UNIT)
            await town.grown(COUNT, 3)
            view = await town.members[COUNT].client.consensus()
            assert not view["votes"] and "not in validator set 0" in view["why"]

            await act(settlement, OWNER, Register(development_address(JOINING), 1, consent(JOINING, OWNER)))
            await certified_by(town, COUNT, 1)
            await votes(town, COUNT)
            await paid(town, COUNT)

            town.next_keys[3] = ROTATED
            await town.kill(3)
            await town.start(3)
            old = development_address(KEYS[3])
            await act(settlement, old, RotateKey(old, development_address(ROTATED), consent(ROTATED, old)))
            await certified_by(town, 3, 2)
            assert (await votes(town, 3))["validator"] == named(ROTATED)
            await leads(town, 0, ROTATED)
            await leads(town, 0, JOINING)
            await paid(town, 3)

            await town.kill(COUNT)
            version = await act(settlement, OWNER, Exit(development_address(JOINING)))
            await certified_by(town, 0, version)
            await town.start(COUNT)
            await certified_by(town, COUNT, version)
            view = await town.members[COUNT].client.consensus()
            assert not view["votes"] and f"not in validator set {version}" in view["why"]
            await paid(town, COUNT)
            await town.level()

            async def given_back() -> bool:
                return await settlement.balance(OWNER, 0) == STAKE_UNIT

            await until(lambda: claimed(settlement))
            await until(given_back)
            await settlement.audit()

    play(tmp_path, test, SPEC, keys)
    for number in (1, 3, COUNT):
        report = audit(tmp_path / str(number), SPEC, lambda *_: None)
        assert report.passed, report.first_difference


@pytest.mark.slow
def test_survivors_go_on_under_the_set_that_replaces_a_lost_one(tmp_path: Path) -> None:
    keys = (*KEYS, JOINING)

    async def test(town: Town) -> None:
        await town.start(COUNT)
        async with settlement_of(town) as settlement:
            await paid(town, 0)
            for dead in (1, 2, 3):
                await town.kill(dead)
            stuck = await quiet(town, settlement)
            await settlement.fund(OWNER, 0, 2 * STAKE_UNIT)
            await settlement.deposit(OWNER, 0, STAKE_UNIT, b"waits")
            joins = Register(development_address(JOINING), 1, consent(JOINING, OWNER))
            await act(settlement, OWNER, joins)
            await until(lambda: known(settlement, JOINING))
            await act(settlement, development_address(ADMIN), Announce(tuple(map(development_address, KEYS[1:COUNT]))))
            assert await town.height(0) == stuck, "who joins a lost set does not save it"
            version = await until(lambda: replaced(settlement))
            await certified_by(town, 0, version)
            block = await town.members[0].client.block(stuck + 1)
            (holding,) = await settlement.validator_sets(version, 10**9)
            assert block["validators"] == version and block["anchor"] >= holding.from_height
            assert set(holding.stakes) == {development_address(KEYS[0]), development_address(JOINING)}
            await paid(town, 0)
            await paid(town, COUNT)

            async def settled() -> bool:
                info = await town.members[0].client.chain_info()
                credited = (await town.members[0].client.account(OWNER))["balances"]
                return bool(info["final_height"] > stuck + 1 and credited)

            await until(settled)
            await town.start(2)
            await certified_by(town, 2, version)
            assert not (await town.members[2].client.consensus())["votes"]
            await town.level()
            await settlement.audit()

    play(tmp_path, test, SPEC, keys)
    for number in (0, 2, COUNT):
        report = audit(tmp_path / str(number), SPEC, lambda *_: None)
        assert report.passed, report.first_difference


async def known(settlement: LocalSettlement, key: int) -> bool:
    """Whether a set with a key holds or is to come."""
    return development_address(key) in (await settlement.validator_sets(0, 10**9))[-1].stakes


async def quiet(town: Town, settlement: LocalSettlement) -> int:
    """Wait until nothing is on its way any more and what the survivor has certified is posted; where it stands."""

    async def at_rest() -> int:
        height, blocks = await town.height(0), SPEC.commitment_blocks
        await trio.sleep(REST_S)
        at_rest = await town.height(0) == height
        return height if at_rest and await settlement.standing(height - height % blocks) in ("posted", "final") else 0

    height: int = await until(at_rest)
    return height


async def replaced(settlement: LocalSettlement) -> int:
    """The version of the set that takes the lost one's place, once its time-lock is over; 0 until then."""
    try:
        return await act(settlement, OWNER, Replace())
    except Invalid as error:
        assert error.code == "time_lock"
        return 0


async def claimed(settlement: LocalSettlement) -> bool:
    """Ask for the stake back; whether it may be had yet."""
    try:
        await settlement.act(OWNER, Claim(development_address(JOINING)), b"")
    except Invalid as error:
        assert error.code == "still_held"
        return False
    return True
