"""
A node that stops anywhere comes back to where it was, and the chain goes on as if nothing had happened.

A script of blocks, batch by batch, runs on a real store and engine; the store "crashes" before, amid or after one of
its writes, the objects are abandoned, and fresh ones recover and finish the script. The last header's hash binds
everything before it, so it is compared with that of an undisturbed run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.executor import Opening
from execution.standard import standard_plan
from execution.vm.layout import FIELDS
from execution.vm.machine import Machine
from genesis import codec
from genesis.chain import Deposit, InboxEntry, Receipt
from genesis.crypto import ZERO_HASH, sha256
from genesis.devkeys import development_address
from genesis.errors import Corrupt, Invalid
from genesis.spec import genesis_hash
from node.config import load
from node.engine import EngineThread
from node.mempool import Mempool, Pending
from node.open_block import Anchor, OpenBlock, decode_results
from node.recovery import Recovered, initial_tip, recover, replay_block, stored_block
from node.store import Note, Pages, Store, StoredBlock
from tests.node.leading import Leading
from tests.node.recovery_script import BATCHES, DEPLOYED, START_MS, TEST_SPEC, script

CONFIG = load(None, {"sequencer.checkpoint_blocks": "2"}).sequencer


class Crash(Exception):
    """The process is gone."""


class CrashingStore(Store):
    """Ends at write number `at`: "before" it, "amid" it (of a checkpoint: staged in part) or "after" it."""

    at, mode, writes = -1, "before", 0

    def append_batch(self, height: int, number: int, data: bytes) -> None:
        self._write_or_crash(partial(super().append_batch, height, number, data))

    def put(self, blocks: Sequence[StoredBlock], notes: Sequence[Note] = (), decided: int = 0) -> None:
        self._write_or_crash(partial(super().put, blocks, notes, decided))

    def put_checkpoint(self, height: int, meta: bytes, changed: Iterable[Pages], trees: bytes = b"") -> None:
        chunks = self._cut(changed) if self.mode == "amid" and self.writes == self.at else changed
        self._write_or_crash(partial(super().put_checkpoint, height, meta, chunks, trees))

    def _write_or_crash(self, write: Callable[[], None]) -> None:
        mine = self.writes == self.at
        self.writes += 1
        if mine and self.mode == "before":
            raise Crash
        write()
        if mine and self.mode == "after":
            raise Crash

    def _cut(self, changed: Iterable[Pages]) -> Iterator[Pages]:
        yield next(iter(changed))
        raise Crash


class Deposits:
    """One entry a block, and always the same after the same anchor."""

    def take(self, after: Anchor) -> tuple[Anchor, tuple[InboxEntry, ...]]:
        entry = Deposit(after.count, development_address(9), 1, 10**18 * (after.count + 1), after.number + 1)
        return Anchor(after.number + 1, sha256(bytes((after.number + 1,))), after.count + 1), (entry,)

    def validators(self, parent: Anchor, anchor: Anchor) -> int:
        return 0


class Nobody:
    async def executed(self, *_: object) -> None: ...

    async def sealed(self, *_: object) -> None: ...

    async def reopened(self, open_block: OpenBlock) -> None: ...

    async def reverted(self, *_: object) -> None: ...


@dataclass(slots=True)
class Listening(Nobody):
    """Answers that were given in an earlier life and are taken up again."""

    life: Life

    async def reopened(self, open_block: OpenBlock) -> None:
        self.life.answers |= {receipt.transaction: receipt for receipt in open_block.receipts}


@dataclass(slots=True)
class Life:
    """What happened between a start and an end: answers by transaction, and what recovery found."""

    recovered: Recovered
    answers: dict[bytes, Any] = field(default_factory=dict)
    writes: int = 0
    last_hash: bytes = b""
    root: bytes = b""


@lru_cache(maxsize=1)
def genesis_root() -> bytes:
    return Machine(standard_plan).genesis(TEST_SPEC)


def open_store(folder: Path) -> CrashingStore:
    return CrashingStore(folder, genesis_hash(TEST_SPEC, genesis_root()))


async def live(folder: Path, at: int = -1, mode: str = "before", blocks: int | None = None) -> Life:
    """Recover, then go on with the script until its end or the crash."""
    engine = EngineThread()
    engine.start()
    machine = Machine(standard_plan)
    try:
        root = await engine.run(machine.genesis, TEST_SPEC)
        with open_store(folder) as store:
            found = await engine.run(recover, TEST_SPEC, store, machine, root, lambda *_: None)
            store.at, store.mode = at, mode
            life = Life(found)
            try:
                await _go_on(life, store, engine, machine, blocks)
            except* Crash:
                pass
            life.writes = store.writes
            return life
    finally:
        engine.stop()


async def _go_on(life: Life, store: Store, engine: EngineThread, machine: Machine, blocks: int | None) -> None:
    found, mempool = life.recovered, Mempool(TEST_SPEC, 1000)

    def clock() -> int:
        return START_MS + 250 * (node.line.tip.height + 1)

    node = Leading(
        TEST_SPEC, CONFIG, store, engine, machine, mempool, Deposits(), Listening(life), found, clock
    )  # fmt: skip
    height = found.tip.height

    async def work() -> None:
        for number, batches in enumerate(script()[:blocks], 1):
            if number <= height:
                continue
            if store.batches(number):
                await node.open()
            block = node.sequencer.open_block
            for batch in batches[len(block.batches) if block else 0 :]:
                keys = mempool.unknown([one for one, _ in batch])
                mempool.learn(keys, await engine.run(machine.sequences, keys))
                for signed, work in batch:
                    mempool.admit(Pending(signed, partial(life.answers.__setitem__, signed.id), work), START_MS)
                await (node.cut() if node.sequencer.open_block else node.open())
            await node.seal()
            await node.store()
            header = node.line.tip.header
            assert header is not None
            life.last_hash, life.root = header.hash(), header.state_root

    await node.beside(work)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The script compiles a program, which has a loop of its own."""
    script()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return trio.run(live, tmp_path_factory.mktemp("undisturbed"))


def receipts_on_disk(folder: Path) -> dict[bytes, Receipt]:
    with open_store(folder) as store:
        rows = [decode_results(row.receipts).receipts for row in store.blocks(1, store.head() or 0)]
    return {receipt.transaction: receipt for row in rows for receipt in row}


def test_the_script_does_what_it_should(undisturbed: Life) -> None:
    """Done, failed and refused transactions, a program deployed and called, checkpoints."""
    answers = undisturbed.answers.values()
    statuses = {answer.status for answer in answers if isinstance(answer, Receipt)}
    assert statuses == {"done", "failed"}
    assert [answer.code for answer in answers if isinstance(answer, Invalid)] == ["fee_unpayable", "sequence_gap"]
    assert [a.created for a in answers if isinstance(a, Receipt) and a.created] == [DEPLOYED, DEPLOYED]
    assert undisturbed.writes == sum(len(block) + 1 for block in script()) + len(script()) // 2


def test_the_next_version_runs_when_its_time_lock_has_passed(tmp_path: Path) -> None:
    trio.run(live, tmp_path)
    machine = Machine(standard_plan)
    tip = initial_tip(TEST_SPEC, machine.genesis(TEST_SPEC))
    versions = []
    with open_store(tmp_path) as store:
        for row in store.blocks(1, len(script())):
            tip = replay_block(TEST_SPEC, machine, tip, stored_block(row)[0])
            versions.append([info.version for info in machine.programs() if info.address == DEPLOYED])
    assert versions == [[], [], [], [1], [1], [1], [2]]
    fields = machine.memory(DEPLOYED)[FIELDS : FIELDS + 16]
    assert struct.unpack("<2q", fields) == (103, 9)


def crashes() -> Iterator[tuple[int, str]]:
    """Every write of the script, and how it ends there."""
    at = 0
    for height, batches in enumerate(BATCHES, 1):
        for _ in range(batches + 1):
            yield from ((at, "before"), (at, "after"))
            at += 1
        if height % CONFIG.checkpoint_blocks == 0:
            yield from ((at, "before"), (at, "amid"), (at, "after"))
            at += 1


@pytest.mark.parametrize(("at", "mode"), list(crashes()))
def test_a_stop_at_any_write_loses_and_doubles_nothing(tmp_path: Path, undisturbed: Life, at: int, mode: str) -> None:
    first = trio.run(live, tmp_path, at, mode)
    second = trio.run(live, tmp_path)
    assert (second.last_hash or second.recovered.tip.hash) == undisturbed.last_hash
    kept = receipts_on_disk(tmp_path)
    answered = {one: answer for one, answer in first.answers.items() if isinstance(answer, Receipt)}
    assert {one: kept[one] for one in answered} == answered
    assert kept == {one: r for one, r in undisturbed.answers.items() if isinstance(r, Receipt)}


def test_a_checkpoint_shortens_the_replay(tmp_path: Path, undisturbed: Life) -> None:
    trio.run(live, tmp_path)
    again = trio.run(live, tmp_path).recovered
    assert again.checkpoint == len(script()) // 2 * 2 and again.replayed == len(script()) % 2
    assert again.tip.hash == undisturbed.last_hash


def test_tip_after_a_checkpoint_is_the_tip_after_a_replay_from_genesis(tmp_path: Path) -> None:
    """Withdrawals of the span, deployments on their way and the anchor included."""
    for blocks in range(1, len(script()) + 1):
        folder = tmp_path / str(blocks)
        trio.run(partial(live, folder, blocks=blocks))
        machine, other = Machine(standard_plan), Machine(standard_plan)
        tip = initial_tip(TEST_SPEC, machine.genesis(TEST_SPEC))
        with open_store(folder) as store:
            found = recover(TEST_SPEC, store, other, other.genesis(TEST_SPEC), lambda *_: None)
            for row in store.blocks(1, blocks):
                tip = replay_block(TEST_SPEC, machine, tip, stored_block(row)[0])
        assert found.tip == tip


def test_rolled_back_blocks_replay_to_the_same_roots(tmp_path: Path, undisturbed: Life) -> None:
    trio.run(live, tmp_path)
    machine = Machine(standard_plan)
    tips = [initial_tip(TEST_SPEC, machine.genesis(TEST_SPEC))]
    with open_store(tmp_path) as store:
        blocks = [stored_block(row)[0] for row in store.blocks(1, len(script()))]
    for block in blocks:
        tips.append(replay_block(TEST_SPEC, machine, tips[-1], block))
    for height in reversed(range(len(blocks))):
        machine.rollback(height)
        tip = tips[height]
        for block in blocks[height:]:
            tip = replay_block(TEST_SPEC, machine, tip, block)
        assert tip.hash == undisturbed.last_hash


def test_a_rollback_drops_the_open_block(tmp_path: Path, undisturbed: Life) -> None:
    trio.run(live, tmp_path)
    machine = Machine(standard_plan)
    tip = initial_tip(TEST_SPEC, machine.genesis(TEST_SPEC))
    with open_store(tmp_path) as store:
        blocks = [stored_block(row)[0] for row in store.blocks(1, len(script()))]
    machine.apply(Opening(1, START_MS, 0, ZERO_HASH, ()), blocks[0].body.batches[0].open())
    machine.rollback(0)
    for block in blocks:
        tip = replay_block(TEST_SPEC, machine, tip, block)
    assert tip.hash == undisturbed.last_hash


def damaged(store: Store, tip_height: int) -> dict[str, Callable[[], None]]:
    row = next(iter(store.blocks(tip_height, tip_height)))
    key = tip_height.to_bytes(8, "big")

    def put(kind: int, data: bytes) -> Callable[[], None]:
        return lambda: store._db.put(bytes((kind,)) + key, data)

    return {
        "header does not decode": put(1, row.header[:-1]),
        "body of block": put(2, row.body[:-1]),
        "lacks its body": lambda: store._db.delete(b"\x02" + key),
        "3 does not replay: state_root": put(1, _another_root(row.header)),
    }


def _another_root(row: bytes) -> bytes:
    header, signature, certificate = codec.decode_array(row, 3, 1 << 16, "row")
    return codec.encode(((*header[:-2], sha256(b""), *header[-1:]), signature, certificate))


@pytest.mark.parametrize(
    "what", ["header does not decode", "body of block", "lacks its body", "3 does not replay: state_root"]
)
def test_a_store_that_was_changed_is_corrupt(tmp_path: Path, what: str) -> None:
    trio.run(partial(live, tmp_path, blocks=3))
    with open_store(tmp_path) as store:
        damaged(store, 3)[what]()
    with pytest.raises(Corrupt, match=what):
        trio.run(live, tmp_path)


def test_a_checkpoint_with_another_page_is_corrupt(tmp_path: Path) -> None:
    trio.run(partial(live, tmp_path, blocks=2))
    with open_store(tmp_path) as store:
        key, page = next(iter(store._rows(b"\x07")))
        store._db.put(key, bytes((page[0] ^ 1,)) + page[1:])
    with pytest.raises(Corrupt, match="checkpoint of height 2 has root"):
        trio.run(live, tmp_path)


def test_a_checkpoint_above_the_last_block_is_corrupt(tmp_path: Path) -> None:
    trio.run(partial(live, tmp_path, blocks=2))
    with open_store(tmp_path) as store:
        _, meta = store.checkpoint() or (0, b"")
        store.put_checkpoint(7, meta, ())
    with pytest.raises(Corrupt, match="height 7, but that block is not stored"):
        trio.run(live, tmp_path)


def test_a_batch_log_without_its_beginning_is_corrupt(tmp_path: Path) -> None:
    trio.run(partial(live, tmp_path, at=1, mode="after"))
    with open_store(tmp_path) as store:
        (head, second) = store.batches(1)
        store._db.put(b"\x06" + (1).to_bytes(8, "big") + bytes(4), second)
    assert head != second
    with pytest.raises(Corrupt, match="lacks its opening"):
        trio.run(live, tmp_path)


def test_another_chains_folder_is_refused(tmp_path: Path) -> None:
    trio.run(partial(live, tmp_path, blocks=1))
    other = replace(TEST_SPEC, chain_id=1)
    with pytest.raises(Invalid, match="another folder"):
        Store(tmp_path, genesis_hash(other, Machine(standard_plan).genesis(other)))
