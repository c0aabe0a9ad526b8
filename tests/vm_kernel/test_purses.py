"""Who pays for hooks: the purse of a deployed program, run by run; what it cannot pay waits; no money is lost."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from execution import programs
from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.optimise import optimise
from execution.executor import BatchResult, Opening
from execution.vm.kernel.hooks import UNPAID_GAS
from execution.vm.kernel.places import KERNEL_EVENT_HOOK_PARKED
from execution.vm.mirror import Mirror
from genesis.chain import Call, Deployment
from genesis.derived import PURSE, derived_address
from genesis.gas import GAS_TABLE
from genesis.spec import ChainSpec
from tests.vm_kernel.bank import (
    ALICE,
    BANK,
    FEES,
    PRICE,
    UNIT,
    account,
    amount,
    balance,
    bank_call,
    bank_program,
    chain,
    compiled,
    number,
    spec_of_bank,
)
from tests.vm_kernel.tiny import ON_FAIL, Node, call_of, plan, spec

WAKER = b"W" * 20
PURSE_OF_WAKER = derived_address(WAKER, PURSE)
DONE, RETRY, FAIL, BURN, EMPTY = range(5)
HOOK_MAX = spec().gas_hook_max * PRICE
"""What the purse must have for a run."""
MONEY = 1000 * UNIT + UNIT // 1000


@lru_cache(maxsize=1)
def waker() -> Artifact:
    source = (Path(__file__).parent / "waker.py").read_text()
    return compile_bundle({"waker.py": source}, "waker.py", dict(GAS_TABLE))


def mirror(rules: ChainSpec) -> Any:
    """The same kernel under CPython, programs interpreted."""
    bank = bank_program()
    sources = {BANK: (Path(programs.__file__).parent / "bank.py"), WAKER: Path(__file__).parent / "waker.py"}
    hashes = {BANK: bank.code.code_hash, WAKER: sha256(waker().wasm).digest()}
    modules = {
        hashes[name]: optimise(compile_ir({path.name: path.read_text()}, path.name)[0], dict(GAS_TABLE))
        for name, path in sources.items()
    }
    made = Mirror(lambda _: plan(bank), modules)
    made.genesis(rules)
    return made


def call(name: str, *words: bytes) -> Call:
    return Call(WAKER, waker().abi.entry(name).selector.to_bytes(4, "little"), b"".join(words))


class Town(Node):
    """The bank and a waker deployed in block 1, its purse filled by Alice; what the hooks did, batch by batch."""

    def __init__(self, purse: int, price: int = PRICE, gas: int = spec().gas_hook_max, mirrored: bool = False) -> None:
        rules = replace(spec_of_bank(), fee_min=price, gas_hook_max=gas)
        super().__init__(bank_program(), of=rules)
        if mirrored:
            self.machine = mirror(rules)
        made = waker()
        deployment = Deployment(
            WAKER, bytes(32), ALICE, "waker", account(BANK), b"", "1", made.ir_hash, made.wasm, made.abi.text()
        )
        self.machine.apply(Opening(1, 1_000, 0, b"", (), (deployment,)), [])
        self.failed = self.dropped = self.parked = 0
        if purse:
            assert self.one(bank_call("fund_gas", account(WAKER), amount(purse))).status == "done"

    @property
    def purse(self) -> int:
        return balance(self, PURSE_OF_WAKER)

    @property
    def runs(self) -> int:
        runs: int = decode_state(waker().abi, self.machine.memory(WAKER))["runs"]
        return runs

    def wake(self, mode: int) -> None:
        assert self.one(call("wake", number(mode)), gas=1_000_000).status == "done"

    def batch(self) -> BatchResult:
        """Run one, check that no money went or came, and count what the kernel told."""
        result = self.run()
        told = [event for event in result.events if event.program == 0]
        self.failed += sum(event.event == 0 for event in told)
        self.dropped += sum(event.event == 1 for event in told)
        self.parked += sum(event.event == KERNEL_EVENT_HOOK_PARKED for event in told)
        state = decode_state(compiled().abi, self.machine.memory(BANK))
        assert state["held"] == 0 and state["deposits"] + sum(held for _, held in state["balances"]) == MONEY
        return result


@pytest.mark.parametrize("price", [1, PRICE])
def test_a_run_is_paid_for_what_it_used(price: int) -> None:
    town = Town(UNIT, price)
    town.wake(DONE)
    before = town.purse
    used = town.batch().gas_used
    assert town.runs == 1 and town.failed == town.dropped == 0
    assert 0 < used < 100_000
    assert before - town.purse == used * price == balance(town, FEES)
    town.batch()
    assert before - town.purse == used * price, "it was done"


def test_without_means_for_a_whole_run_a_hook_waits_for_money_and_says_so() -> None:
    town = Town(HOOK_MAX - 1)
    town.wake(DONE)
    result = town.batch()
    assert (town.runs, town.parked, town.failed) == (0, 1, 0)
    program, _, _, tries = struct.unpack("<4q", result.events[0].data)
    assert (program, tries) == (2, 0) and town.purse == HOOK_MAX - 1
    assert result.gas_used == UNPAID_GAS, "finding that out is not free for the others"
    for _ in range(3):
        assert town.batch().gas_used == 0, "who waits costs nothing"
    assert (town.runs, town.parked) == (0, 1)
    assert town.one(bank_call("fund_gas", account(WAKER), amount(1))).status == "done"
    town.batch()
    assert town.runs == 1


def test_all_that_waited_for_money_runs_once_there_is_some_and_one_check_says_when_there_is_not() -> None:
    town = Town(0)
    for _ in range(20):
        town.seal()
        town.wake(DONE)
        town.batch()
    assert (town.runs, town.parked) == (0, 20)
    assert town.one(bank_call("fund_gas", account(WAKER), amount(1))).status == "done"
    town.batch()
    assert (town.runs, town.parked) == (0, 21), "one of them tried"
    assert town.one(bank_call("fund_gas", account(WAKER), amount(UNIT))).status == "done"
    for _ in range(6):
        town.batch()
    assert (town.runs, town.parked) == (20, 21)


def test_a_failing_hook_stays_due_as_long_as_its_purse_pays() -> None:
    town = Town(UNIT, gas=20_000)
    town.wake(FAIL)
    for _ in range(40):
        town.batch()
    assert town.failed == 6 and town.parked == 0 and town.runs == 0, "after 1, 2, 4, 8, 16 batches"
    assert UNIT - town.purse == balance(town, FEES) > 0
    assert town.one(call("set_mode", number(DONE))).status == "done"
    for _ in range(40):
        town.batch()
    assert town.runs == 1 and town.failed == 6, "mended, it ran once"


def test_a_failing_hook_waits_when_the_purse_is_empty() -> None:
    town = Town(3 * HOOK_MAX)
    town.wake(BURN)
    for _ in range(12):
        town.batch()
    assert (town.failed, town.parked, town.purse) == (3, 1, 0)
    assert balance(town, FEES) == 3 * HOOK_MAX


def test_every_retry_is_paid() -> None:
    town = Town(UNIT)
    town.wake(RETRY)
    spent = []
    for _ in range(3):
        before = town.purse
        town.batch()
        spent.append(before - town.purse)
    assert town.runs == 3 and all(spent)


def test_a_hook_cannot_take_the_money_that_pays_for_it() -> None:
    town = Town(HOOK_MAX + 7)
    town.wake(EMPTY)
    used = town.batch().gas_used
    assert town.runs == 1 and town.failed == 0
    assert balance(town, WAKER) == 7 and town.purse == HOOK_MAX - used * PRICE


def test_at_no_price_and_without_a_bank_hooks_are_free_and_fail_a_bounded_number_of_times() -> None:
    town = Town(0, price=0)
    town.wake(FAIL)
    failures = [event for _ in range(2100) for event in town.run().events if event.program == 0]
    assert [event.event for event in failures] == [0] * 16


def test_programs_of_genesis_pay_nothing_and_fail_a_bounded_number_of_times() -> None:
    node = chain()
    assert node.one(call_of(1, "schedule(int,int)", 0, ON_FAIL)).status == "done"
    failures = [event for _ in range(2100) for event in node.run().events if event.program == 0]
    assert [event.event for event in failures] == [0] * 16
    assert balance(node, FEES) == 0


def test_the_mirror_agrees() -> None:
    roots = []
    for mirrored in (False, True):
        town = Town(2 * HOOK_MAX, mirrored=mirrored)
        told = []
        for mode in (RETRY, FAIL, EMPTY, DONE):
            town.wake(mode)
            told.append([(list(result.events), result.gas_used) for result in (town.batch(), town.batch())])
        roots.append((told, town.seal()))
    assert roots[0] == roots[1] and town.parked


@pytest.mark.parametrize("mode", [DONE, FAIL, EMPTY])
def test_paid_hooks_roll_back_and_run_again_alike(mode: int) -> None:
    town = Town(UNIT)
    town.wake(mode)
    town.seal()
    town.batch()
    first = town.seal().state_root
    town.machine.rollback(1)
    town.height = 2
    town.batch()
    assert town.seal().state_root == first
