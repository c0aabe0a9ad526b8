"""
Whatever gas a call is left with, WASM and the interpreter run out of it at the same instruction and undo the same.

CPython counts no gas, so here are only two engines. Gas of a transaction and caps of its calls are drawn from nothing
to plenty; the generator hears the machine's answers.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from execution.compiler.abi_values import unpack_result
from execution.executor import Outcome
from genesis.chain import Call as RawCall
from genesis.chain import Transaction, unsigned
from tests.differential.engines import GAS_TRANSACTION, SPEC, Engines, abi_of
from tests.differential.session import packed
from tests.differential.storm import ALL
from tests.programs.steps import START_MS, Answer, Ask, Call, Step, Tick, opening

CALLS = 1_500
BASE = SPEC.gas["transaction_base"]


class Starved:
    """A run in which every step is a batch of its own."""

    def __init__(self, program: str, seed: int) -> None:
        self.dice = random.Random(f"starved {program} {seed}")
        self.engines = Engines(with_twin=False)
        self.engines.open(START_MS)
        self.reasons: dict[str, int] = {}
        self._sequences: dict[bytes, int] = {}
        self._plenty = True
        for step in opening(cash=2_000, insurance=500):
            assert not self.take(step).reason
        self._plenty = False

    def take(self, step: Step) -> Answer:
        if isinstance(step, Tick):
            self.engines.seal()
            self.engines.open(self.engines.time_ms + step.ms)
            self.engines.run(())
            return Answer()
        sender, call = packed(step)
        outcome = self.engines.run((self.transaction(sender, call),)).outcomes[0]
        return self.answer(step, outcome)

    def transaction(self, sender: bytes, call: RawCall) -> object:
        gas, cap = GAS_TRANSACTION, 0
        if not self._plenty:
            match self.dice.randrange(4):
                case 0:
                    gas = BASE + self.dice.randrange(10 ** self.dice.randint(3, 6))
                case 1:
                    cap = self.dice.randint(1, 10 ** self.dice.randint(1, 6))
        call = RawCall(call.program, call.selector, call.arguments, cap)
        sequence = self._sequences.get(sender, 0)
        self._sequences[sender] = sequence + 1
        atomic = self.dice.random() < 0.5
        return unsigned(Transaction(SPEC.chain_id, sender, 0, sequence, 1 << 50, gas, 0, atomic, (call,)), sender)

    def answer(self, step: Call | Ask, outcome: Outcome) -> Answer:
        why = outcome.call_reasons[0]
        self.reasons[why] = self.reasons.get(why, 0) + 1
        if why:
            return Answer(None, why)
        result = unpack_result(abi_of(step.program).entry(step.method), outcome.results[0])
        return Answer(SimpleNamespace(**result) if isinstance(result, dict) else result)


@pytest.mark.slow
@pytest.mark.parametrize("program", sorted(ALL))
def test_gas_runs_out_at_the_same_place(program: str) -> None:
    run = Starved(program, 5)
    steps = ALL[program](5)
    step = next(steps)
    for _ in range(CALLS):
        step = steps.send(run.take(step))
    run.engines.seal()
    assert run.reasons["out of gas"] > CALLS // 20
    assert run.reasons[""] > CALLS // 5
