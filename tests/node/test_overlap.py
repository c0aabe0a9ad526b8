"""A crash while one block is being stored and the next is being built: both come back as they were answered."""

from __future__ import annotations

import threading
from collections.abc import Mapping
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
from node.sequencer import Sequencer
from node.store import StoredBlock
from tests.node.recovery_script import START_MS, TEST_SPEC, script
from tests.node.test_recovery import CONFIG, KEY, Crash, CrashingStore, Deposits, Nobody, genesis_hash, genesis_root


class SlowStore(CrashingStore):
    """Its first block waits until `go` is set, and then is never written."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.go: threading.Event | None = None

    def put_block(self, block: StoredBlock, cursors: Mapping[str, bytes]) -> None:
        if self.go is not None:
            self.go.wait()
            raise Crash
        super().put_block(block, cursors)


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
            sequencer = Sequencer(
                TEST_SPEC, CONFIG, KEY, store, engine, machine, pool, Deposits(), told,
                found.tip, found.open_block, found.checkpoint, lambda: START_MS,
            )  # fmt: skip
            return await play(store, sequencer, pool, told)
    finally:
        engine.stop()


async def _two_blocks(store: SlowStore, sequencer: Sequencer, pool: Mempool, told: Told) -> list[Receipt]:
    """Seal block 1, run two batches of block 2, and crash before block 1 is stored."""
    store.go = threading.Event()
    try:
        async with trio.open_nursery() as nursery:
            sequencer._nursery = nursery
            (one, two), *_ = script()
            for number, batch in enumerate((one, two)):
                keys = pool.unknown([signed for signed, _ in batch])
                pool.learn(keys, [-1] * len(keys))
                for signed, _ in batch:
                    pool.admit(Pending(signed, lambda _: None), START_MS)
                await sequencer._open()
                if number == 0:
                    await sequencer._seal()
            await sequencer._cut()
            assert sequencer.tip.header is None and told.heights == []
            store.go.set()
    except* Crash:
        pass
    return told.receipts


async def _resumed(store: SlowStore, sequencer: Sequencer, _: Mempool, told: Told) -> tuple[list[Receipt], list[int]]:
    assert sequencer.open_block is not None and sequencer.open_block.opening.height == 1
    stored = list(sequencer.open_block.receipts)
    await sequencer.resume()
    assert store.head() == 1 and sequencer.tip.header is not None
    block = sequencer.open_block
    assert block.opening.height == 2 and block.opening.parent == sequencer.tip.hash and len(block.batches) == 2
    return [*stored, *block.receipts], told.heights


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
