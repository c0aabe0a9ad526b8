"""
Seven blocks that touch everything a node keeps: deposits, payments, failures, refusals, withdrawals, a deployment that
becomes a program and is called, and its next version, which waits for a time-lock.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import trio

from execution.compiler.abi import parse_abi
from execution.compiler.abi_values import pack
from execution.executor import ProgramInfo
from execution.standard import standard_artifact
from genesis.chain import (
    Call,
    Deployment,
    DeployTransaction,
    SignedTransaction,
    Transaction,
    UpgradeTransaction,
    program_address,
    sign,
)
from genesis.devkeys import development_address, development_key
from genesis.presets import load_preset
from genesis.spec import genesis_address
from node.administration import set_time_lock
from node.compiling import Compiler
from node.deployments import prepare

START_MS = 1_800_000_000_000
TEST_SPEC = replace(load_preset("devnet"), commitment_blocks=4)
DEPLOYER, PAYER, PAYEE = 6, 7, 8
DEPLOYED = program_address(development_address(DEPLOYER), 0, 0)
SOURCE = '''"""Counts."""

from execution.lang import Event, Program, emit, external


class Counted(Event):
    count: int


class Counter(Program):
    count: int

    @external
    def add(self, amount: int) -> None:
        self.count += amount
        emit(Counted(self.count))
'''
NEXT = '''"""Counts, and keeps what it counted before."""

from execution.lang import Event, Program, emit, external, migrate


class Counted(Event):
    count: int


class Counter(Program):
    count: int
    before: int

    @migrate
    def begin_anew(self, start: int) -> None:
        self.before = self.count
        self.count = start

    @external
    def add(self, amount: int) -> None:
        self.count += amount
        emit(Counted(self.before + self.count))
'''
TIME_LOCK_MS = 600
"""The version of block 4 is staged in block 6 and switched to in block 7."""
BATCHES = (2, 3, 1, 2, 3, 2, 1)
"""Of each block of the script."""

Entry = tuple[SignedTransaction, Deployment | None]


def pay(sequence: int, amount: str, key: int = PAYER, **fields: int) -> Entry:
    return _signed(key, sequence, _bank("transfer", 0, development_address(PAYEE), amount), **fields), None


def withdraw(sequence: int, amount: str) -> Entry:
    return _signed(9, sequence, _bank("withdraw", 1, amount)), None


def count(sequence: int) -> Entry:
    entry = parse_abi(deployment()[1].abi).entry("add")
    call = Call(DEPLOYED, entry.selector.to_bytes(4, "little"), pack(entry, (3,)))
    return _signed(DEPLOYER, sequence, call), None


@lru_cache(maxsize=1)
def deployment() -> tuple[SignedTransaction, Deployment]:
    spec = TEST_SPEC
    transaction = DeployTransaction(
        spec.chain_id, development_address(DEPLOYER), 0, 0, START_MS + 10**6, spec.gas_transaction_max, spec.fee_min,
        "counter", (("counter.py", SOURCE),), b"", development_address(DEPLOYER),
    )  # fmt: skip
    signed = sign(transaction, development_key(DEPLOYER))
    return signed, trio.run(prepare, signed, spec, nothing, Compiler())


async def nothing() -> tuple[ProgramInfo, ...]:
    return ()


@lru_cache(maxsize=1)
def next_version(sequence: int) -> tuple[SignedTransaction, Deployment]:
    spec, first = TEST_SPEC, deployment()[1]

    async def programs() -> tuple[ProgramInfo, ...]:
        admin = development_address(DEPLOYER)
        return (ProgramInfo(6, DEPLOYED, "Counter", first.code_hash(), first.abi, admin, 1, TIME_LOCK_MS, None, 4096),)

    transaction = UpgradeTransaction(
        spec.chain_id, development_address(DEPLOYER), 0, sequence, START_MS + 10**6, spec.gas_transaction_max,
        spec.fee_min, DEPLOYED, "counter", (("counter.py", NEXT),), (100).to_bytes(8, "little"),
    )  # fmt: skip
    signed = sign(transaction, development_key(DEPLOYER))
    return signed, trio.run(prepare, signed, spec, programs, Compiler())


def lock(sequence: int) -> Entry:
    return _signed(DEPLOYER, sequence, set_time_lock(DEPLOYED, TIME_LOCK_MS)), None


@lru_cache(maxsize=1)
def script() -> list[list[list[Entry]]]:
    """Blocks of batches of transactions; each block begins with one deposit to key 9."""
    unpayable, follower = pay(1, "1", fee=(1 << 63) - 1, gas=TEST_SPEC.gas_transaction_max), pay(2, "3")
    blocks: list[list[list[Entry]]] = [
        [[pay(0, "5")], [withdraw(0, "0.25"), pay(0, "2", PAYEE)]],
        [[], [deployment(), unpayable, follower], [pay(1, "100000000")]],
        [[withdraw(1, "1.5"), pay(2, "1"), withdraw(2, "1000000")]],
        [[], [count(1), lock(2), next_version(3), pay(3, "7")]],
        [[pay(4, "1"), withdraw(3, "0.125")], [count(4)], []],
        [[count(5)], []],
        [[count(6)]],
    ]
    assert tuple(map(len, blocks)) == BATCHES
    return blocks


def _signed(
    key: int, sequence: int, call: Call, *, fee: int = TEST_SPEC.fee_min, gas: int = 1_000_000
) -> SignedTransaction:
    transaction = Transaction(
        TEST_SPEC.chain_id, development_address(key), 0, sequence, START_MS + 10**6, gas, fee, True, (call,)
    )
    return sign(transaction, development_key(key))


def _bank(name: str, *arguments: object) -> Call:
    entry = standard_artifact("bank", TEST_SPEC.gas_table).abi.entry(name)
    return Call(genesis_address("bank"), entry.selector.to_bytes(4, "little"), pack(entry, arguments))
