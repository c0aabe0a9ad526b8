"""
Deposits for storage: paid by who adds, given back to who deletes, conserved to the unit, never more than was paid in.
"""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution import programs
from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.optimise import optimise
from execution.executor import BatchResult, Opening, Outcome
from execution.vm.kernel.places import KERNEL_EVENT_DEPOSIT
from execution.vm.layout import LIVE_BYTES, PAID_BYTES
from execution.vm.mirror import Mirror
from genesis.chain import Call, Deployment
from genesis.derived import PURSE, derived_address
from genesis.gas import GAS_TABLE
from genesis.spec import ChainSpec
from tests.vm_kernel.bank import (
    ALICE,
    BANK,
    BOB,
    PRICE,
    UNIT,
    account,
    amount,
    balance,
    bank_call,
    bank_program,
    compiled,
    number,
    spec_of_bank,
)
from tests.vm_kernel.tiny import Node, plan, spec

KEEPER, OTHER = b"K" * 20, b"L" * 20
BYTE = 10**12
"""Price of a byte."""
NOTE = 24 + 16
"""Bytes of one note and one waiting item."""
GAS = 1_000_000
MONEY = 1000 * UNIT + UNIT // 1000
Step = tuple[str, int, bytes, bytes, int, bool]
"""Entry, argument, signer, keeper, price of gas, atomic."""


@lru_cache(maxsize=1)
def keeper() -> Artifact:
    source = (Path(__file__).parent / "keeper.py").read_text()
    return compile_bundle({"keeper.py": source}, "keeper.py", dict(GAS_TABLE))


def mirror(rules: ChainSpec) -> Any:
    """The same kernel under CPython, programs interpreted."""
    bank = bank_program()
    sources = {Path(programs.__file__).parent / "bank.py": bank.code.code_hash}
    sources[Path(__file__).parent / "keeper.py"] = sha256(keeper().wasm).digest()
    modules = {
        code: optimise(compile_ir({path.name: path.read_text()}, path.name)[0], dict(GAS_TABLE))
        for path, code in sources.items()
    }
    made = Mirror(lambda _: plan(bank), modules)
    made.genesis(rules)
    return made


def call(name: str, *words: int, of: bytes = KEEPER, gas: int = 0) -> Call:
    selector = keeper().abi.entry(name).selector.to_bytes(4, "little")
    return Call(of, selector, b"".join(map(number, words)), gas)


class Depot(Node):
    """The bank and two keepers, each with `stored` items that nobody paid for; checked after every batch."""

    def __init__(self, stored: int = 0, mirrored: bool = False, **changes: int) -> None:
        self.rules = replace(spec_of_bank(), **{"deposit_byte": BYTE, "fee_min": PRICE, **changes})
        super().__init__(bank_program(), of=self.rules)
        if mirrored:
            self.machine = mirror(self.rules)
        made = keeper()
        deployments = tuple(
            Deployment(
                at, bytes(32), ALICE, "keeper", account(BANK) + number(stored), b"", "1", made.ir_hash, made.wasm,
                made.abi.text(),
            )
            for at in (KEEPER, OTHER)
        )  # fmt: skip
        self.machine.apply(Opening(1, 1_000, 0, b"", (), deployments), [])

    def word(self, program: bytes, place: int) -> int:
        return int.from_bytes(self.machine.memory(program)[place : place + 4], "little")

    def paid(self, program: bytes = KEEPER) -> int:
        return self.word(program, PAID_BYTES)

    def live(self, program: bytes = KEEPER) -> int:
        return self.word(program, LIVE_BYTES)

    @property
    def deposits(self) -> int:
        return int(decode_state(compiled().abi, self.machine.memory(BANK))["deposits"])

    def run(self, *batch: Any) -> BatchResult:
        result = super().run(*batch)
        state = decode_state(compiled().abi, self.machine.memory(BANK))
        assert state["held"] == 0
        assert state["deposits"] + sum(held for _, held in state["balances"]) == MONEY
        assert state["deposits"] == BYTE * sum(self.paid(program) for program in (BANK, KEEPER, OTHER))
        assert all(self.paid(program) <= self.live(program) for program in (BANK, KEEPER, OTHER))
        return result

    def fund(self, money: int) -> bytes:
        """Alice fills the purse of the first keeper: its address."""
        assert self.one(bank_call("fund_gas", account(KEEPER), amount(money))).status == "done"
        return derived_address(KEEPER, PURSE)

    def did(self, *calls: Call, **fields: Any) -> tuple[Outcome, int]:
        """The outcome, and what the account has more than before, its fee left aside."""
        signer = fields.get("signer", ALICE)
        before = balance(self, signer)
        outcome = self.one(*calls, **({"gas": GAS} | fields))
        return outcome, balance(self, signer) - before + outcome.fee


@pytest.mark.parametrize("fee", [0, PRICE])
def test_who_adds_pays_and_who_deletes_is_paid(fee: int) -> None:
    depot = Depot()
    outcome, change = depot.did(call("push", 10), fee=fee)
    assert (outcome.status, change) == ("done", -10 * NOTE * BYTE)
    assert depot.one(bank_call("transfer", number(0), account(BOB), amount(UNIT))).status == "done"
    outcome, change = depot.did(call("pop", 4), fee=fee, signer=BOB)
    assert (outcome.status, change) == ("done", 4 * NOTE * BYTE)
    assert depot.deposits == 6 * NOTE * BYTE


def test_fee_and_gas_are_what_they_are_where_storage_is_free() -> None:
    (charged, change), (free, nothing) = (
        Depot(deposit_byte=price).did(call("push", 10), call("put", 1, 3), fee=PRICE) for price in (BYTE, 0)
    )
    assert (charged.gas_used, charged.fee) == (free.gas_used, free.fee)
    assert change < 0 and nothing == 0


def test_the_kernel_tells_of_every_deposit() -> None:
    depot = Depot()
    result = depot.run(depot.signed(call("push", 3), fee=PRICE, gas=GAS), depot.signed(call("pop", 1), gas=GAS))
    told = [event for event in result.events if event.program == 0 and event.event == KERNEL_EVENT_DEPOSIT]
    found = [struct.unpack("<20s4xqQq", event.data) for event in told]
    assert [(who, count, low + (high << 64)) for who, count, low, high in found] == [
        (ALICE, 3 * NOTE, 3 * NOTE * BYTE),
        (ALICE, -NOTE, -NOTE * BYTE),
    ]
    first, second = result.outcomes
    assert first.events[1] == second.events[0] and second.events[1] - second.events[0] == 1


def test_what_was_added_and_deleted_in_one_transaction_costs_nothing() -> None:
    depot = Depot()
    _, change = depot.did(call("put", 1, 20), call("push", 5), call("drop", 1), call("pop", 5), fee=PRICE)
    assert change == 0 and depot.deposits == 0


def test_a_call_that_cannot_pay_is_rejected_and_those_before_stand() -> None:
    """Bob has a thousandth."""
    depot = Depot()
    few, many = 5, UNIT // 1000 // BYTE // NOTE
    outcome, change = depot.did(call("push", few), call("push", many), call("push", few), signer=BOB)
    assert outcome.call_reasons == ("", "storage deposit unpayable", "")
    assert change == -2 * few * NOTE * BYTE
    outcome, change = depot.did(call("push", few), call("push", many), signer=BOB, atomic=True)
    assert (outcome.status, outcome.reason, change) == ("failed", "storage deposit unpayable", 0)


@pytest.mark.parametrize("fee", [0, PRICE])
def test_many_calls_of_one_signature_owe_their_sum(fee: int) -> None:
    depot = Depot()
    calls = [call("push", 3) if turn % 3 else call("pop", 2) for turn in range(60)]
    outcome, change = depot.did(*calls, fee=fee, gas=5 * GAS)
    assert not any(outcome.call_reasons)
    assert change == -(40 * 3 - 19 * 2) * NOTE * BYTE == -depot.deposits


def test_what_is_held_ahead_leaves_a_small_account_its_money_for_later_calls() -> None:
    depot = Depot()
    rest = balance(depot, BOB) - 5 * NOTE * BYTE
    give = bank_call("transfer", number(0), account(ALICE), amount(rest))
    outcome, _ = depot.did(call("push", 5), give, call("pop", 5), signer=BOB)
    assert outcome.status == "done" and not any(outcome.call_reasons)
    assert balance(depot, BOB) == 5 * NOTE * BYTE and depot.deposits == 0


def test_money_for_gas_that_is_left_pays_a_deposit() -> None:
    """Bob's whole balance is held for gas."""
    depot = Depot()
    gas = UNIT // 1000 // PRICE
    outcome, change = depot.did(call("push", 3), signer=BOB, fee=PRICE, gas=gas)
    assert outcome.status == "done" and change == -3 * NOTE * BYTE
    outcome, change = depot.did(call("push", 30), signer=BOB, fee=PRICE, gas=balance(depot, BOB) // PRICE)
    assert outcome.reason == "storage deposit unpayable" and change == 0


def test_what_a_rejected_or_tolerated_call_stored_is_not_owed() -> None:
    depot = Depot()
    outcome, change = depot.did(call("fail", 1), call("relay", 2), call("put", 1, 1, gas=2_000), fee=PRICE)
    assert outcome.call_reasons == ("failed", "", "out of gas")
    assert change == -2 * NOTE * BYTE


def test_a_purse_pays_for_what_its_hooks_store_and_is_paid_for_what_they_delete() -> None:
    depot = Depot()
    purse = depot.fund(UNIT)
    for turn, expected in ((6, 6), (-4, 2)):
        assert depot.did(call("wake", turn))[1] == 0
        deposits, before = depot.deposits, balance(depot, purse)
        used = depot.run().gas_used
        assert depot.paid() == expected * NOTE
        assert balance(depot, purse) - before == deposits - depot.deposits - used * PRICE


def test_a_hook_whose_purse_cannot_pay_its_storage_fails_and_stores_nothing() -> None:
    depot = Depot()
    depot.fund(spec().gas_hook_max * PRICE)
    assert depot.did(call("wake", 1_000))[1] == 0
    told = [event.event for event in depot.run().events if event.program == 0]
    assert told == [0] and depot.live() == depot.paid() == 0


def test_nobody_draws_out_what_was_not_paid_in() -> None:
    """100 items lie in each keeper since its creation. Alice paid for two in one; Bob empties the other, then hers."""
    depot = Depot(stored=100)
    assert depot.paid() == 0 and depot.live() == 100 * 16
    assert depot.did(call("push", 2))[1] == -2 * NOTE * BYTE
    assert depot.did(call("pop", 100, of=OTHER), signer=BOB)[1] == 0
    assert depot.did(call("pop", 200), signer=BOB)[1] == 2 * NOTE * BYTE
    assert depot.did(call("pop", 200), signer=BOB)[1] == 0 and depot.deposits == 0


def test_without_a_price_nothing_is_counted() -> None:
    depot = Depot(deposit_byte=0)
    assert depot.did(call("push", 10))[1] == 0
    assert (depot.paid(), depot.deposits, depot.live()) == (0, 0, 10 * NOTE)


def test_a_simulation_shows_the_deposit_and_keeps_nothing() -> None:
    depot = Depot()
    root = depot.seal().state_root
    result = depot.machine.simulate([depot.signed(call("push", 3), fee=PRICE, gas=GAS)])
    assert [event.event for event in result.events if event.program == 0] == [KERNEL_EVENT_DEPOSIT]
    depot.next.clear()
    depot.run()
    assert depot.paid() == 0 and depot.deposits == 0 and root


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "rank", "push", "pop", "fail", "relay", "wake"]),
        st.integers(-3, 12),
        st.sampled_from([ALICE, BOB]),
        st.sampled_from([KEEPER, OTHER]),
        st.sampled_from([0, PRICE]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(STEPS, st.integers(0, 3))
def test_deposits_are_the_price_of_all_paid_bytes_always(steps: list[Step], stored: int) -> None:
    """Random adds and deletes by two accounts, one of them poor, and by hooks; `Depot.run` looks after each batch."""
    depot = Depot(stored)
    depot.fund(UNIT)
    for batch in batches(steps):
        depot.run(*(signed(depot, some) for some in batch))


def test_the_mirror_agrees() -> None:
    chance = random.Random(1)
    names = ("put", "drop", "rank", "push", "pop", "fail", "relay", "wake")
    steps = [
        (chance.choice(names), chance.randint(-3, 12), chance.choice((ALICE, BOB)), chance.choice((KEEPER, OTHER)), fee,
         chance.random() < 0.5)
        for fee in (0, PRICE) * 40
    ]  # fmt: skip
    depots = [Depot(2), Depot(2, mirrored=True)]
    for depot in depots:
        depot.fund(UNIT)
    for batch in batches(steps):
        first, second = (depot.run(*(signed(depot, some) for some in batch)) for depot in depots)
        assert [one.call_reasons for one in first.outcomes] == [one.call_reasons for one in second.outcomes]
        assert list(first.events) == list(second.events)
    assert len({depot.seal().state_root for depot in depots}) == 1


def batches(steps: list[Step]) -> list[list[list[Step]]]:
    """Two transactions of two steps each."""
    pairs = [steps[start : start + 2] for start in range(0, len(steps), 2)]
    return [pairs[start : start + 2] for start in range(0, len(pairs), 2)]


def signed(depot: Depot, steps: list[Step]) -> Any:
    """Steps as one transaction of the first one's account, in a lane where a refused one leaves no gap."""
    calls = [call(name, *((step, 4) if name == "put" else (step,)), of=of) for name, step, _, of, _, _ in steps]
    _, _, signer, _, fee, atomic = steps[0]
    return depot.signed(*calls, signer=signer, lane=1, fee=fee, atomic=atomic, gas=400_000)
