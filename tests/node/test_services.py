"""The services beside the sequencer, each alone: inbox, batcher, the engine's thread; and how blocks are filled."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from execution.vm.packing import pack_transaction
from genesis import codec
from genesis.chain import (
    Call,
    Commitment,
    Deposit,
    Header,
    InboxEntry,
    Receipt,
    Transaction,
    VoteKind,
    certify,
    sign_vote,
)
from genesis.crypto import ZERO_HASH, address_of, sha256
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.header import HEADER_VERSION
from genesis.membership import ValidatorSet
from genesis.transaction import CALLS_MAX, unsigned
from node import sequencer
from node.batcher import Batcher, Stages
from node.engine import EngineThread
from node.inbox import Inbox
from node.log import Format, configure, silence
from node.membership import Membership
from node.mempool import Mempool, Pending
from node.open_block import Anchor
from node.recovery import initial_tip
from node.service import Service
from node.store import Store
from settlement.adapter import Committed, Head, Poster, Reorganisation
from tests.node.running import SPEC, Node, running, transaction

KEY = development_key(0)
KEY_ADDRESS = development_address(0)
START = Anchor(0, ZERO_HASH, 0)
SPAN = SPEC.commitment_blocks


FIRST = ValidatorSet(0, 0, SPEC.stakes)


# Inbox


def members(chain: Any = None, kept: list[bytes] | None = None) -> Membership:
    return Membership(SPEC, chain, (FIRST,), ([] if kept is None else kept).append)


class Deposits:
    """A settlement chain whose confirmed head and deposits are set by hand."""

    def __init__(self) -> None:
        self.height, self.entries, self.outage, self.asked = 0, [], False, 0
        self.highest, self.gone = 99, set[int]()
        self.sets = [FIRST]

    def add(self, height: int, count: int = 1) -> None:
        self.height = height
        for _ in range(count):
            self.entries.append(Deposit(len(self.entries), b"a" * 20, 0, 1, height))

    async def head(self, confirmations: int) -> Head:
        assert confirmations == SPEC.confirmation_blocks
        self.asked += 1
        if self.outage:
            raise Unavailable("no settlement")
        return Head(self.height, sha256(bytes((self.height,))))

    async def reorganisations(self, since: Head) -> Reorganisation | None:
        if since.settlement_height > self.highest:
            raise Invalid("Never was a block here.", "unknown_block")
        return Reorganisation(0, Head(0, ZERO_HASH)) if since.settlement_height in self.gone else None

    async def validator_sets(self, from_version: int, up_to: int) -> tuple[ValidatorSet, ...]:
        return tuple(one for one in self.sets[from_version:] if one.from_height <= up_to)

    async def inbox(self, from_index: int, up_to: int) -> tuple[InboxEntry, ...]:
        return tuple(entry for entry in self.entries[from_index:] if entry.settlement_height <= up_to)


def followed(chain: Deposits, *steps: Any, count: int = 0, spec: Any = SPEC) -> list[Any]:
    """Run an inbox; after each step (a change of the chain) let it poll, and take after the anchor before."""

    async def main() -> list[Any]:
        inbox = Inbox(chain, spec, Anchor(0, ZERO_HASH, count), 1.0, members(chain))  # type: ignore[arg-type]
        taken: list[Any] = [(Anchor(0, ZERO_HASH, count), ())]
        async with trio.open_nursery() as nursery:
            await nursery.start(inbox.run)
            for step in steps:
                step()
                await trio.sleep(1.5)
                taken.append(inbox.take(taken[-1][0]))
            nursery.cancel_scope.cancel()
        return taken[1:]

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_before_the_first_look_nothing_is_taken() -> None:
    inbox = Inbox(Deposits(), SPEC, Anchor(0, ZERO_HASH, 0), 1.0, members())  # type: ignore[arg-type]
    assert inbox.take(START) == (START, ())


def test_each_deposit_is_handed_out_once_with_the_anchor_that_shows_it() -> None:
    chain = Deposits()
    taken = followed(chain, lambda: chain.add(3, 2), lambda: None, lambda: chain.add(5))
    assert [[entry.index for entry in entries] for _, entries in taken] == [[0, 1], [], [2]]
    assert [(anchor.number, anchor.count) for anchor, _ in taken] == [(3, 2), (3, 2), (5, 3)]


def test_a_block_takes_in_only_so_many() -> None:
    chain, small = Deposits(), replace(SPEC, inbox_block_max=2)
    taken = followed(chain, lambda: chain.add(1, 5), lambda: None, lambda: None, spec=small)
    assert [[entry.index for entry in entries] for _, entries in taken] == [[0, 1], [2, 3], [4]]


def test_after_a_restart_it_goes_on_behind_what_was_consumed() -> None:
    chain = Deposits()
    chain.add(1, 4)
    ((anchor, entries),) = followed(chain, lambda: None, count=3)
    assert [entry.index for entry in entries] == [3] and anchor.count == 4


def test_a_chain_that_stands_still_is_asked_for_nothing_but_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, asked = Deposits(), []
    inbox = chain.inbox

    async def counted(*span: int) -> Any:
        asked.append(span)
        return await inbox(*span)

    monkeypatch.setattr(chain, "inbox", counted)
    followed(chain, lambda: chain.add(3), *[lambda: None] * 5, lambda: chain.add(4), *[lambda: None] * 5)
    assert len(asked) == 3, "before the first deposit, and after each"


def test_an_outage_is_waited_out() -> None:
    chain = Deposits()

    def fail() -> None:
        chain.outage = True
        chain.add(2)

    def heal() -> None:
        chain.outage = False

    taken = followed(chain, lambda: chain.add(1), fail, heal)
    assert [[entry.index for entry in entries] for _, entries in taken] == [[0], [], [1]]


def test_an_anchor_taken_back_ends_the_giving() -> None:
    chain = Deposits()

    def fork() -> None:
        chain.gone = {3}
        chain.add(6)

    taken = followed(chain, lambda: chain.add(3), fork, lambda: chain.add(9))
    assert [len(entries) for _, entries in taken] == [1, 0, 0] and taken[-1][0] == taken[0][0]


def test_an_anchor_that_settlement_never_had_is_corrupt() -> None:
    chain = Deposits()

    def another() -> None:
        chain.highest = 2
        chain.add(6)

    with pytest.raises(BaseExceptionGroup) as ended:
        followed(chain, lambda: chain.add(3), another)
    assert ended.group_contains(Corrupt, match="never had block 3")


def test_a_head_behind_the_chains_anchor_gives_nothing() -> None:
    chain = Deposits()
    taken = followed(chain, lambda: chain.add(9), lambda: setattr(chain, "height", 4))
    assert taken[1] == (taken[0][0], ())


# Membership


def test_sets_are_kept_before_they_count_and_read_anew_after_settlement_went_back() -> None:
    chain, kept = Deposits(), list[bytes]()
    second, third = ValidatorSet(1, 5, {KEY_ADDRESS: 2}), ValidatorSet(1, 6, {KEY_ADDRESS: 3})

    async def main() -> list[int]:
        known = members(chain, kept)
        chain.sets.append(second)
        await known.learn(4)
        assert (known.sets, kept) == ((FIRST,), []), "it does not hold yet"
        await known.learn(5)
        assert known.sets == (FIRST, second) and len(kept) == 1
        found = [known.next(anchor).version for anchor in (0, 4, 5)]
        assert [known.next(anchor).until for anchor in (4, 5)] == [5, None]
        chain.sets[1] = third
        await known.learn(9)
        assert known.sets == (FIRST, second)
        await known.learn(9, anew=True)
        assert known.sets == (FIRST, third) and known.next(5).version == 0 and len(kept) == 2
        return found

    assert trio.run(main) == [0, 0, 1]
    rows = codec.decode(kept[-1], 1 << 20)
    assert isinstance(rows, tuple) and tuple(map(ValidatorSet.of, rows)) == (FIRST, third)


def test_a_settlement_chain_of_other_validators_is_corrupt() -> None:
    chain = Deposits()
    chain.sets = [ValidatorSet(0, 0, {KEY_ADDRESS: 7})]
    with pytest.raises(Corrupt, match="other validators"):
        trio.run(members(chain).learn, 1, True)


def test_a_lost_set_is_replaced_from_the_block_on_that_is_anchored_there() -> None:
    chain = Deposits()
    chain.sets += [ValidatorSet(1, 3, {KEY_ADDRESS: 2}), ValidatorSet(2, 6, {KEY_ADDRESS: 3}, replaces=True)]
    chain.add(5)

    async def main() -> list[int]:
        known = members(chain)
        before = [(await known.of(0, 5)).version, known.next(0).version]
        with pytest.raises(Unavailable):
            await known.of(0, 6)
        chain.add(6)
        return [*before, *[(await known.of(0, anchor)).version for anchor in (2, 6)], known.next(0).version]

    assert trio.run(main) == [0, 0, 0, 2, 2], "sets between are lost with it"


# Batcher


def header_of(height: int) -> Header:
    return Header(
        HEADER_VERSION, height, height, 0, ZERO_HASH, height, address_of(KEY), 0, 0, ZERO_HASH, 0, *(ZERO_HASH,) * 6, 0
    )


class Sealed:
    """The batcher's view of a store with blocks 1 to `height`."""

    def __init__(self, height: int) -> None:
        self.height = height

    def head(self) -> int | None:
        return self.height or None

    def header(self, height: int) -> bytes:
        header = header_of(height)
        vote = sign_vote(VoteKind.FINALISE, SPEC.chain_id, height, height, header.hash(), 0, KEY)
        return codec.encode((header.fields(), bytes(65), certify([vote]).fields()))


class Contract:
    """Takes commitments; those up to `posted` stand in a block, those up to `final` for ever."""

    def __init__(self, height: int = 0, posted: int = 0, final: int = 0) -> None:
        self.height, self.posted, self.final = height, posted, final
        self.spans: list[tuple[int, int]] = []
        self.refusals: list[Invalid | Unavailable] = []
        self.asked = 0
        self.money: int | None = None
        """For so many commitments; None where they cost nothing."""
        self.paid = self.tried = 0

    async def committed(self) -> Committed:
        return Committed(self.height, ZERO_HASH)

    async def submit(self, commitment: Commitment) -> bytes:
        if self.refusals:
            raise self.refusals.pop(0)
        if commitment.last_height > self.height and self.money is not None:
            self._pay()
        self.spans.append((commitment.first_height, commitment.last_height))
        self.height = commitment.last_height
        return commitment.id

    def _pay(self) -> None:
        self.tried += 1
        if not self.money:
            raise Invalid("The poster holds nothing.", "insufficient_balance")
        self.money, self.paid = self.money - 1, self.paid + 1

    async def poster(self) -> Poster | None:
        return None if self.money is None else Poster(bytes(20), self.money)

    async def standing(self, height: int) -> str:
        self.asked += 1
        return "final" if height <= self.final else "posted" if height <= self.posted else "pending"


def run_posting(contract: Contract, sealed: Sealed, *until: Any, alone: bool = True) -> list[tuple[int, int]]:
    """Let a batcher run until each condition held in turn; a condition may change things when it holds."""
    told: list[tuple[int, int]] = []

    async def main() -> None:
        batcher = Batcher(
            SPEC, sealed, contract, Stages(), lambda s: told.append((s.posted, s.final)), 0.001, alone=alone  # type: ignore[arg-type]
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            await nursery.start(batcher.run)
            with trio.fail_after(60):
                for holds in until:
                    while not holds():
                        await trio.sleep(0.001)
            nursery.cancel_scope.cancel()

    trio.run(main)
    return told


def changed(change: Any) -> Any:
    """A condition that changes something and holds at once."""

    def now() -> bool:
        change()
        return True

    return now


def test_complete_spans_are_posted_in_order_and_no_other() -> None:
    contract, sealed = Contract(), Sealed(2 * SPAN + 1)
    run_posting(
        contract, sealed,
        lambda: len(contract.spans) == 2,
        changed(lambda: setattr(sealed, "height", 3 * SPAN)),
        lambda: len(contract.spans) == 3,
    )  # fmt: skip
    assert contract.spans == [(1, SPAN), (SPAN + 1, 2 * SPAN), (2 * SPAN + 1, 3 * SPAN)]


def test_it_continues_where_the_settlement_chain_says() -> None:
    """After a restart, in the middle of a span, or when a reorganisation dropped some."""
    contract, sealed = Contract(height=SPAN + 1), Sealed(3 * SPAN)
    run_posting(
        contract, sealed,
        lambda: len(contract.spans) == 2,
        changed(lambda: setattr(contract, "height", SPAN)),
        lambda: len(contract.spans) == 4,
    )  # fmt: skip
    second, third = (SPAN + 1, 2 * SPAN), (2 * SPAN + 1, 3 * SPAN)
    assert contract.spans == [(SPAN + 2, 2 * SPAN), third, second, third]


def test_a_reorganisation_between_question_and_answer_is_asked_again() -> None:
    contract = Contract()
    contract.refusals = [Invalid("begins elsewhere", "not_next"), Unavailable("gone"), Unavailable("gone")]
    run_posting(contract, Sealed(SPAN), lambda: contract.spans)
    assert contract.spans == [(1, SPAN)]


def test_a_commitment_that_can_never_be_taken_is_corrupt() -> None:
    contract = Contract()
    contract.refusals = [Invalid("The anchor is gone.", "bad_anchor")]
    with pytest.raises(ExceptionGroup) as group:
        run_posting(contract, Sealed(SPAN), lambda: False)
    assert group.group_contains(Corrupt, match=f"refuses blocks 1 to {SPAN}: The anchor is gone")


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What the node logs."""
    stream = io.StringIO()
    configure("warning", Format.JSON, stream)
    yield stream
    silence()


def test_a_poster_without_money_waits_says_it_once_and_goes_on_when_funded(said: io.StringIO) -> None:
    contract = Contract()
    contract.money = 1
    run_posting(
        contract, Sealed(4 * SPAN),
        lambda: contract.tried > 20,
        changed(lambda: setattr(contract, "money", 2)),
        lambda: contract.paid == 3 and contract.tried > 40,
    )  # fmt: skip
    assert contract.spans == [(1, SPAN), (SPAN + 1, 2 * SPAN), (2 * SPAN + 1, 3 * SPAN)]
    assert said.getvalue().count("no money to post with") == 2, "once for each time that it ran out"


def test_what_another_has_posted_does_not_make_a_poor_poster_say_it_again(said: io.StringIO) -> None:
    contract, sealed = Contract(), Sealed(2 * SPAN)
    contract.money = 0

    async def paid_by_another(commitment: Commitment) -> bytes:
        contract.height = max(contract.height, commitment.last_height)
        del contract.submit  # type: ignore[method-assign]
        return commitment.id

    run_posting(
        contract, sealed,
        lambda: contract.tried > 5,
        changed(lambda: setattr(contract, "submit", paid_by_another)),
        lambda: contract.height == SPAN and contract.tried > 20,
    )  # fmt: skip
    assert said.getvalue().count("no money to post with") == 1


def test_marks_follow_the_standing_and_posted_may_fall_back_but_final_never() -> None:
    contract, sealed = Contract(height=4 * SPAN), Sealed(4 * SPAN)
    told: list[tuple[int, int]] = run_posting(
        contract, sealed,
        changed(lambda: setattr(contract, "posted", 3 * SPAN)),
        lambda: contract.asked > 20,
        changed(lambda: vars(contract).update(final=SPAN, posted=2 * SPAN, asked=0)),
        lambda: contract.asked > 20,
    )  # fmt: skip
    assert told[-1] == (2 * SPAN, SPAN) and (3 * SPAN, 0) in told


def test_marks_stay_with_the_blocks_that_are_stored_here() -> None:
    """What this node has run above its newest block may come to nothing, whatever others have posted at that height."""
    contract, sealed = Contract(height=4 * SPAN, posted=4 * SPAN, final=3 * SPAN), Sealed(2 * SPAN - 1)
    told: list[tuple[int, int]] = run_posting(
        contract, sealed,
        lambda: contract.asked > 20,
        changed(lambda: vars(contract).update(asked=0)),
        changed(lambda: setattr(sealed, "height", 4 * SPAN)),
        lambda: contract.asked > 20,
        alone=False,
    )  # fmt: skip
    assert told == [(SPAN, SPAN), (4 * SPAN, 3 * SPAN)]


def test_a_long_chain_is_placed_with_few_questions() -> None:
    contract = Contract(height=10**6 * SPAN, posted=900_000 * SPAN, final=800_000 * SPAN)
    told: list[tuple[int, int]] = []

    async def main() -> None:
        batcher = Batcher(SPEC, Sealed(10**6 * SPAN), contract, Stages(), lambda s: told.append((s.posted, s.final)), 1)  # type: ignore[arg-type]
        await batcher._follow()

    trio.run(main)
    assert told == [(900_000 * SPAN, 800_000 * SPAN)] and contract.asked <= 2 * 21


# The engine's thread


def engine_run(work: Any) -> Any:
    async def main() -> Any:
        engine = EngineThread()
        engine.start()
        try:
            return await work(engine)
        finally:
            engine.stop()

    return trio.run(main)


def test_jobs_run_on_one_thread_in_the_order_of_the_calls() -> None:
    seen: list[tuple[int, int]] = []

    async def work(engine: EngineThread) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(engine.run, lambda n: seen.append((n, threading.get_ident())), number)

    engine_run(work)
    assert sorted(number for number, _ in seen) == list(range(20)) and len({thread for _, thread in seen}) == 1


def test_however_many_reads_wait_a_batch_waits_for_one() -> None:
    seen: list[str] = []
    go = threading.Event()

    async def work(engine: EngineThread) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run, go.wait, 10)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(50):
                nursery.start_soon(engine.read, seen.append, "read")
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(3):
                nursery.start_soon(engine.run, seen.append, "batch")
            await trio.testing.wait_all_tasks_blocked()
            go.set()

    engine_run(work)
    assert seen == ["read", "batch"] * 3 + ["read"] * 47


def test_reads_that_still_wait_when_the_engine_stops_are_turned_away() -> None:
    go = threading.Event()
    refused: list[Unavailable] = []

    async def read(engine: EngineThread) -> None:
        try:
            await engine.read(int)
        except Unavailable as error:
            refused.append(error)

    async def work(engine: EngineThread) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run, go.wait, 10)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(3):
                nursery.start_soon(read, engine)
            await trio.testing.wait_all_tasks_blocked()
            go.set()
            engine.stop()

    engine_run(work)
    assert len(refused) in (2, 3), "one may have had its turn"


def test_too_many_reads_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.engine.READS_WAITING_MAX", 2)
    go = threading.Event()

    async def work(engine: EngineThread) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run, go.wait, 10)
            for _ in range(2):
                nursery.start_soon(engine.read, int)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(Unavailable, match="Too many reads"):
                await engine.read(int)
            go.set()

    engine_run(work)


def test_errors_come_back_to_the_caller_and_the_thread_goes_on() -> None:
    async def work(engine: EngineThread) -> int:
        with pytest.raises(Corrupt, match="broken"):
            await engine.run(_broken)
        return await engine.run(lambda: 5)

    assert engine_run(work) == 5


def _broken() -> None:
    raise Corrupt("broken")


def test_a_job_that_began_is_waited_for_when_its_caller_is_cancelled() -> None:
    began, go, ended = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        began.set()
        go.wait(10)
        ended.set()

    async def work(engine: EngineThread) -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run, job)
            await trio.to_thread.run_sync(began.wait)
            nursery.cancel_scope.cancel()
            go.set()
        return ended.is_set()

    assert engine_run(work)


# Blocks that fill up


async def burst(node: Node, count: int, gas: int) -> list[Receipt]:
    bank, first = node.programs["bank"], await node.client.sequence(development_address(8))
    call = bank.call("transfer", 0, development_address(9), "1")
    frame = [transaction(8, [call], sequence=first + number, gas=gas) for number in range(count)]
    answers = await node.client.send_many(frame)
    assert all(isinstance(answer, Receipt) and answer.status == "done" for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Receipt)]


def test_what_does_not_fit_a_blocks_gas_waits_for_the_next(tmp_path: Path) -> None:
    """Nobody is refused because a block was full."""
    small = replace(SPEC, gas_transaction_max=1_000_000, gas_batch_max=1_500_000, gas_block_max=2_000_000)
    with running(tmp_path, spec=small, market=False) as node:
        receipts = node.do(burst, node, 90, 1_000_000)
        blocks = {receipt.height for receipt in receipts}
        used = {height: node.do(node.client.block, height)["gas_used"] for height in blocks - {max(blocks)}}
    assert len(blocks) > 1 and all(gas <= small.gas_block_max for gas in used.values())


def test_batches_and_blocks_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH_BYTES_MAX", 1_000)
    monkeypatch.setattr(sequencer, "BLOCK_BYTES_FULL", 3_000)
    with running(tmp_path, market=False) as node:
        receipts = node.do(burst, node, 60, 100_000)
        heights = sorted({receipt.height for receipt in receipts})
        node.do(node.next_block)
        blocks = [node.do(node.client.block, height) for height in heights]
    assert all(block["transaction_count"] * 230 < 3_000 + 2_000 for block in blocks) and len(blocks) > 2


def test_a_batch_of_the_most_bytes_fits_the_engine() -> None:
    """Packed, a transaction is never half again as long as on the wire."""
    for count in (1, CALLS_MAX):
        for arguments in (b"", bytes(8)):
            call = Call(b"p" * 20, b"abcd", arguments)
            built = Transaction(1, b"a" * 20, 0, 0, 0, 0, 0, True, (call,) * count)
            signed = unsigned(built, b"a" * 20)
            packed = pack_transaction(signed, {b"p" * 20 + b"abcd": (len(arguments) // 8, 0)}, SPEC.gas)
            assert len(packed) * sequencer.BATCH_BYTES_MAX < len(signed.raw) * (16 << 20)


def lonely_service(store: Any) -> Service:
    """What is needed of a node to take transactions for another one that leads."""
    parts: Any = None
    service = Service(SPEC, store, parts, parts, Mempool(SPEC, 9), Stages())
    line: Any = SimpleNamespace(tip=initial_tip(SPEC, ZERO_HASH))
    service._line = line
    return service


def test_a_service_that_is_leaving_takes_no_transactions_of_clients() -> None:
    service = lonely_service(None)
    service.leave()
    with pytest.raises(Unavailable, match="This node is leaving; send to another one"):
        trio.run(service.handle, "sendTransactions", {"transactions": [], "wait": "executed"})
    assert trio.run(_answers, service) == []


async def _answers(service: Service) -> list[Any]:
    """What the node itself asks, of transactions that waited for another leader."""
    return await (await service.intake.run_here([], True)).finish()


def test_what_another_node_has_run_is_known_before_its_block_is_here(tmp_path: Path) -> None:
    """Until its block is certified; then what the block holds counts, and it waits for another one until it expires."""
    signed = transaction(6, [Call(b"p" * 20, b"abcd", b"")])
    submitted: list[Pending] = []
    forwarder: Any = SimpleNamespace(takes=lambda: True, submit=submitted.append, at_home=trio.lowlevel.checkpoint)
    receipt = Receipt(signed.id, 1, 0, "done", "", 5, 7, (), (), (0, 0))

    async def main() -> None:
        with Store(tmp_path / "store", ZERO_HASH) as store:
            service = lonely_service(store)
            service.intake.forwarder = forwarder
            entry = (signed.raw, signed.signer, signed.id)
            later = await service.handle("sendTransactions", {"transactions": [entry], "wait": "executed"})
            asked = {"transaction": signed.id, "proof": False}
            assert (await service.handle("tenor_getReceipt", asked))["stage"] == "received"
            submitted[0].done(receipt)
            assert await later.wait() == [receipt.encode()]
            assert (await service.handle("tenor_getReceipt", asked))["stage"] == "executed"
            assert service._line is not None
            service._line.tip = replace(service._line.tip, header=SimpleNamespace(height=1))
            assert (await service.handle("tenor_getReceipt", asked))["stage"] == "received"

    trio.run(main)
