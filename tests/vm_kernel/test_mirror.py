"""The kernel under CPython is the kernel in WASM: same receipts, events, gas and state, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from execution import programs
from execution.compiler import compile_ir
from execution.compiler.optimise import optimise
from execution.vm.mirror import Mirror
from genesis.chain import Call
from genesis.gas import GAS_TABLE
from tests.vm_kernel.bank import ALICE, BOB, PRICE, account, amount, bank_call, bank_program, number, spec_of_bank
from tests.vm_kernel.tiny import Node, plan


def twins() -> tuple[Node, Node]:
    source = (Path(programs.__file__).parent / "bank.py").read_text()
    module, _ = compile_ir({"bank.py": source}, "bank.py")
    bank = bank_program()
    real = Node(bank, of=spec_of_bank())
    dream = Node(bank, of=spec_of_bank())
    dream.machine = Mirror(lambda _: plan(bank), {bank.code.code_hash: optimise(module, dict(GAS_TABLE))})  # type: ignore[assignment]
    dream.machine.genesis(spec_of_bank())
    return real, dream


def test_the_mirror_agrees_with_the_machine() -> None:
    nodes = twins()
    batches: list[list[tuple[Call, dict[str, Any]]]] = [
        [(bank_call("transfer", number(0), account(BOB), amount(5)), {"fee": PRICE})],
        [
            (bank_call("transfer", number(0), account(BOB), amount(10**30)), {"fee": PRICE}),
            (bank_call("withdraw", number(0), amount(7)), {}),
            (bank_call("revoke", account(BOB)), {"lane": 2 << 30}),
            (bank_call("transfer", number(0), account(BOB), amount(1)), {"gas": 31_000}),
            (bank_call("transfer", number(1), account(BOB), amount(1)), {"signer": BOB}),
        ],
    ]
    for batch in batches:
        results = [node.run(*(node.signed(call, **fields) for call, fields in batch)) for node in nodes]
        real, dream = results
        assert list(real.outcomes) == list(dream.outcomes)
        assert list(real.events) == list(dream.events) and real.gas_used == dream.gas_used
        assert nodes[0].seal() == nodes[1].seal()
    for node in nodes:
        node.machine.rollback(1)
    real_memory, dream_memory = (node.machine.memory_of(1, 32_768) for node in nodes)
    assert real_memory == dream_memory
    assert nodes[0].machine.sequences([(ALICE, 0)]) == nodes[1].machine.sequences([(ALICE, 0)]) == (0,)
