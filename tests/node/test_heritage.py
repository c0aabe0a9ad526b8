"""A leader that is gone leaves its open block, and the one before, to the next: receipts are the same to the bit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.executor import Opening
from execution.standard import standard_plan
from execution.transition import opening_of
from execution.vm.machine import Machine
from genesis import codec
from genesis.chain import Block, Header, Receipt, SignedTransaction, decode, sign_block
from genesis.crypto import address_of
from genesis.devkeys import development_key
from genesis.errors import Invalid
from genesis.spec import genesis_hash
from node import heritage
from node.consensus.doors import Certified, Kept
from node.engine import EngineThread
from node.heritage import BATCHES, HEIGHTS_MAX, Heritage, Left, _Begun, _head_in
from node.mempool import Mempool, Pending
from node.open_block import Anchor
from node.recovery import recover
from node.sequencer import Turn
from node.store import Store
from node.tip import Tip
from p2p.memory import Hub, Weather, open_memory_network
from tests.node.leading import Leading, certified
from tests.node.recovery_script import START_MS, TEST_SPEC, deployment, pay, script
from tests.node.test_recovery import CONFIG, Deposits, Nobody

KEYS = {"gone": development_key(0), "heir": development_key(12)}
GONE = address_of(KEYS["gone"])


class Told(Nobody):
    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    async def executed(self, _: object, receipts: Sequence[Receipt], *__: object) -> None:
        self.receipts += receipts


class Judge:
    """Votes for what is of its time, as a validator does, and knows one inbox."""

    async def check_opening(self, opening: Opening, anchor: Anchor, parent: Tip) -> None:
        if opening.time_ms <= parent.time_ms:
            raise Invalid("It is not later than its parent.", "bad_time")
        if (anchor, opening.inbox) != Deposits().take(parent.anchor):
            raise Invalid("It takes in other entries than settlement has.", "bad_inbox")


@dataclass(frozen=True, slots=True)
class Node:
    leading: Leading
    heritage: Heritage
    pool: Mempool
    told: Told

    async def run(self, batch: Sequence[SignedTransaction]) -> None:
        """Let transactions in; they run with the next cut, or when a block is opened."""
        keys, sequencer = self.pool.unknown(batch), self.leading.sequencer
        self.pool.learn(keys, await sequencer._engine.run(sequencer._executor.sequences, keys))
        for signed in batch:
            self.pool.admit(Pending(signed, lambda _: None), START_MS)

    async def heard(self, blocks: int, batches: int) -> None:
        """Wait until so much has arrived of the other's."""
        while [sum(len(b.batches) for b in self.heritage._begun[GONE].values()), len(self.heritage._begun[GONE])] != [
            batches,
            blocks,
        ]:
            await trio.sleep(0.001)


@asynccontextmanager
async def _node(folder: Path, hub: Hub, name: str, clock: Callable[[], int]) -> AsyncIterator[Node]:
    engine, machine = EngineThread(), Machine(standard_plan)
    engine.start()
    try:
        root = await engine.run(machine.genesis, TEST_SPEC)
        with Store(folder / name, genesis_hash(TEST_SPEC, root)) as store:
            found = await engine.run(recover, TEST_SPEC, store, machine, root, lambda *_: None)
            told, pool = Told(), Mempool(TEST_SPEC, 100)
            peers = {address_of(key): other for other, key in KEYS.items() if other != name}
            heritage = Heritage(TEST_SPEC, address_of(KEYS[name]), hub.join(name), peers, Judge(), clock)
            leading = Leading(
                TEST_SPEC, CONFIG, store, engine, machine, pool, Deposits(), told, found, clock, heritage, KEYS[name]
            )
            yield Node(leading, heritage, pool, told)
    finally:
        engine.stop()


def play(folder: Path, test: Callable[[Node, Node], Awaitable[Any]]) -> None:
    """The heir's clock is behind: what it opens by itself is of another time."""

    async def main() -> None:
        with trio.fail_after(60):
            async with open_memory_network(1, Weather()) as hub, trio.open_nursery() as nursery:
                async with (
                    _node(folder, hub, "gone", lambda: START_MS) as gone,
                    _node(folder, hub, "heir", lambda: START_MS - 77) as heir,
                ):
                    for node in (gone, heir):
                        await nursery.start(node.heritage.run)
                    await test(gone, heir)
                nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The script compiles a program, which has a loop of its own."""
    script()


async def _two_blocks(gone: Node) -> Block:
    """One sealed of two batches, and one open of two."""
    (one, two), *_ = script()
    await gone.run([signed for signed, _ in one])
    await gone.leading.open()
    await gone.run([signed for signed, _ in two])
    await gone.leading.cut()
    await gone.leading.seal()
    await gone.run([pay(1, "1")[0]])
    await gone.leading.open()
    await gone.run([pay(2, "2")[0]])
    await gone.leading.cut()
    (sealed,) = gone.leading.built
    return sealed


def test_both_blocks_of_a_leader_that_is_gone_come_out_as_it_answered(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        await heir.leading.open(GONE)
        assert await heir.leading.sequencer._open(), "it had been sealed: nothing comes on top"
        await heir.leading.seal()
        (again,) = heir.leading.built
        assert (again.body, again.header.time_ms) == (sealed.body, sealed.header.time_ms)
        assert again.header.receipts_root == sealed.header.receipts_root
        assert again.header.state_root == sealed.header.state_root
        assert again.header.proposer != sealed.header.proposer
        await heir.leading.open()
        block = heir.leading.sequencer.open_block
        assert block is not None and block.opening.parent == again.hash()
        assert heir.told.receipts == gone.told.receipts and len(block.receipts) == 2
        await heir.run([pay(3, "7")[0]])
        await heir.leading.cut()
        assert len(block.receipts) == 3, "it goes on with what waits here"
        assert heir.heritage.orphans(10) == []

    play(tmp_path, test)


def test_the_heir_has_it_on_its_disk_before_it_goes_on(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        await heir.leading.open(GONE)
        stores = [node.leading.sequencer._store for node in (gone, heir)]
        assert stores[0].batches(1) == stores[1].batches(1) != ()

    play(tmp_path, test)


def test_what_is_on_the_block_that_the_heir_has_needs_no_block_before(tmp_path: Path) -> None:
    """The first block was certified, only the second one is left."""

    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        assert await heir.leading.ledger.execute(sealed, vouched=True)
        heir.heritage.certified(sealed)
        await heir.leading.open(GONE)
        assert heir.told.receipts == gone.told.receipts
        assert heir.leading.sequencer.open_block is not None
        assert heir.leading.sequencer.open_block.opening == gone.leading.sequencer.open_block.opening  # type: ignore[union-attr]
        assert not await heir.leading.sequencer._open()

    play(tmp_path, test)


@pytest.mark.parametrize("change", ["time", "inbox", "future", "signature", "gap"])
def test_what_nobody_would_vote_for_is_not_taken_over_but_its_transactions_run(tmp_path: Path, change: str) -> None:
    async def test(gone: Node, heir: Node) -> None:
        (signed, _) = pay(0, "5")
        anchor, inbox = Deposits().take(heir.leading.line.tip.anchor)
        time_ms = {"time": 0, "future": START_MS + 10 * TEST_SPEC.time_ahead_ms_max}.get(change, START_MS)
        head = (
            time_ms, heir.leading.line.tip.hash, () if change == "inbox" else tuple(e.fields() for e in inbox),
            anchor.number, anchor.hash, anchor.count - (change == "inbox"),
        )  # fmt: skip
        raw = signed.raw[:-1] if change == "signature" else signed.raw
        rows = [(1, 0, head, (raw,)), (1, 2 if change == "gap" else 1, None, (pay(1, "6")[0].raw,))]
        stream = await gone.heritage._network.open("heir", BATCHES)
        for row in rows:
            await stream.send(codec.encode(row))
        await heir.heard(blocks=1, batches=1 if change == "gap" else 2)
        await heir.leading.open(GONE)
        block = heir.leading.sequencer.open_block
        assert block is not None
        if change == "gap":
            assert [receipt.transaction for receipt in block.receipts] == [signed.id], "up to what was lost"
            return
        assert block.opening.time_ms == START_MS - 77 and block.receipts == []
        assert heir.heritage.orphans(10) == [raw, pay(1, "6")[0].raw]
        assert heir.heritage.orphans(10) == []

    play(tmp_path, test)


@pytest.mark.parametrize("validators", [0, 1])
def test_what_others_certify_now_or_does_not_run_as_it_was_cut_runs_in_a_block_of_its_own(
    tmp_path: Path, validators: int
) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        batches = [tuple(map(decode, batch.transactions)) for batch in sealed.body.batches]
        opening, anchor = opening_of(sealed, ()), _head_in(sealed).anchor
        if validators == 0:
            opening = replace(opening, height=opening.height + 1)

        async def left(*_: object) -> Left:
            return Left(opening, anchor, tuple(batches), complete=False)

        heir.heritage.left = left  # type: ignore[method-assign]
        turn = Turn(2, heir.leading.line.tip.hash, heir.leading.built.append, True, validators=validators)
        heir.leading.sequencer.lead(turn)
        await heir.leading.sequencer._open()
        block = heir.leading.sequencer.open_block
        assert block is not None and block.opening.time_ms != sealed.header.time_ms
        assert {one.transaction for one in block.receipts} == {one.id for batch in batches for one in batch}

    play(tmp_path, test)


def test_what_another_block_left_out_runs_again_soon_or_never(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        first, _ = script()[0][0][0]
        await heir.run([first])
        await heir.leading.open()
        await heir.leading.seal()
        (other,) = heir.leading.built
        heir.heritage.certified(other)
        left = {signed.raw for batch in script()[0] for signed, _ in batch}
        assert set(heir.heritage.orphans(100)) == left - {first.raw}

    play(tmp_path, test)


def test_a_proposal_tells_all_of_its_block_whatever_of_its_batches_was_lost(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        begun = heir.heritage._begun[GONE]
        begun[1].batches.pop()  # as if it had not come
        heir.heritage.proposed(sealed)
        assert set(begun) == {1, 2}, "nor is the one begun on it forgotten"
        await heir.leading.open(GONE)
        assert await heir.leading.sequencer._open(), "it had been sealed: nothing comes on top"
        await heir.leading.seal()
        (again,) = heir.leading.built
        assert again.body == sealed.body and again.header.receipts_root == sealed.header.receipts_root

    play(tmp_path, test)


def test_batches_that_come_after_their_block_was_taken_over_run_again(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        begun, late = heir.heritage._begun[GONE], pay(3, "7")[0].raw
        ahead = pay(4, "8")[0].raw
        heir.heritage._take_in(begun, codec.encode((1, 4, None, (ahead,))))  # one before it is on its way, or lost
        await heir.leading.open(GONE)
        assert heir.heritage.orphans(10) == [ahead]
        heir.heritage._take_in(begun, codec.encode((1, 2, None, (late,))))
        assert heir.heritage.orphans(10) == [late]

    play(tmp_path, test)


def test_a_first_batch_that_comes_after_its_block_was_taken_over_begins_nothing(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        begun, first = heir.heritage._begun[GONE], _first_batch(sealed)
        del begun[1]  # of this one nothing has come yet
        heir.heritage.proposed(sealed)
        await heir.leading.open(GONE)
        heir.heritage._take_in(begun, first)
        assert set(begun) == {1, 2}, "nor is the one begun on it forgotten"
        assert await heir.heritage.left(heir.leading.line.tip, (GONE,)) is None, "each is given once"
        assert heir.heritage.orphans(10) == [], "all of it was in the proposal"

    play(tmp_path, test)


def test_what_begins_with_a_deployment_runs_again_once(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed, (deployed, _), (paid, _) = await _two_blocks(gone), deployment(), pay(9, "9")
        begun = _Begun(_head_in(sealed), [(deployed.raw,), (paid.raw,)])
        heir.heritage._begun[GONE] = {1: begun}
        assert await heir.heritage.left(heir.leading.line.tip, (GONE,)) is None
        assert heir.heritage.orphans(10) == [deployed.raw, paid.raw]

    play(tmp_path, test)


@pytest.mark.parametrize(("name", "limit"), [("ORPHANS_MAX", 3), ("ORPHAN_BYTES_MAX", 30)])
def test_orphans_are_bounded_and_the_oldest_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    monkeypatch.setattr(heritage, name, limit)

    async def test(_: Node, heir: Node) -> None:
        rows = [bytes([at]) * 10 for at in range(9)]
        for row in rows:
            heir.heritage._orphan(1, [[row]])
        assert heir.heritage.orphans(10) == rows[-3:]
        heir.heritage._orphan(1, [rows[:3]])
        assert heir.heritage.orphans(10) == rows[:3], "there is room again for what was taken"

    play(tmp_path, test)


def test_a_block_that_another_leader_proposes_again_is_not_run_again(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        ledger, line = heir.leading.ledger, heir.leading.line
        assert await ledger.execute(sealed, vouched=True)
        told = list(heir.told.receipts)
        header = replace(sealed.header, proposer=address_of(development_key(13)), view=sealed.header.view + 1)
        again = sign_block(header, sealed.body, development_key(13))
        assert await ledger.execute(again, vouched=True)
        assert heir.told.receipts == told, "nobody is told twice"
        assert line.newest().hash == again.hash() and line.holds(sealed.hash())
        await ledger.keep(Kept(committed=(Certified(sealed, certified(sealed, TEST_SPEC)),)))
        assert line.tip.hash == sealed.hash(), "the first one may be certified after all"

    play(tmp_path, test)


def test_what_another_leader_proposed_again_waits_again_where_it_was_built_when_it_falls(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        await heir.leading.open()
        await heir.leading.seal()
        (other,) = heir.leading.built
        sealed = await _two_blocks(gone)
        async with gone.leading.line.turn:
            await gone.leading.sequencer.release()
        gone.pool.empty()
        header = replace(sealed.header, proposer=address_of(development_key(13)), view=sealed.header.view + 1)
        again = sign_block(header, sealed.body, development_key(13))
        assert await gone.leading.ledger.execute(again, vouched=True)
        assert len(gone.pool) == 0, "it stands yet"
        assert await gone.leading.ledger.execute(other, vouched=True)
        waiting = {pending.signed.raw for pending in gone.pool.waiting()}
        assert waiting == {raw for batch in sealed.body.batches for raw in batch.transactions} != set()

    play(tmp_path, test)


def test_what_was_run_here_is_proposed_again_as_it_is_and_what_was_begun_on_it_goes_on(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        assert await heir.leading.ledger.execute(sealed, vouched=True)
        line, told = heir.leading.line, list(heir.told.receipts)
        heir.leading.sequencer.lead(Turn(2, line.tip.hash, heir.leading.built.append, again=True, before=(GONE,)))
        await heir.leading.sequencer._open()
        (again,) = heir.leading.built
        assert heir.told.receipts == told, "it is not run again"
        assert again.body == sealed.body and again.header.proposer == address_of(KEYS["heir"])
        assert line.newest().hash == again.hash()
        await heir.leading.sequencer._open()
        assert heir.told.receipts == gone.told.receipts, "the open one comes after it"

    play(tmp_path, test)


@pytest.mark.parametrize("what", ["decided", "gone"])
def test_what_is_settled_while_the_signer_takes_its_time_is_not_proposed_again(tmp_path: Path, what: str) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        await heir.heard(blocks=2, batches=4)
        assert await heir.leading.ledger.execute(sealed, vouched=True)
        line, sequencer, asked, answers = heir.leading.line, heir.leading.sequencer, trio.Event(), trio.Event()
        sign = sequencer._signer.propose

        async def slow(header: Header) -> bytes:
            asked.set()
            await answers.wait()
            return await sign(header)

        sequencer._signer.propose = slow  # type: ignore[method-assign]
        sequencer.lead(Turn(2, line.tip.hash, heir.leading.built.append, again=True, before=(GONE,)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sequencer._open)
            await asked.wait()
            if what == "decided":
                line.decide(sealed.hash())
            else:
                sequencer.stand_back()
            answers.set()
        assert heir.leading.built == [] and not sequencer.in_office
        assert line.newest().hash == sealed.hash()
        async with line.turn:
            assert await line.stand_on(sealed.hash()) == [], "its children are executed on it"

    play(tmp_path, test)


def test_nothing_takes_the_place_of_what_is_for_good(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        line = heir.leading.line
        assert await heir.leading.ledger.execute(sealed, vouched=True)
        line.decide(sealed.hash())
        with pytest.raises(AssertionError, match="for good"):
            line.propose_again(sealed)
        assert line.newest().hash == sealed.hash()

    play(tmp_path, test)


def test_what_a_later_leader_had_begun_goes_before_an_earlier_one_s_block(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        assert await heir.leading.ledger.execute(sealed, vouched=True)
        await heir.heard(blocks=2, batches=4)
        later, parent = address_of(development_key(13)), heir.leading.line.tip
        heir.heritage._begun[later] = {1: _begun(sealed, (pay(9, "9")[0].raw,))}
        assert not await heir.heritage.take_over(sealed, parent, (later, GONE))
        assert await heir.heritage.take_over(sealed, parent, (GONE, later)), "that one led before it"
        heir.heritage._begun[later] = {1: _begun(sealed, sealed.body.batches[0].transactions)}
        assert await heir.heritage.take_over(sealed, parent, (later, GONE)), "it had begun the same"

    play(tmp_path, test)


def test_what_would_be_voted_for_no_more_is_not_proposed_again(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        sealed = await _two_blocks(gone)
        late = Block(replace(sealed.header, inbox_count=7), sealed.body, sealed.signature)
        assert not await heir.heritage.take_over(late, heir.leading.line.tip, (GONE,))

    play(tmp_path, test)


def _first_batch(block: Block) -> bytes:
    """As its leader tells it."""
    header, body = block.header, block.body
    inbox = tuple(entry.fields() for entry in body.inbox)
    head = (header.time_ms, header.parent, inbox, header.anchor_number, header.anchor_hash, header.inbox_count)
    return codec.encode((header.height, 0, head, body.batches[0].transactions))


def _begun(block: Block, batch: Sequence[bytes]) -> _Begun:
    return _Begun(_head_in(block), [batch])


def test_nonsense_and_too_much_are_not_kept(tmp_path: Path) -> None:
    async def test(gone: Node, heir: Node) -> None:
        stream = await gone.heritage._network.open("heir", BATCHES)
        opening = (1, bytes(32), (), 0, bytes(32), 0)
        nonsense: list[Any] = [
            1, (1, 0, None, ()), (1, 0, (1,), ()), (1, 0, opening, 7), (1, 0, opening, (7,)), (-1, 0, opening, ()),
            (1, 0, ("1", *opening[1:]), ()), (1, 0, (*opening[:2], (1,), *opening[3:]), ()), (5, 1, None, ()),
        ]  # fmt: skip
        for row in nonsense:
            await stream.send(codec.encode(row) if row != (-1, 0, opening, ()) else b"\xc1")
        for height in range(10, 10 + 2 * HEIGHTS_MAX):
            await stream.send(codec.encode((height, 0, opening, ())))
        while 9 + 2 * HEIGHTS_MAX not in heir.heritage._begun[GONE]:
            await trio.sleep(0.001)
        await heir.heard(blocks=HEIGHTS_MAX, batches=HEIGHTS_MAX)
        assert min(heir.heritage._begun[GONE]) == 10 + HEIGHTS_MAX

    play(tmp_path, test)
