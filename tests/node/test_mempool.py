"""The mempool: what it lets in, in which order it hands over, and how lanes stay exact when one is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.chain import Call, Deployment, DeployTransaction, SignedTransaction, Transaction, unsigned
from genesis.errors import Invalid, Unavailable
from genesis.presets import load_preset
from node import mempool as module
from node.engine import EngineThread
from node.mempool import Mempool, Pending, leaves_free
from node.waiting_again import GivenUp, put_back

SPEC = load_preset("devnet")
NOW_MS = 1_000
ALICE, BOB = b"a" * 20, b"b" * 20
TAKE = (10**12, 10**6, 1 << 40)


def transaction(sequence: int, *, lane: int = 0, signer: bytes = ALICE, **fields: Any) -> SignedTransaction:
    values = {"expiry": NOW_MS, "gas": 100_000, "fee": SPEC.fee_min, **fields}
    call = Call(b"p" * 20, b"abcd", b"")
    built = Transaction(SPEC.chain_id, signer, lane, sequence, atomic=True, calls=(call,), **values)
    return unsigned(built, signer)


def deployment(sequence: int, lane: int = 0) -> SignedTransaction:
    built = DeployTransaction(
        SPEC.chain_id, ALICE, lane, sequence, NOW_MS, 100_000, SPEC.fee_min, "p", (("p.py", ""),), b""
    )
    return unsigned(built, ALICE)


def work_of(signed: SignedTransaction, size: int = 3) -> Deployment:
    return Deployment(b"d" * 20, signed.id, ALICE, "p", b"", b"", "tenor 1", bytes(32), b"w" * size, "{}")


class Pool(Mempool):
    """Knows that no lane was used before, and keeps what was answered."""

    def __init__(self, transactions_max: int = 1_000) -> None:
        super().__init__(SPEC, transactions_max)
        self.answers: dict[bytes, Any] = {}

    def pending(self, signed: SignedTransaction, used: int = -1) -> Pending:
        keys = self.unknown([signed])
        self.learn(keys, [used] * len(keys))
        return Pending(signed, lambda answer: self.answers.__setitem__(signed.id, answer))

    def put(self, signed: SignedTransaction, used: int = -1) -> Pending:
        pending = self.pending(signed, used)
        self.admit(pending, NOW_MS)
        return pending

    def sequences(self) -> list[int]:
        return [one.signed.transaction.sequence for one in self.take(*TAKE)]


def code_of(pool: Pool, signed: SignedTransaction, used: int = -1) -> str:
    with pytest.raises(Invalid) as refused:
        pool.put(signed, used)
    return refused.value.code


def test_what_can_never_run_is_refused_with_its_code() -> None:
    pool = Pool()
    wrong = replace(transaction(0).transaction, chain=1)
    assert code_of(pool, unsigned(wrong, ALICE)) == "wrong_chain"
    assert code_of(pool, transaction(0, expiry=NOW_MS - 1)) == "expired"
    assert code_of(pool, transaction(0, gas=SPEC.gas_transaction_min - 1)) == "gas_limit"
    assert code_of(pool, transaction(0, gas=SPEC.gas_transaction_max + 1)) == "gas_limit"
    assert code_of(pool, transaction(0, fee=SPEC.fee_min - 1)) == "fee_too_low"
    assert code_of(pool, transaction(4), used=4) == "sequence_gap", "lanes are learnt once"
    assert code_of(pool, transaction(4, signer=BOB), used=4) == "sequence_used"
    assert code_of(pool, transaction(6, signer=BOB)) == "sequence_gap"
    assert len(pool) == 0 and pool.statistics()["bytes"] == 0 and not pool.arrived.is_set()


def test_other_lanes_may_leave_gaps() -> None:
    pool = Pool()
    for sequence in (3, 9):
        pool.put(transaction(sequence, lane=5))
    assert code_of(pool, transaction(9, lane=5, gas=200_000)) == "sequence_used"
    assert pool.sequences() == [3, 9]


def test_the_same_transaction_twice_is_known() -> None:
    pool = Pool()
    pool.put(transaction(0))
    assert code_of(pool, transaction(0)) == "known_transaction"


def test_a_full_pool_asks_to_come_again() -> None:
    pool = Pool(transactions_max=2)
    pool.put(transaction(0))
    pool.put(transaction(1))
    with pytest.raises(Unavailable, match="2 transactions are waiting"):
        pool.put(transaction(2))
    assert pool.sequences() == [0, 1]
    pool.put(transaction(2))
    assert pool.sequences() == [2]


def test_a_batch_is_cut_by_gas_count_and_bytes_but_never_empty() -> None:
    size = len(transaction(0).raw)
    for limits, cut in (((250_000, 9, 10**6), 2), ((10**9, 3, 10**6), 3), ((10**9, 9, 2 * size), 2), ((1, 9, 1), 1)):
        pool = Pool()
        for sequence in range(5):
            pool.put(transaction(sequence))
        assert len(pool.take(*limits)) == cut
        assert pool.arrived.is_set() and len(pool) == 5 - cut


def test_a_refused_one_frees_its_sequence_and_takes_lane_0_with_it() -> None:
    """Those of another lane and of another signer go on."""
    pool = Pool()
    first = pool.put(transaction(0))
    assert pool.take(*TAKE) == [first]
    follower = pool.put(transaction(1))
    others = [pool.put(transaction(0, signer=BOB)), pool.put(transaction(2, lane=5))]
    pool.settle(first, refused=True)
    again = pool.put(transaction(0, gas=200_000))
    assert pool.take(*TAKE) == [*others, again]
    assert pool.answers[follower.signed.id].code == "sequence_gap"
    pool.put(transaction(1, gas=200_000))
    assert pool.sequences() == [1]


def test_a_whole_batch_refused_frees_the_lowest_sequence() -> None:
    pool = Pool()
    batch = [pool.put(transaction(sequence)) for sequence in range(3)]
    pool.take(*TAKE)
    pool.settle(batch[0], refused=False)
    pool.settle(batch[1], refused=True)
    pool.settle(batch[2], refused=True)
    assert code_of(pool, transaction(2)) == "sequence_gap"
    pool.put(transaction(1))
    assert pool.sequences() == [1]


def test_a_refused_one_of_another_lane_frees_its_sequence_when_nothing_came_after_it() -> None:
    pool = Pool()
    for later, code in ((False, None), (True, "sequence_used")):
        lane = 6 + later
        first = pool.put(transaction(4, lane=lane))
        pool.take(*TAKE)
        if later:
            pool.put(transaction(7, lane=lane))
        pool.settle(first, refused=True)
        if code:
            assert code_of(pool, transaction(4, lane=lane)) == code
        else:
            pool.put(transaction(4, lane=lane))
        pool.take(*TAKE)


def test_lanes_in_use_are_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANES_REMEMBERED_MAX", 2)
    pool = Pool()
    pool.put(transaction(0))
    idle = pool.put(transaction(0, lane=9))
    pool.put(transaction(0, signer=BOB))
    pool.put(transaction(1), used=99)
    assert {one.signed.transaction.sequence for one in pool.take(*TAKE)} == {0, 1}
    pool.settle(idle, refused=False)
    pool.put(transaction(0, lane=3, signer=BOB))
    assert pool.unknown([idle.signed]) == ((ALICE, 9),)


def test_a_deployment_holds_its_lane_until_it_is_compiled() -> None:
    pool = Pool()
    before = pool.put(transaction(0))
    held = pool.pending(deployment(1))
    pool.hold(held, NOW_MS)
    behind, other = pool.put(transaction(2)), pool.put(transaction(0, signer=BOB))
    assert pool.take(*TAKE) == [before, other] and not pool.arrived.is_set()
    assert len(pool) == 2 and pool.statistics()["compiling"] == 1
    pool.release(held, work_of(held.signed))
    assert pool.arrived.is_set() and pool.take(*TAKE) == [held, behind]
    assert held.work is not None and pool.statistics()["bytes"] == 0


def test_a_deployment_that_does_not_compile_frees_its_sequence() -> None:
    pool = Pool()
    held = pool.pending(deployment(0))
    pool.hold(held, NOW_MS)
    behind = pool.put(transaction(1))
    pool.drop(held, Invalid("no", "does_not_compile"))
    assert pool.take(*TAKE) == []
    assert pool.answers[held.signed.id].code == "does_not_compile"
    assert pool.answers[behind.signed.id].code == "sequence_gap"
    pool.put(transaction(0))
    assert pool.sequences() == [0] and len(pool) == 0


def test_what_is_behind_in_another_lane_does_not_mind() -> None:
    pool = Pool()
    held = pool.pending(deployment(0, lane=5))
    pool.hold(held, NOW_MS)
    behind = pool.put(transaction(1, lane=5))
    pool.drop(held, Invalid("no", "does_not_compile"))
    assert pool.take(*TAKE) == [behind]


def test_deployments_waiting_for_the_compiler_are_bounded() -> None:
    pool = Pool()
    for sequence in range(module.HELD_MAX):
        pool.hold(pool.pending(deployment(sequence)), NOW_MS)
    with pytest.raises(Unavailable, match="compiler"):
        pool.hold(pool.pending(deployment(module.HELD_MAX)), NOW_MS)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.booleans()), max_size=60))
def test_lane_0_never_reaches_a_batch_with_a_gap(steps: list[tuple[int, int, bool]]) -> None:
    """A kernel that takes only the next sequence, and refuses some: everyone is answered, nothing stays behind."""
    pool, state, sent = Pool(), 0, 0
    held: list[Pending] = []

    def run() -> None:
        nonlocal state
        batch = pool.take(10**9, 2, 1 << 30)
        answers = []
        for one in batch:
            good = one.signed.transaction.sequence == state and one.signed.transaction.gas != 50_000
            state += good
            answers.append((one, good))
        for one, good in answers:
            pool.settle(one, refused=not good)
            one.done("done" if good else "refused")

    def settle(which: int, good: bool) -> None:
        if held:
            one = held.pop(which % len(held))
            if good:
                pool.release(one, work_of(one.signed))
            else:
                pool.drop(one, Invalid("no", "does_not_compile"))

    for action, number, flag in steps:
        if action == 0:
            run()
        elif action == 1:
            settle(number, flag)
        else:
            signed = (
                deployment(state + number)
                if action == 2
                else transaction(state + number, gas=50_000 if flag else 90_000)
            )
            try:
                pending = pool.pending(signed, state - 1)
                (pool.hold if action == 2 else pool.admit)(pending, NOW_MS)
            except (Invalid, Unavailable):
                continue
            sent += 1
            if action == 2:
                held.append(pending)
    while held:
        settle(0, True)
    while pool.arrived.is_set():
        run()
    assert len(pool) == 0 and pool.statistics()["bytes"] == 0 and pool.statistics()["compiling"] == 0
    assert len(pool.answers) <= sent
    pool.put(transaction(state, gas=77_777), state - 1)


class Used:
    """An executor that knows the last sequence used of each lane."""

    def __init__(self, used: dict[tuple[bytes, int], int]) -> None:
        self._used = used

    def sequences(self, pairs: list[tuple[bytes, int]]) -> list[int]:
        return [self._used.get(pair, -1) for pair in pairs]


def test_what_was_given_up_waits_again_before_all_that_came_since() -> None:
    """In lane 0 from the sequence the state stands at; what expired or is used is refused; a compilation goes on."""
    pool = Pool()
    compiling, behind, other = deployment(4), transaction(5), transaction(0, signer=BOB)
    held = pool.pending(compiling, 3)
    pool.hold(held, NOW_MS)
    pool.put(behind)
    pool.put(other)
    done = [transaction(sequence) for sequence in range(4)]
    late = transaction(0, lane=7, expiry=NOW_MS - 1)
    rolled_back = GivenUp(tuple((one, None) for one in (*done, late)), ())

    async def run() -> tuple[int, int]:
        engine = EngineThread()
        engine.start()
        try:
            return await put_back(pool, engine, Used({(ALICE, 0): 1}), rolled_back, NOW_MS)  # type: ignore[arg-type]
        finally:
            engine.stop()

    assert trio.run(run) == (2, 3)
    assert pool.statistics()["compiling"] == 1
    assert [(one.signed.signer, one.signed.transaction.sequence) for one in pool.take(*TAKE)] == [
        (ALICE, 2), (ALICE, 3), (BOB, 0),
    ]  # fmt: skip
    pool.release(held, work_of(compiling))
    assert pool.sequences() == [4, 5]
    assert not pool.answers and pool.statistics()["bytes"] == 0


def test_a_compilation_whose_place_went_with_the_chain_comes_to_nothing() -> None:
    pool = Pool()
    held = pool.pending(deployment(4), 3)
    pool.hold(held, NOW_MS)
    assert pool.empty() == [held]
    pool.release(held, work_of(held.signed))
    pool.drop(held, Invalid("late", "late"))
    assert not pool.answers and pool.statistics()["bytes"] == pool.statistics()["compiling"] == 0


def test_a_lane_at_rest_that_disagrees_is_asked_for_again_a_busy_one_is_not() -> None:
    pool = Pool()
    waiting = pool.put(transaction(0))
    pool.forget([transaction(5)])
    assert pool.unknown([transaction(5)]) == (), "what is on its way decides"
    pool.take(*TAKE)
    pool.settle(waiting, refused=False)
    pool.forget([transaction(1), transaction(2)])
    assert pool.unknown([transaction(1)]) == (), "a frame's first agrees"
    pool.forget([transaction(2)])
    assert pool.unknown([transaction(2)]) == ((ALICE, 0),)
    pool.put(transaction(2), used=1)
    assert pool.sequences() == [2]


def test_what_was_taken_before_the_chain_went_back_settles_after_it() -> None:
    """Another node was asked to run it meanwhile."""
    for refused in (False, True):
        pool = Pool()
        for lane in (0, 1):
            pool.put(transaction(0, lane=lane))
        taken = pool.take(*TAKE)
        assert pool.empty() == []
        pool.put(transaction(1, lane=0), used=0)
        for pending in taken:
            pool.settle(pending, refused)
        assert [pending.signed for pending in pool.take(*TAKE)] == [transaction(1, lane=0)]
        pool.put(transaction(2, lane=0))


def test_what_comes_again_while_it_waits_is_answered_together() -> None:
    pool, heard = Pool(), list[Any]()
    first = pool.put(transaction(0))
    assert pool.join(first.signed.id, heard.append)
    assert not pool.join(transaction(1).id, heard.append)
    (taken,) = pool.take(*TAKE)
    assert not pool.join(taken.signed.id, heard.append), "it waits no more"
    taken.done("outcome")
    assert heard == ["outcome"] and pool.answers == {first.signed.id: "outcome"}


def test_so_many_wait_for_one_outcome_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as would not fit on the interpreter's stack."""
    monkeypatch.setattr(module, "HEARERS_MAX", 5_000)
    pool, heard = Pool(), list[Any]()
    first = pool.put(transaction(0))
    for _ in range(5_000 - 1):
        assert pool.join(first.signed.id, heard.append)
    with pytest.raises(Unavailable, match="ask for its receipt"):
        pool.join(first.signed.id, heard.append)
    first.done("outcome")
    assert heard == ["outcome"] * (5_000 - 1) and pool.answers == {first.signed.id: "outcome"}


def test_a_used_sequence_leaves_no_gap_behind_it_any_other_refusal_does() -> None:
    for refusal, free in (
        (Invalid("Used.", "sequence_used"), False),
        (Invalid("Fee.", "fee_unpayable"), True),
        (Unavailable("Later."), True),
    ):
        pool = Pool()
        first, second = pool.put(transaction(0)), pool.put(transaction(1))
        pool.take(10**12, 1, 1 << 40)
        pool.settle(first, leaves_free(refusal))
        assert (pool.take(*TAKE) == [second]) is not free


def test_what_is_put_back_to_a_lane_that_was_forgotten_is_returned() -> None:
    pool = Pool()
    pool.put(transaction(0))
    stays = pool.put(transaction(0, signer=BOB))
    taken = pool.take(*TAKE)
    pool.empty()
    pool.learn([stays.key], [-1])
    stays.lane = pool._lanes[stays.key]
    assert pool.put_back(taken) == taken[:1]
    assert pool.take(*TAKE) == [stays]
