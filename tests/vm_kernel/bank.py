"""A chain with the real bank and one tiny program, for fees, deposits, withdrawals, agents."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from execution import programs
from execution.compiler import Artifact, compile_bundle
from execution.vm.code import code_of
from execution.vm.genesis import GenesisProgram
from genesis.chain import Call
from genesis.spec import Allocation
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


def chain() -> Node:
    """Program 1 is the bank, 2 the tiny program `planned(1)`; Alice has 1,000, Bob 1."""
    call = bank_call("create", b"USD".ljust(16, b"\x00"), account(b"a" * 20), account(FEES))
    bank = GenesisProgram(code_of(compiled()), BANK, call.arguments, call.selector, "bank")
    given = (Allocation(ALICE, 0, 1000 * UNIT), Allocation(BOB, 0, UNIT // 1000))
    return Node(bank, planned(1, dispatch), of=spec(allocations=given))


def balance(node: Node, who: bytes) -> int:
    from execution.executor import Query

    call = bank_call("balance", account(who), number(0))
    query = Query(BANK, int.from_bytes(call.selector, "little"), call.arguments, 1_000_000)
    (answer,) = node.machine.query([query])
    assert answer.reason == ""
    return int.from_bytes(answer.result, "little", signed=True)
