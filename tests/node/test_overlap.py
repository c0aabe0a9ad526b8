"""A crash while one block is being stored and the next is being built: both come back as they were answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.standard import standard_plan
from execution.vm.machine import Machine
from genesis.chain import Receipt
from genesis.errors import Corrupt
from node.engine import EngineThread
from node.mempool import Mempool, Pending
from node.open_block import decode_logged, reopen
from node.recovery import recover
from node.sequencer import Turn
from node.store import Note, StoredBlock
from tests.node.leading import Leading
from tests.node.recovery_script import START_MS, TEST_SPEC, script
from tests.node.test_recovery import CONFIG, Crash, CrashingStore, Deposits, Nobody, genesis_hash, genesis_root


class SlowStore(CrashingStore):
    """Its first block is never written, once `fails` is set."""

    fails = False
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What the node does while it writes."""

    def put(self, blocks: Sequence[StoredBlock], notes: Sequence[Note] = (), decided: int = 0) -> None:
        if self.fails:
            raise Crash
        if self.meanwhile is not None:
            trio.from_thread.run(self.meanwhile)
        super().put(blocks, notes, decided)


class Told(Nobody):
    """Heights told as sealed, and receipts as executed."""

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.receipts: list[Receipt] = []

    async def executed(self, _: object, receipts: Any, *__: object) -> None:
        self.receipts += receipts

    async def sealed(self, block: Any, *_: object) -> None:
        self.heights.append(block.header.height)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The script compiles a program, which has a loop of its own."""
    script()


async def _in_a_node(folder: Path, play: Any) -> Any:
    engine, machine = EngineThread(), Machine(standard_plan)
    engine.start()
    try:
        root = await engine.run(machine.genesis, TEST_SPEC)
        with SlowStore(folder, genesis_hash(TEST_SPEC, genesis_root())) as store:
            found = await engine.run(recover, TEST_SPEC, store, machine, root, lambda *_: None)
            told, pool = Told(), Mempool(TEST_SPEC, 100)
            node = Leading(
                TEST_SPEC, CONFIG, store, engine, machine, pool, Deposits(), told, found, lambda: START_MS
            )  # fmt: skip
            return await play(store, node, pool, told)
    finally:
        engine.stop()


async def _two_blocks(store: SlowStore, node: Leading, pool: Mempool, told: Told) -> list[Receipt]:
    """Seal block 1, run two batches of block 2, and crash before block 1 is stored."""
    store.fails = True
    (one, two), *_ = script()
    for number, batch in enumerate((one, two)):
        keys = pool.unknown([signed for signed, _ in batch])
        pool.learn(keys, [-1] * len(keys))
        for signed, _ in batch:
            pool.admit(Pending(signed, lambda _: None), START_MS)
        await node.open()
        if number == 0:
            await node.seal()
    await node.cut()
    assert node.line.tip.header is None and told.heights == []
    with pytest.raises(Crash):
        await node.store()
    return told.receipts


async def _resumed(store: SlowStore, node: Leading, _: Mempool, told: Told) -> tuple[list[Receipt], list[int]]:
    await node.open()
    first = node.sequencer.open_block
    assert first is not None and first.opening.height == 1 and await node.sequencer._open(), "it had been sealed"
    await node.seal()
    await node.open()
    await node.store()
    assert store.head() == 1
    block = node.sequencer.open_block
    assert block is not None and block.opening.height == 2 and len(block.batches) == 2
    assert block.opening.parent == node.line.tip.hash
    return [*first.receipts, *block.receipts], told.heights


def test_both_blocks_come_back(tmp_path: Path) -> None:
    answered = trio.run(_in_a_node, tmp_path, _two_blocks)
    assert {receipt.height for receipt in answered} == {1, 2}
    found, told = trio.run(_in_a_node, tmp_path, _resumed)
    assert found == answered and told == [1]


def test_batches_on_another_block_are_corrupt(tmp_path: Path) -> None:
    async def play(store: SlowStore, *_: object) -> tuple[bytes, ...]:
        return store.batches(2)

    trio.run(_in_a_node, tmp_path, _two_blocks)
    logged = trio.run(_in_a_node, tmp_path, play)
    assert decode_logged(logged[0]).opening is not None
    with pytest.raises(Corrupt, match="stands on another block"):
        reopen(Machine(standard_plan), bytes(32), logged)


def test_a_block_wanted_on_another_parent_is_built_there(tmp_path: Path) -> None:
    """The view of a block that was sealed failed, and work on the next one had begun."""

    async def play(_: SlowStore, node: Leading, pool: Mempool, told: Told) -> list[tuple[int, int]]:
        parent = node.line.newest().hash
        keys = pool.unknown([signed for signed, _ in script()[0][0]])
        pool.learn(keys, [-1] * len(keys))
        for signed, _ in script()[0][0]:
            pool.admit(Pending(signed, lambda _: None), START_MS)
        with trio.fail_after(90):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.sequencer.run)
                for view in (1, 2):
                    node.sequencer.lead(Turn(view, parent, node.built.append, again=True))
                    while len(node.built) < view or node.sequencer.open_block is None:
                        await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
        first, second = (sum(len(batch.transactions) for batch in block.body.batches) for block in node.built)
        assert first == second > 0
        return [(block.header.height, block.header.view) for block in node.built]

    assert trio.run(_in_a_node, tmp_path, play) == [(1, 1), (1, 2)]


def test_nothing_goes_below_a_block_that_is_being_stored(tmp_path: Path) -> None:
    """This node was asked to lead on its parent; the quorum for it came before the state had moved there."""

    async def play(store: SlowStore, node: Leading, _: Mempool, told: Told) -> None:
        await node.open()
        parent = node.line.newest().hash
        await node.seal()

        async def late() -> None:
            node.sequencer.lead(Turn(5, parent, node.built.append, again=False))
            await node.sequencer._open()

        store.meanwhile = late
        await node.store()
        assert told.heights == [1] and node.line.newest().height == 1
        assert not node.sequencer.in_office and node.sequencer.open_block is None
        await node.open()
        block = node.sequencer.open_block
        assert block is not None and block.opening.parent == node.line.tip.hash

    trio.run(_in_a_node, tmp_path, play)
