"""The chain under CPython: calls, refusals, undo, contexts, classes, hooks."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Account, Decimal, Duration, Feed, Program, Rejected, Symbol, Timestamp, World
from execution.lang.instrument import Bundle
from execution.lang.sandbox import Call, Chain, Transaction
from tests.lang.venue import DESK, VAULT

BUNDLE = Bundle({"vault": VAULT, "desk": DESK})
ALICE, BOB = Account.numbered(0xA11CE), Account.numbered(0xB0B)
FEED = Feed(3)
SECOND = Duration.seconds(1)


class World_:
    """A chain with a vault (pinned as oracle) and a desk in front of it."""

    def __init__(self) -> None:
        self.chain = Chain()
        vault, desk = BUNDLE.load("vault"), BUNDLE.load("desk")
        self.side: Any = vault.Side
        self.chain.open_block(Timestamp(1_000))
        self.vault = self.chain.deploy(vault.Vault, Symbol("V"))
        self.desk = self.chain.deploy(desk.Desk, self.vault)
        self.chain.pin(oracle=self.vault)

    def call(self, target: Account, method: str, *arguments: Any, **options: Any) -> Any:
        return self.chain.call(ALICE, target, method, *arguments, **options)

    def refusal(self, target: Account, method: str, *arguments: Any, **options: Any) -> str:
        before = self.chain.state(self.vault), self.chain.state(self.desk), len(self.chain.events)
        with pytest.raises(Rejected) as caught:
            self.call(target, method, *arguments, **options)
        assert (self.chain.state(self.vault), self.chain.state(self.desk), len(self.chain.events)) == before
        return caught.value.reason.text


@pytest.fixture
def at() -> World_:
    return World_()


def test_state_is_plain_data(at: World_) -> None:
    at.call(at.vault, "rest", Decimal(7), 1, Decimal(2), at.side.SELL)
    at.call(at.vault, "rest", Decimal(5), 2, Decimal(3), at.side.BUY)
    state = at.chain.state(at.vault)
    one = 10**18
    assert state["levels"] == [
        (5 * one, (3 * one, [(2, (ALICE.data, 3 * one, 0))])),
        (7 * one, (2 * one, [(1, (ALICE.data, 2 * one, 1))])),
    ]
    assert (state["best"], state["side"], state["names"]) == (5 * one, 0, ["V"])
    assert state["last"] == (ALICE.data, 3 * one, 0)


def test_the_sender_is_the_immediate_caller_and_the_signer_stays(at: World_) -> None:
    assert at.call(at.desk, "through", 1, 4) == Decimal(8)
    state = at.chain.state(at.vault)
    assert (state["sender"], state["signer"]) == (at.desk.data, ALICE.data)


def test_a_failing_call_leaves_nothing(at: World_) -> None:
    assert at.refusal(at.desk, "through", 1, Decimal(-1)) == "negative"
    assert at.refusal(at.vault, "remove", 9) == "missing key"


def test_a_tolerated_refusal_undoes_its_block_and_keeps_locals(at: World_) -> None:
    assert at.call(at.desk, "tolerant", 5, Decimal(-1)) == 1
    assert at.chain.state(at.desk) == {"vault": at.vault.data, "notes": [], "refusals": 1}
    assert [type(emitted.event).__name__ for emitted in at.chain.events] == ["Refused"]
    assert at.call(at.desk, "tolerant", 5, Decimal(1)) == 2
    assert at.chain.state(at.desk)["notes"] == [(5, 1)]


def test_leaving_a_try_by_return_keeps_what_it_did(at: World_) -> None:
    at.call(at.desk, "tolerant", 4, Decimal(1))
    assert at.call(at.desk, "early", 8) == 4
    assert dict(at.chain.state(at.vault)["values"])[8] == 4 * 10**18
    at.call(at.desk, "tolerant", 6, Decimal(1))


def test_a_cap_of_nothing_is_out_of_gas(at: World_) -> None:
    assert at.call(at.desk, "starved", 1) is True


def test_a_program_on_the_stack_cannot_be_called_not_even_a_view(at: World_) -> None:
    assert at.refusal(at.desk, "back", at.desk) == "on the stack"


def test_an_unknown_program_and_an_unknown_entry_are_refused(at: World_) -> None:
    assert at.refusal(at.desk, "back", BOB) == "unknown program"
    other = at.chain.deploy(BUNDLE.load("desk").Desk, at.vault)
    assert at.refusal(at.desk, "back", other) == "unknown entry"


def test_depth_is_bounded(at: World_) -> None:
    at.chain.runner.depth_max = 1
    assert at.refusal(at.desk, "through", 1, Decimal(1)) == "call depth"


def test_an_entry_needs_a_transaction_of_its_class_or_a_later_one(at: World_) -> None:
    assert at.refusal(at.vault, "store", 1, Decimal(1), order="post_only") == "order class"
    at.call(at.vault, "rest", Decimal(1), 1, Decimal(1), at.side.BUY, order="cancel")
    assert at.refusal(at.vault, "value", 1, order="cancel") == "missing key"


def test_a_view_reads_only(at: World_) -> None:
    assert at.refusal(at.vault, "sneaky", 1) == "read only"
    assert at.refusal(at.vault, "shy") == "read only"
    assert at.refusal(at.desk, "asks", 1) == "unknown entry"


def test_a_world_shocks_price_and_time_and_empties_tx(at: World_) -> None:
    at.chain.set_quote(FEED, Decimal(100), SECOND)
    assert at.call(at.vault, "scene", FEED) == (Timestamp(1_000), ALICE, 0, Decimal(100), Timestamp(1_000))
    world = World(7, Decimal("0.5"), Decimal(1), Duration.hours(1))
    hour = Timestamp(3_601_000)
    assert at.chain.read(at.vault, "scene", FEED, world=world) == (hour, Account.zero(), 7, Decimal(50), hour)
    assert at.call(at.desk, "shocked", FEED) == Decimal(50)
    assert at.refusal(at.desk, "shocked_store", 1) == "bad argument"


def test_a_price_is_fresh_until_its_age_is_reached(at: World_) -> None:
    assert at.refusal(at.vault, "scene", FEED) == "no price"
    at.chain.set_quote(FEED, Decimal(100), SECOND)
    at.chain.open_block(Timestamp(2_000))
    at.call(at.vault, "scene", FEED)
    at.chain.open_block(Timestamp(2_001))
    assert at.refusal(at.vault, "scene", FEED) == "no price"


def test_handlers_run_once_at_the_end_and_may_refuse(at: World_) -> None:
    at.call(at.vault, "mark", ALICE)
    assert at.chain.state(at.vault)["checked"] == [ALICE.data]
    assert at.refusal(at.vault, "mark", Account.zero()) == "zero account"
    both = (Call(at.vault, "mark", (ALICE,)), Call(at.vault, "mark", (ALICE,)))
    at.chain.transact(Transaction(ALICE, both))
    assert len(at.chain.state(at.vault)["checked"]) == 2
    at.chain.transact(Transaction(ALICE, both, atomic=False))
    assert len(at.chain.state(at.vault)["checked"]) == 4


def test_an_atomic_transaction_is_all_or_nothing_an_independent_one_is_not(at: World_) -> None:
    calls = (Call(at.vault, "store", (1, Decimal(1))), Call(at.vault, "store", (2, Decimal(-1))))
    receipt = at.chain.transact(Transaction(ALICE, calls))
    assert [why.text for why in receipt.reasons if why] == ["atomic", "negative"]
    assert at.chain.state(at.vault)["values"] == []
    receipt = at.chain.transact(Transaction(ALICE, calls, atomic=False))
    assert receipt.results == (Decimal(2), None)
    assert receipt.reason is not None and receipt.reason.text == "negative"
    assert len(at.chain.state(at.vault)["values"]) == 1


def test_a_quote_wakes_its_subscribers_in_the_next_batch(at: World_) -> None:
    at.chain.batch(
        [Transaction(ALICE, (Call(at.vault, "watch", (FEED,)), Call(at.vault, "quote_it", (FEED, Decimal(9)))))]
    )
    assert at.chain.state(at.vault)["prices"] == []
    at.chain.batch()
    at.chain.batch()
    assert at.chain.state(at.vault)["prices"] == [9 * 10**18]
    at.call(at.vault, "ignore", FEED)
    at.call(at.vault, "quote_it", FEED, Decimal(8))
    at.chain.batch()
    assert len(at.chain.state(at.vault)["prices"]) == 1


def test_a_failing_hook_is_recorded_and_tried_again_a_bounded_number_of_times(at: World_) -> None:
    at.chain.hook_tries_max = 3
    at.call(at.vault, "watch", FEED)
    at.call(at.vault, "quote_it", FEED, Decimal(0))
    for _ in range(6):
        at.chain.batch()
    assert [(failure.reason.text, failure.tries) for failure in at.chain.hook_failures] == [
        ("no market", 1),
        ("no market", 2),
        ("no market", 3),
    ]


def test_a_schedule_runs_when_its_time_has_come_and_again_while_it_retries(at: World_) -> None:
    at.call(at.vault, "wake", Timestamp(5_000))
    at.chain.batch()
    assert at.chain.state(at.vault)["ticks"] == 0
    at.chain.open_block(Timestamp(5_000))
    for ticks in (1, 2, 3, 3):
        at.chain.batch()
        assert at.chain.state(at.vault)["ticks"] == ticks
    assert at.refusal(at.vault, "wake", Timestamp(-1)) == "bad argument"


def test_only_the_pinned_oracle_publishes(at: World_) -> None:
    at.chain.pin(oracle=at.desk)
    assert at.refusal(at.vault, "quote_it", FEED, Decimal(1)) == "not authorised"


def test_batches_run_cancellations_first(at: World_) -> None:
    at.call(at.vault, "store", 1, Decimal(1))
    trade = Transaction(ALICE, (Call(at.vault, "store", (1, Decimal(5))),))
    cancel = Transaction(BOB, (Call(at.vault, "value", (1,)),), order="cancel")
    receipts = at.chain.batch([trade, cancel])
    assert [receipt.results for receipt in receipts] == [(Decimal(10),), (Decimal(1),)]


def test_a_chain_goes_back_to_a_mark(at: World_) -> None:
    at.call(at.vault, "watch", FEED)
    mark, before = at.chain.mark(), at.chain.state(at.vault)
    at.chain.deploy(BUNDLE.load("desk").Desk, at.vault)
    at.call(at.vault, "quote_it", FEED, Decimal(4))
    at.chain.batch([Transaction(ALICE, (Call(at.vault, "store", (1, Decimal(1))),))])
    at.chain.undo(mark)
    assert at.chain.state(at.vault) == before
    assert len(at.chain.runner.programs) == 2
    at.chain.batch()
    assert at.chain.state(at.vault)["prices"] == []


def test_a_program_with_python_arithmetic_is_not_deployed() -> None:
    class Plain(Program):
        def create(self) -> None:
            pass

    with pytest.raises(TypeError, match="instrument"):
        Chain().deploy(Plain)
