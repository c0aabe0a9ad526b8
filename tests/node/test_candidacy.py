"""Who registers enters when its node is ready: until then the chain goes on without it, and so does an old key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis import codec
from genesis.crypto import recover
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.membership import STAKE_UNIT, Readiness, ValidatorSet
from genesis.spec import Validator
from node.batcher import Stages
from node.candidacy import Candidacy
from node.consensus.doors import Signer, Withheld
from node.consensus.signer import KeySigner, Successive
from settlement.actions import Exit, Register, RotateKey
from settlement.adapter import Committed
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local
from tests.node.running import SPEC as ALONE
from tests.node.test_handover import (
    JOINING,
    OWNER,
    ROTATED,
    SPEC,
    act,
    certified_by,
    consent,
    known,
    leads,
    named,
    paid,
    settlement_of,
    until,
    votes,
)  # fmt: skip
from tests.node.test_validators import COUNT, KEYS, Town, play
from tests.settlement.test_adapter_contract import Chain

MANY_BLOCKS = 12 * SPEC.validators_delay_blocks
"""Settlement blocks in which whoever enters by the passing of time would have entered long ago."""


# Whole nodes


async def gone_on(town: Town, settlement: LocalSettlement, number: int) -> None:
    """Wait until a node has certified a block whose anchor lies MANY_BLOCKS ahead of settlement's newest."""
    wanted = (await settlement.head()).settlement_height + MANY_BLOCKS
    await town.grown(number, 1)
    while (await town.members[number].client.block())["anchor"] < wanted:
        await town.grown(number, 1)


@pytest.mark.slow
def test_a_stake_of_half_whose_node_never_starts_stops_nobody_and_votes_once_it_does(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        async with settlement_of(town) as settlement:
            await settlement.fund(OWNER, 0, COUNT * STAKE_UNIT)
            await act(settlement, OWNER, Register(development_address(JOINING), COUNT, consent(JOINING, OWNER)))
            await gone_on(town, settlement, 0)
            await paid(town, 0)
            assert not await known(settlement, JOINING)
            await town.start(COUNT)
            await certified_by(town, COUNT, 1)  # which half of the stake cannot do alone
            view = await votes(town, COUNT)
            assert (view["validator"], view["entering"]) == (named(JOINING), "")
            await leads(town, 0, JOINING)
            await paid(town, COUNT)
            await town.level()

    play(tmp_path, test, SPEC, (*KEYS, JOINING))


@pytest.mark.slow
def test_an_old_key_votes_until_the_node_of_the_new_one_is_there(tmp_path: Path) -> None:
    """Its stake is a half: without either key the chain stands still."""
    heavy = (*SPEC.validators[:3], Validator(development_address(KEYS[3]), 3))
    old, new = development_address(KEYS[3]), development_address(ROTATED)

    async def test(town: Town) -> None:
        async with settlement_of(town) as settlement:
            await act(settlement, old, RotateKey(old, new, consent(ROTATED, old)))
            await gone_on(town, settlement, 0)
            await paid(town, 0)
            assert (await votes(town, 3))["validator"] == named(KEYS[3])
            assert await settlement.pending_validators() == {new: 3}
            town.next_keys[3] = ROTATED
            await town.kill(3)
            await town.start(3)
            await certified_by(town, 0, 1)
            await leads(town, 0, ROTATED)
            assert (await votes(town, 3))["validator"] == named(ROTATED)
            await paid(town, 3)
            await town.level()

    play(tmp_path, test, replace(SPEC, validators=heavy))


# One candidacy, on a settlement chain whose blocks come when the test says so


class Stored:
    """Of a store, the headers."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}

    def header(self, height: int) -> bytes | None:
        return self.rows.get(height)


class Balky(KeySigner):
    """A signer with a reason not to sign."""

    why = ""

    async def declare(self, ready: Readiness) -> bytes:
        if self.why:
            raise Withheld(self.why)
        return await super().declare(ready)


@dataclass
class Stage:
    settlement: LocalSettlement
    candidacy: Candidacy
    signer: Balky
    stages: Stages
    store: Stored
    chain: Chain
    now_ms: list[int]
    anchor: list[int]
    sets: list[ValidatorSet]
    lacks: list[str]

    def blocks(self, count: int) -> None:
        self.now_ms[0] += 500 * count

    async def commit(self) -> Committed:
        """One more commitment, taken in, of blocks that the node has."""
        made = self.chain.commit(await self.settlement.head(), keys=(0,))
        await self.settlement.submit(made)
        self.blocks(1)
        self.store.rows[made.last_height] = codec.encode((made.header.fields(), b"", made.certificate.fields()))
        self.stages.posted = self.stages.settled = made.last_height
        return await self.settlement.committed()

    async def register(self, key: int = JOINING) -> None:
        await self.settlement.fund(OWNER, 0, STAKE_UNIT)
        await self.settlement.act(OWNER, Register(development_address(key), 1, consent(key, OWNER)), b"")
        self.blocks(1)

    async def tells(self, text: str) -> None:
        async def told() -> bool:
            return text in self.candidacy.told if text else not self.candidacy.told

        await until(told)

    async def is_coming(self) -> None:
        self.blocks(1)
        await until(lambda: known(self.settlement, JOINING))


@asynccontextmanager
async def staged(folder: Path, signer: Signer | None = None) -> AsyncIterator[Stage]:
    now_ms, store, stages, lacks, anchor = [0], Stored(), Stages(), [""], [0]
    sets = [ValidatorSet(0, 0, ALONE.stakes)]
    own = Balky(development_key(JOINING))
    terms = Terms.of(ALONE)
    async with open_local(folder / "settlement.sqlite", terms, 500, lambda: now_ms[0]) as settlement:
        candidacy = Candidacy(
            ALONE, settlement, store, signer or own, stages, lambda: lacks[0], lambda: sets, lambda: anchor[0], 0.005
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(candidacy.run)
            yield Stage(settlement, candidacy, own, stages, store, Chain(), now_ms, anchor, sets, lacks)
            nursery.cancel_scope.cancel()


def rehearse(folder: Path, test: Callable[[Stage], Awaitable[Any]]) -> None:
    async def main() -> None:
        with trio.fail_after(120):
            async with staged(folder) as stage:
                await test(stage)

    trio.run(main)


def test_it_says_what_a_registered_key_waits_for(tmp_path: Path) -> None:
    async def test(s: Stage) -> None:
        await s.commit()
        s.lacks[0] = "it is catching up"
        await s.register()
        await s.tells("could not vote yet: it is catching up")
        s.lacks[0], s.stages.posted = "", 0
        await s.tells("has 0 of the 4 blocks")
        s.stages.posted, s.signer.why = 4, "a check failed: disk"
        await s.tells("does not say that it is ready: a check failed: disk")
        s.store.rows.clear()
        await s.tells("begin above block 4")
        await s.commit()
        s.signer.why = ""
        await s.tells("settlement was told that it is ready")
        await s.is_coming()
        await s.tells("begins with settlement block")
        s.sets[:] = [*await s.settlement.validator_sets(0, 10**9)]
        await trio.sleep(0.05)
        assert "begins with" in s.candidacy.told, "the chain has not come to it yet"
        s.anchor[0] = s.sets[1].from_height
        await s.tells("")

    rehearse(tmp_path, test)


def test_nothing_is_told_of_a_key_that_nobody_has_registered(tmp_path: Path) -> None:
    async def test(s: Stage) -> None:
        await s.commit()
        await s.settlement.set_outage(True)
        await trio.sleep(0.05)
        await s.settlement.set_outage(False)
        await trio.sleep(0.05)
        assert s.candidacy.told == ""

    rehearse(tmp_path, test)


def test_it_goes_on_after_an_outage_and_says_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(s: Stage) -> None:
        said, lost = 0, True
        activate = s.settlement.activate

        async def counted(ready: Any) -> bytes:
            nonlocal said
            if lost:
                raise Unavailable("lost on the way")
            said += 1
            return await activate(ready)

        monkeypatch.setattr(s.settlement, "activate", counted)
        await s.commit()
        await s.register()
        await s.tells("lost on the way")
        lost = False
        await s.tells("was told")
        await s.settlement.set_outage(True)
        await s.tells("cannot be reached")
        await s.settlement.set_outage(False)
        await s.tells("was told")
        assert said == 1
        await s.is_coming()

    rehearse(tmp_path, test)


def test_what_came_to_nothing_is_said_anew(tmp_path: Path) -> None:
    """A reorganisation undoes it, with the commitment it named."""

    async def test(s: Stage) -> None:
        s.blocks(2)
        await s.settlement.head()
        lost = s.chain.commit(await s.settlement.head(), keys=(0,))
        await s.settlement.submit(lost)
        s.chain.height = 0
        s.blocks(1)
        s.store.rows[4] = codec.encode((lost.header.fields(), b"", lost.certificate.fields()))
        s.stages.posted = s.stages.settled = 4
        await s.register()
        await s.tells("was told")
        await s.is_coming()
        s.stages.posted = s.stages.settled = 0
        await s.settlement.reorganise(4)
        s.blocks(2)
        await s.tells("0 blocks that settlement holds")
        assert not await known(s.settlement, JOINING)
        await s.commit()
        await s.tells("was told")
        await s.is_coming()

    rehearse(tmp_path, test)


def test_who_exits_while_waiting_is_left_alone(tmp_path: Path) -> None:
    async def test(s: Stage) -> None:
        s.lacks[0] = "it is catching up"
        await s.register()
        await s.tells("could not vote yet")
        await s.settlement.act(OWNER, Exit(development_address(JOINING)), b"")
        s.blocks(1)
        s.lacks[0] = ""
        await s.tells("")
        await s.commit()
        assert not await known(s.settlement, JOINING)

    rehearse(tmp_path, test)


def test_the_next_key_of_a_signer_is_readied_while_the_first_signs(tmp_path: Path) -> None:
    old = development_address(0)
    signer = Successive(KeySigner(development_key(0)), KeySigner(development_key(ROTATED)))

    async def main() -> None:
        with trio.fail_after(120):
            async with staged(tmp_path, signer) as s:
                await s.commit()
                rotated = RotateKey(old, development_address(ROTATED), consent(ROTATED, old))
                await s.settlement.act(old, rotated, b"")
                s.blocks(1)
                await s.tells("was told")
                assert signer.address == old
                s.blocks(1)
                await until(lambda: known(s.settlement, ROTATED))

    trio.run(main)


# What a signer declares


@pytest.mark.parametrize("key", [0, 1])
def test_each_key_of_a_signer_declares_itself_and_no_other(key: int) -> None:
    first, second = KeySigner(development_key(0)), KeySigner(development_key(1))
    both = Successive(first, second)
    assert both.addresses == (first.address, second.address)
    ready = Readiness(ALONE.chain_id, development_address(key), 4, b"\1" * 32)
    assert recover(ready.digest(), trio.run(both.declare, ready)) == development_address(key)
    with pytest.raises(Invalid, match="is not here"):
        trio.run(both.declare, replace(ready, key=development_address(2)))
