"""What a validator asks of a proposal beside its result: time, settlement's inbox, what is forced, what is deployed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from execution.executor import Opening
from genesis.block import Body
from genesis.chain import Batch, Block, Call, Deployment, DeployTransaction, Header, SignedTransaction, sign
from genesis.crypto import ZERO_ADDRESS, ZERO_HASH
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.header import HEADER_VERSION
from genesis.membership import ValidatorSet
from genesis.presets import load_preset
from genesis.settling import InboxEntry
from node.compiling import Compiler
from node.deployments import prepare
from node.judge import Judge
from node.membership import Membership
from node.open_block import Anchor
from node.tip import Tip
from settlement.actions import Force
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local
from tests.node.running import transaction

PRESET = load_preset("devnet")
SPEC = replace(PRESET, confirmation_blocks=1, forced_window_blocks=6, gas_batch_max=2 * PRESET.gas_transaction_max)
"""A block takes in two forced transactions."""
TRADER, BLOCK_TIME_MS, PARENT_MS = 6, 500, 10_000
CALLS = (Call(bytes(20), bytes(4), b""),)
SOURCE = '''"""Counts."""

from execution.lang import Program, external


class Counter(Program):
    count: int

    @external
    def add(self, amount: int) -> None:
        self.count += amount
'''


@dataclass(slots=True)
class Court:
    settlement: LocalSettlement
    judge: Judge
    parent: Tip

    def pass_blocks(self, count: int) -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(count * BLOCK_TIME_MS / 1000)

    async def deposit(self, amount: int) -> None:
        await self.settlement.deposit(development_address(TRADER), 0, amount, amount.to_bytes(2, "big"))

    async def force(self, sequence: int) -> None:
        raw = transaction(TRADER, CALLS, sequence=sequence).raw
        await self.settlement.act(development_address(TRADER), Force(raw), sequence.to_bytes(2, "big"))

    async def honest(self, confirmations: int = SPEC.confirmation_blocks) -> tuple[Opening, Anchor]:
        """What an honest leader would propose on the parent."""
        head = await self.settlement.head(confirmations)
        inbox = await self.settlement.inbox(self.parent.anchor.count, head.settlement_height)
        return self.opening(inbox), Anchor(head.settlement_height, head.hash, len(inbox))

    def opening(self, inbox: tuple[InboxEntry, ...] = ()) -> Opening:
        return Opening(2, PARENT_MS + SPEC.block_time_ms, 0, self.parent.hash, inbox)

    async def code(self, opening: Opening, anchor: Anchor) -> str | None:
        """Of the refusal, None for a vote."""
        return await code_of(self.judge.check_opening(opening, anchor, self.parent))


Test = Callable[[Court], Awaitable[None]]
Run = Callable[[Test], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    async def no_programs() -> tuple[()]:
        return ()

    async def main(test: Test) -> None:
        now_ms = lambda: int(trio.current_time() * 1000)  # noqa: E731
        async with open_local(tmp_path / "settlement", Terms.of(SPEC), BLOCK_TIME_MS, now_ms) as settlement:
            membership = Membership(SPEC, settlement, (ValidatorSet(0, 0, SPEC.stakes),), lambda _: None)
            genesis = await settlement.head(0)
            parent = Tip(None, b"\1" * 32, PARENT_MS, Anchor(0, genesis.hash, 0), [], {})
            court = Court(settlement, Judge(SPEC, settlement, membership, no_programs, Compiler()), parent)
            await settlement.fund(development_address(TRADER), 0, 1_000)
            await test(court)

    return lambda test: trio.run(partial(main, test), clock=MockClock())


async def code_of(asked: Awaitable[Any]) -> str | None:
    try:
        await asked
    except Invalid as error:
        return error.code
    return None


def test_time_grows_and_an_outage_is_stamped_to_the_millisecond(run: Run) -> None:
    async def test(court: Court) -> None:
        opening, anchor = await court.honest()
        late_ms = PARENT_MS + SPEC.outage_ms + 1
        assert await court.code(opening, anchor) is None
        assert await court.code(replace(opening, time_ms=late_ms, gap_ms=SPEC.outage_ms + 1), anchor) is None
        for wrong in ({"time_ms": PARENT_MS}, {"gap_ms": 1}, {"time_ms": late_ms}, {"time_ms": late_ms, "gap_ms": 1}):
            assert await court.code(replace(opening, **wrong), anchor) == "bad_time", wrong

    run(test)


def test_the_inbox_is_settlements_up_to_the_anchor_all_of_it_in_order(run: Run) -> None:
    async def test(court: Court) -> None:
        for amount in (1, 2, 3):
            await court.deposit(amount)
        court.pass_blocks(3)
        opening, anchor = await court.honest()
        assert len(opening.inbox) == 3 and await court.code(opening, anchor) is None
        first, second, third = opening.inbox
        for entries in ((first, second), (second, first, third), (first, second, replace(third, amount=4)), ()):
            found = await court.code(replace(opening, inbox=entries), replace(anchor, count=len(entries)))
            assert found == "bad_inbox", entries
        assert await court.code(opening, replace(anchor, count=4)) == "bad_inbox"
        assert await court.code(court.opening(), court.parent.anchor) is None, "deposits may wait"

    run(test)


def test_the_anchor_is_confirmed_on_the_chain_and_never_goes_back(run: Run) -> None:
    async def test(court: Court) -> None:
        court.pass_blocks(4)
        opening, anchor = await court.honest()
        assert await court.code(opening, anchor) is None
        assert await court.code(*await court.honest(confirmations=0)) == "bad_anchor"
        assert await court.code(opening, replace(anchor, hash=b"\2" * 32)) == "unknown_block"
        court.parent = replace(court.parent, anchor=anchor)
        for earlier in (replace(anchor, number=anchor.number - 1), replace(anchor, hash=b"\2" * 32)):
            assert await court.code(opening, earlier) == "bad_anchor"

    run(test)


def test_what_is_forced_is_taken_in_within_its_window_or_there_is_no_vote(run: Run) -> None:
    async def test(court: Court) -> None:
        before = court.parent.anchor
        await court.force(0)
        court.pass_blocks(SPEC.forced_window_blocks)
        assert await court.code(court.opening(), before) is None, "its window is open"
        court.pass_blocks(2)
        assert await court.code(court.opening(), before) == "bad_inbox", "whatever else the block holds"
        assert await court.code(*await court.honest()) is None

    run(test)


def test_of_a_backlog_a_block_takes_in_what_it_has_room_for(run: Run) -> None:
    async def test(court: Court) -> None:
        for sequence in range(3):
            await court.force(sequence)
        court.pass_blocks(SPEC.forced_window_blocks + 2)
        opening, anchor = await court.honest()
        assert (len(opening.inbox), SPEC.forced_block_max) == (3, 2)
        for taken, code in ((1, "bad_inbox"), (2, None), (3, "bad_inbox")):
            part = replace(opening, inbox=opening.inbox[:taken])
            assert await court.code(part, replace(anchor, count=taken)) == code, taken

    run(test)


def deployment() -> SignedTransaction:
    files = (("counter.py", SOURCE),)
    t = DeployTransaction(
        SPEC.chain_id, development_address(TRADER), 0, 0, PARENT_MS + 60_000, SPEC.gas_transaction_max, SPEC.fee_min,
        "counter", files, b"", b"",
    )  # fmt: skip
    return sign(t, development_key(TRADER))


def block(court: Court, deployments: tuple[Deployment, ...], signed: SignedTransaction, validators: int) -> Block:
    anchor = court.parent.anchor
    header = Header(
        HEADER_VERSION, 2, PARENT_MS + SPEC.block_time_ms, 0, court.parent.hash, 2, ZERO_ADDRESS, validators,
        anchor.number, anchor.hash, anchor.count, *[ZERO_HASH] * 6, 0,
    )  # fmt: skip
    return Block(header, Body((Batch((signed.raw,)),), (), deployments), bytes(65))


def test_what_a_block_records_of_a_program_is_what_its_source_compiles_to_here(run: Run) -> None:
    async def test(court: Court) -> None:
        async def judged(
            recorded: tuple[Deployment, ...], *signed: SignedTransaction, validators: int = 0
        ) -> str | None:
            return await code_of(
                court.judge.check(block(court, recorded, *signed, validators=validators), court.parent)
            )

        signed, call = deployment(), transaction(TRADER, CALLS)
        right = await prepare(signed, SPEC, court.judge._programs, Compiler())
        assert await judged((right,), signed) is None
        assert await judged((), signed) is None, "it failed, say"
        assert await judged((right,), signed, validators=1) == "wrong_set"
        for wrong in (
            ((replace(right, deployer=development_address(7)),), signed),
            ((right, right), signed),
            ((right,), call),
            ((replace(right, transaction_id=call.id),), call),
        ):
            assert await judged(*wrong) == "bad_deployment"

    run(test)
