"""
Truths of a chain under attack (`siege`): blocks keep their time, cancellations are served, nobody else pays, memory is
bounded, and a second process that runs all blocks again comes to the same roots.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from execution.compiler.abi_values import pack, unpack_event
from execution.executor import Query
from execution.lang import Decimal
from execution.vm.kernel import places
from execution.vm.machine import Machine
from genesis.chain import Block, Receipt
from genesis.derived import PURSE, derived_address
from genesis.devkeys import development_address
from genesis.spec import GENESIS_PROGRAMS, genesis_address, genesis_hash
from node.compiled import genesis_code
from node.engine import on_engine_stack
from node.genesis_code import folder_plan
from node.open_block import decode_results
from node.recovery import initial_tip, replay_block, stored_block
from node.store import Store
from tests.hostile import siege
from tests.hostile.market import abi_of
from tests.hostile.siege import BYSTANDER, HONEST, HOSTILE, LISTENER, SPEC, Evidence, besieged, has_hooks

LATE_MS = 20 * SPEC.block_time_ms
"""No block is later than this after its parent: twenty times the block time, on a machine that does all by itself."""
CANCEL_BLOCKS = 10
"""A cancellation is executed at most so many blocks above the newest one its sender knew."""
CANCEL_S = 5.0
MEMORY_BYTES = 512 << 20
"""What a storm may add to the memory of node and test."""
PROGRAMS = 60
HEARD_MIN = 40
"""Runs of the honest program's hooks, by prices and times: 60 to 104 were seen, the machine two to eight times busy."""
UNIT = 10**18
BUY = 0


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a genesis program, with its block."""

    height: int
    program: str
    name: str
    members: dict[str, Any]


@dataclass(slots=True)
class Ledger:
    """
    The stored chain, run again after the node has stopped. paid: fees by the account that acted; stored: deposits for
    storage, by who paid. failures: kernel
    events of hooks, and the program's number. balance, cash: what an account has in the end, in bank and clearing.
    """

    blocks: list[Block] = field(default_factory=list)
    receipts: list[list[Receipt]] = field(default_factory=list)
    paid: dict[bytes, int] = field(default_factory=dict)
    stored: dict[bytes, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    failures: list[tuple[int, int]] = field(default_factory=list)
    balance: Callable[[bytes], int] = lambda _: 0
    cash: Callable[[bytes], int] = lambda _: 0

    def of(self, name: str) -> Iterator[dict[str, Any]]:
        return (one.members for one in self.told if f"{one.program}.{one.name}" == name)


def read(folder: Path) -> Ledger:
    return on_engine_stack(lambda: _read(folder))


def _read(folder: Path) -> Ledger:
    machine = Machine(folder_plan(folder, SPEC, genesis_code))
    root = machine.genesis(SPEC)
    ledger, tip = Ledger(), initial_tip(SPEC, root)
    with Store(folder / "store", genesis_hash(SPEC, root)) as store:
        for row in store.blocks(1, store.head() or 0):
            block = stored_block(row)[0]
            tip = replay_block(SPEC, machine, tip, block, lambda *_: None)
            _add(ledger, block, decode_results(row.receipts))

    def ask(program: str, name: str, *values: object) -> int:
        entry = abi_of(program).entry(name)
        query = Query(genesis_address(program), entry.selector, pack(entry, values), SPEC.gas_query_max)
        (answer,) = on_engine_stack(lambda: machine.query([query]))
        return int.from_bytes(answer.result, "little", signed=True)

    ledger.balance = lambda account: ask("bank", "balance", account, 0)
    ledger.cash = lambda account: ask("clearing", "cash", account)
    return ledger


def _add(ledger: Ledger, block: Block, results: Any) -> None:
    ledger.blocks.append(block)
    ledger.receipts.append(list(results.receipts))
    fees = {one.transaction: one.fee for one in results.receipts}
    for signed in (one for batch in block.body.batches for one in batch.open()):
        account = signed.transaction.account
        ledger.paid[account] = ledger.paid.get(account, 0) + fees[signed.id]
    for event in results.events:
        if event.program == 0 and event.event == places.KERNEL_EVENT_DEPOSIT:
            payer, amount = event.data[:20], int.from_bytes(event.data[32:48], "little", signed=True)
            ledger.stored[payer] = ledger.stored.get(payer, 0) + amount
        elif event.program == 0:
            ledger.failures.append((event.event, int.from_bytes(event.data[:8], "little")))
        elif event.program <= len(GENESIS_PROGRAMS):
            program = GENESIS_PROGRAMS[event.program - 1]
            name, members = unpack_event(abi_of(program), event.event, event.data)
            ledger.told.append(Told(block.header.height, program, name, members))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    with besieged(tmp_path_factory.mktemp("siege")) as evidence:
        yield evidence


@pytest.fixture(scope="module")
def ledger(seen: Evidence) -> Ledger:
    return read(seen.folder)


def test_sixty_hostile_programs_stood_on_the_chain_and_were_driven(seen: Evidence) -> None:
    hostile = {name.removesuffix("_2") for name in seen.deployed} - {LISTENER, "face", "echo"}
    assert len(hostile) >= PROGRAMS
    driven = {name for name, reasons in seen.reasons.items() if reasons}
    assert driven == {program for program, *_ in siege.storm()}
    assert seen.reads > 10, "readers were at it as well"


def test_attacks_came_out_as_they_do_in_process(seen: Evidence) -> None:
    """A reason that no single attack has would be the work of another one."""
    for attack in siege.light_attacks():
        assert attack.reason in seen.reasons[attack.program], attack
    allowed = {"", "out of gas", "too many events"}
    for name in {attack.program for attack in siege.light_attacks()} - {"purse_thief"}:
        wanted = {one.reason for one in siege.light_attacks() if one.program == name}
        assert seen.reasons[name] <= wanted | allowed, name


def test_blocks_keep_their_time(seen: Evidence, ledger: Ledger) -> None:
    times = [block.header.time_ms for block in ledger.blocks]
    assert max(after - before for before, after in pairwise(times)) <= LATE_MS
    first_seen = {height: at for at, height in reversed(seen.ticks)}
    grown = sorted(first_seen.values())
    assert max(after - before for before, after in pairwise(grown)) <= LATE_MS / 1000, "by the clock on the wall, too"
    assert len(grown) > 10


def test_batches_and_blocks_stay_within_their_gas(ledger: Ledger) -> None:
    for block, receipts in zip(ledger.blocks, ledger.receipts, strict=True):
        used = {one.transaction: one.gas_used for one in receipts}
        assert block.header.gas_used <= SPEC.gas_block_max + SPEC.gas_hooks_block_max
        for batch in block.body.batches:
            assert sum(used[signed.id] for signed in batch.open()) <= SPEC.gas_batch_max
    assert max(block.header.gas_used for block in ledger.blocks) > SPEC.gas_batch_max // 5, "there was a storm"


def test_honest_cancellations_are_served(seen: Evidence) -> None:
    assert len(seen.cancels) >= 10
    for cancelled in seen.cancels:
        assert cancelled.receipt.status == "done", cancelled
        assert cancelled.receipt.height - cancelled.sent <= CANCEL_BLOCKS, cancelled
        assert cancelled.seconds <= CANCEL_S, cancelled
    served = [int.from_bytes(one.receipt.results[0], "little") for one in seen.cancels]
    assert sum(served) > len(served), "and found what they cancel"


def test_the_honest_pay_their_own_fees_and_trades_and_nothing_else(seen: Evidence, ledger: Ledger) -> None:
    """Exactly, from genesis on: allocation, fees, transfers they signed; cash in clearing by deposits and fills."""
    allocated = {one.account: one.amount for one in SPEC.allocations if one.asset == 0}
    deposits, trades = cash_flows(ledger)
    for key in HONEST:
        account = development_address(key)
        moved = sum(
            (one["amount"].raw if one["target"] == account else -one["amount"].raw)
            for one in ledger.of("bank.Transferred")
            if account in (bytes(one["source"].data), bytes(one["target"].data))
        )
        assert (
            ledger.balance(account)
            == allocated[account] - ledger.paid.get(account, 0) - ledger.stored.get(account, 0) + moved
        ), key
        assert ledger.cash(account) == deposits.get(account, 0) + trades.get(account, 0), key
    assert not [one for one in ledger.of("bank.Transferred") if bytes(one["source"].data) in untouched()]
    assert ledger.paid.get(development_address(BYSTANDER), 0) == 0
    assert any(trades.values()), "there was trading"
    honest = {development_address(key) for key in HONEST}
    assert not [one for one in ledger.of("clearing.Liquidated") if bytes(one["account"].data) in honest]


def untouched() -> set[bytes]:
    """Accounts that never send money to anybody in this story."""
    return {development_address(BYSTANDER)}


def cash_flows(ledger: Ledger) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """
    What each account put into clearing, and what its fills and the payments on what it holds brought in market 0,
    computed anew from the events in their order.
    """
    deposits: dict[bytes, int] = {}
    trades: dict[bytes, int] = {}
    held: dict[bytes, int] = {}
    paid = Decimal(0)
    for told in ledger.told:
        one = told.members
        match f"{told.program}.{told.name}":
            case "clearing.Deposited":
                account = bytes(one["account"].data)
                deposits[account] = deposits.get(account, 0) + one["amount"].raw
            case "clearing.Paid" if one["contract"] == 0:
                paid = one["total"]
            case "exchange.Filled":
                cost = one["size"] * (one["price"] + paid)
                buyer, seller = ("taker", "maker") if one["side"] == BUY else ("maker", "taker")
                for who, sign in ((buyer, 1), (seller, -1)):
                    account = bytes(one[who].data)
                    flow = -sign * cost.raw - one[f"{who}_fee"].raw
                    trades[account] = trades.get(account, 0) + flow
                    held[account] = held.get(account, 0) + sign * one["size"].raw
    return deposits, {who: flow + held[who] * paid.raw // UNIT for who, flow in trades.items()}


def test_who_attacks_pays_for_all_of_it(seen: Evidence, ledger: Ledger) -> None:
    """The fee account received each transaction's fee, and from purses all that they were given and have no more."""
    fees = sum(ledger.paid.values())
    purses = {derived_address(seen.deployed[name], PURSE): name for name in seen.deployed if has_hooks(name)}
    spent = dict.fromkeys(purses.values(), 0)
    for one in ledger.of("bank.Transferred"):
        source, target = bytes(one["source"].data), bytes(one["target"].data)
        if target in purses:
            spent[purses[target]] += one["amount"].raw
        if source in purses:
            spent[purses[source]] -= one["amount"].raw
    for purse, name in purses.items():
        spent[name] -= ledger.balance(purse) + ledger.stored.get(purse, 0)
    assert all(one >= 0 for one in spent.values())
    assert spent["hook_burner"] > 0 and spent["hook_retrier"] > 0
    assert ledger.balance(SPEC.fee_account) - FEES_AT_GENESIS == fees + sum(spent.values())
    attacked = sum(ledger.paid[development_address(key)] for key in HOSTILE)
    assert attacked > fees // 2


FEES_AT_GENESIS = sum(one.amount for one in SPEC.allocations if (one.account, one.asset) == (SPEC.fee_account, 0))


def test_hooks_of_others_run_all_the_while(seen: Evidence, ledger: Ledger) -> None:
    """Clearing hears the prices, and so does an honest program, nearly all: none of its runs failed or was dropped."""
    published = len(list(ledger.of("oracle.Published")))
    assert seen.heard >= HEARD_MIN and seen.prices >= published * 3 // 4
    assert not [one for one in ledger.failures if one[1] == seen.numbers[LISTENER]]
    assert len([one for one in ledger.of("clearing.Marked") if one["contract"] == 0]) > published // 4


def test_memory_is_bounded(seen: Evidence) -> None:
    before, after = seen.memory
    assert after - before <= MEMORY_BYTES


def test_a_second_process_comes_to_the_same_roots_and_sums(seen: Evidence, ledger: Ledger) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "node.audit", str(seen.folder), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert (found["conserved"], found["replay_equal"], found["first_difference"]) == (True, True, None)
    assert found["blocks"] == len(ledger.blocks)
    assert found["state_root"] == "0x" + ledger.blocks[-1].header.state_root.hex()
