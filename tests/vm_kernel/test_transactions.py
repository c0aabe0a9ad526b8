"""What makes a transaction refused, failed or done: sequences, expiry, gas, fees, agents, classes, atomicity."""

from __future__ import annotations

from execution.executor import Opening
from genesis.chain import Deposit
from genesis.derived import derived_address
from tests.vm_kernel.bank import ALICE, BANK, BOB, FEES, PRICE, UNIT, account, amount, balance, bank_call, chain, number
from tests.vm_kernel.tiny import Node, address, call_of, dispatch, planned, transaction, word


def alone() -> Node:
    return Node(planned(0, dispatch))


def reason_of(node: Node, **fields: object) -> str:
    values = {"sequence": 0, **fields}
    outcome = node.run(transaction([call_of(0, "set(int)", 5)], **values)).outcomes[0]  # type: ignore[arg-type]
    assert outcome.status in ("done", "refused")
    return outcome.reason


def test_lane_0_is_contiguous_and_other_lanes_only_grow() -> None:
    node = alone()
    assert reason_of(node, sequence=1) == "sequence gap"
    assert [reason_of(node, sequence=n) for n in (0, 0, 1, 3)] == ["", "sequence used", "", "sequence gap"]
    assert [reason_of(node, sequence=n, lane=4) for n in (7, 7, 6, 9)] == ["", "sequence used", "sequence used", ""]
    assert node.machine.sequences([(b"s" * 20, 0), (b"s" * 20, 4), (b"s" * 20, 5)]) == (1, 9, -1)


def test_lanes_of_a_signer_are_bounded() -> None:
    node = alone()
    reasons = [reason_of(node, lane=lane) for lane in range(1, 19)]
    assert reasons == [""] * 16 + ["too many lanes"] * 2


def test_expiry_and_gas_bounds() -> None:
    node = alone()
    assert reason_of(node, expiry=999) == "expired"
    assert reason_of(node, gas=29_999) == "gas too low"
    assert reason_of(node, gas=5_000_001) == "gas too high"
    assert reason_of(node, expiry=1000) == ""


def test_a_refused_transaction_changes_nothing() -> None:
    node = alone()
    before = node.machine.memory_of(0, 16_384)
    node.run()
    counted = node.machine.memory_of(0, 16_384)
    assert reason_of(node, expiry=999) == "expired"
    changed = [n for n in range(0, 16_384, 8) if node.machine.memory_of(0, 16_384)[n : n + 8] != counted[n : n + 8]]
    assert changed == [1536], "only the number of batches grows"
    assert before != counted


def test_atomic_calls_share_one_fate_and_independent_ones_do_not() -> None:
    node = alone()
    calls = [call_of(0, "set(int)", 5), call_of(0, "fail(int)", 9), call_of(0, "set(int)", 6)]
    outcome = node.one(*calls, atomic=True)
    assert outcome.status == "failed" and outcome.call_reasons == ("atomic", "0x0000000000000009", "atomic")
    assert node.cell(0) == 0
    outcome = node.one(*calls)
    assert outcome.status == "done" and [bool(reason) for reason in outcome.call_reasons] == [False, True, False]
    assert node.cell(0) == 6 and word(outcome.results[2]) == 5


def test_out_of_gas_keeps_the_calls_that_were_done() -> None:
    node = alone()
    outcome = node.one(call_of(0, "set(int)", 5), call_of(0, "spin()"), call_of(0, "set(int)", 6), gas=100_000)
    assert outcome.status == "done" and outcome.call_reasons == ("", "out of gas", "out of gas")
    assert outcome.gas_used == 100_000 and node.cell(0) == 5


def test_a_calls_own_cap_ends_only_that_call() -> None:
    node = alone()
    outcome = node.one(call_of(0, "spin()", gas=50_000), call_of(0, "set(int)", 6))
    assert outcome.call_reasons == ("out of gas", "") and node.cell(0) == 6


def test_the_fee_is_gas_used_times_price_and_goes_to_the_fee_account() -> None:
    node = chain()
    for call, status in ((call_of(1, "set(int)", 5), "done"), (call_of(1, "fail(int)", 5), "failed")):
        held, paid = balance(node, ALICE), balance(node, FEES)
        outcome = node.one(call, fee=PRICE)
        assert outcome.status == status and outcome.fee == outcome.gas_used * PRICE > 0
        assert balance(node, ALICE) == held - outcome.fee and balance(node, FEES) == paid + outcome.fee


def test_a_fee_that_cannot_be_paid_refuses_and_leaves_the_sequence() -> None:
    node = chain()
    before = balance(node, BOB)
    outcome = node.one(call_of(1, "set(int)", 5), signer=BOB, fee=10 * PRICE)
    assert (outcome.status, outcome.reason, outcome.fee) == ("refused", "fee unpayable", 0)
    assert balance(node, BOB) == before and node.machine.sequences([(BOB, 0)]) == (-1,)
    node.next[BOB, 0] = 0
    assert node.one(call_of(1, "set(int)", 5), signer=BOB, fee=0).status == "done"


def test_an_agent_acts_within_its_scope_and_time() -> None:
    node = chain()
    grant = bank_call("authorise", account(BOB), account(address(1)), number(5_000))
    assert node.one(grant).status == "done"
    calls = {
        "in scope": call_of(1, "set(int)", 5),
        "outside": bank_call("transfer", number(0), account(BOB), amount(5)),
    }
    assert node.one(calls["in scope"], signer=BOB, account=ALICE, fee=PRICE).status == "done"
    refused = node.one(calls["outside"], signer=BOB, account=ALICE)
    assert (refused.status, refused.reason) == ("refused", "not authorised")
    node.next[BOB, 0] = 1
    assert node.one(calls["in scope"], signer=BOB, account=b"n" * 20).reason == "not authorised"
    assert balance(node, BOB) == UNIT // 1000, "the fee was the account's"


def test_a_sub_account_acts_by_its_owner_and_pays_its_own_fees() -> None:
    node = chain()
    sub = derived_address(ALICE, 0)
    assert node.one(bank_call("transfer", number(0), account(sub), amount(UNIT))).status == "done"
    pay = bank_call("transfer", number(0), account(BOB), amount(5))
    assert node.run(node.signed(pay, account=sub)).outcomes[0].reason == "not authorised", "it is not open"
    node.next[ALICE, 0] -= 1
    opened = node.one(bank_call("open_sub", number(0)))
    assert opened.results[0] == account(sub)
    assert node.one(bank_call("authorise", account(BOB), account(address(1)), number(5_000))).status == "done"
    before = balance(node, ALICE)
    done = node.one(pay, account=sub, fee=PRICE)
    assert done.status == "done" and balance(node, sub) == UNIT - 5 - done.fee
    assert node.one(call_of(1, "set(int)", 5), signer=BOB, account=sub, fee=PRICE).status == "done", "an agent in scope"
    assert node.one(pay, signer=BOB, account=sub).reason == "not authorised"
    assert balance(node, ALICE) == before


def test_an_entry_is_reachable_only_by_its_class_or_a_later_one() -> None:
    node = chain()
    transfer = bank_call("transfer", number(0), account(BOB), amount(5))
    revoke = bank_call("revoke", account(BOB))
    for lane in (1 << 30, 2 << 30):
        assert node.one(transfer, lane=lane).reason == "order class"
    assert node.one(transfer).status == "done"
    assert node.one(revoke, lane=2 << 30).call_reasons == node.one(revoke).call_reasons != ("order class",)


def test_deposits_are_credited_before_the_first_transaction_and_withdrawals_reported_once() -> None:
    node = chain()
    node.run()
    node.seal()
    rich = b"n" * 20
    opening = Opening(2, 2_000, 0, b"", (Deposit(0, rich, 0, 77, 1),))
    spend = node.signed(bank_call("withdraw", number(0), amount(70)), signer=rich)
    undone = node.signed(
        bank_call("withdraw", number(0), amount(1)), call_of(1, "fail(int)", 1), signer=rich, atomic=True
    )
    other = node.signed(bank_call("transfer", number(0), account(BOB), amount(3)), signer=rich)
    result = node.machine.apply(opening, [spend, undone, other])
    assert [outcome.status for outcome in result.outcomes] == ["done", "failed", "done"]
    sealed = node.seal()
    assert [(w.index, w.account, w.amount) for w in sealed.withdrawals] == [(0, rich, 70)]
    assert balance(node, rich) == 4 and sealed.claims_root != bytes(32)
    assert node.machine.programs()[0].address == BANK
