"""A chain with the real bank and one tiny program, for fees, deposits, withdrawals, agents."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from execution import programs
from execution.compiler import Artifact, compile_bundle
from execution.executor import Query
from execution.vm.genesis import GenesisProgram
from execution.vm.programs import code_of
from genesis.chain import Call
from genesis.spec import Allocation, ChainSpec
from tests.vm_kernel.tiny import Node, dispatch, planned, spec

BANK = b"B" * 20
ALICE, BOB, FEES = b"s" * 20, b"o" * 20, b"f" * 20
PRICE = 10**9
UNIT = 10**18


@lru_cache(maxsize=1)
def compiled() -> Artifact:
    return compile_bundle({"bank.py": (Path(programs.__file__).parent / "bank.py").read_text()}, "bank.py")


def account(address: bytes) -> bytes:
    return address + bytes(4)


def amount(raw: int) -> bytes:
    return raw.to_bytes(16, "little", signed=True)


def number(value: int) -> bytes:
    return struct.pack("<q", value)


def bank_call(name: str, *words: bytes) -> Call:
    selector = compiled().abi.entry(name).selector
    return Call(BANK, selector.to_bytes(4, "little"), b"".join(words))


def bank_program() -> GenesisProgram:
    made = compiled()
    code = code_of(made.name, made.wasm, made.abi, made.source_hash)
    call = bank_call("create", b"USD".ljust(16, b"\x00"), account(b"a" * 20), account(FEES))
    return GenesisProgram(code, BANK, call.arguments, call.selector, "bank")


def spec_of_bank() -> ChainSpec:
    """Alice has 1,000, Bob a thousandth."""
    return spec(allocations=(Allocation(ALICE, 0, 1000 * UNIT), Allocation(BOB, 0, UNIT // 1000)))


def chain() -> Node:
    """Program 1 is the bank, 2 the tiny program `planned(1)`."""
    return Node(bank_program(), planned(1, dispatch), of=spec_of_bank())


def balance(node: Node, who: bytes) -> int:
    call = bank_call("balance", account(who), number(0))
    query = Query(BANK, int.from_bytes(call.selector, "little"), call.arguments, 1_000_000)
    (answer,) = node.machine.query([query])
    assert answer.reason == ""
    return int.from_bytes(answer.result, "little", signed=True)
