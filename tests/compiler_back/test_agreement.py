"""The interpreter and the WASM agree on every bit: results, reasons, gas, log, journal and state."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from execution.compiler.gas import GAS
from execution.compiler.interpret_arithmetic import MEANING, Failure
from execution.compiler.ir import OPS, Entry, Function, Instruction, Kind, Module, Op, Reg, ScratchLoad, ScratchStore
from execution.compiler.optimise import optimise
from execution.vm.runtime.words import reason
from tests.compiler_back.generate import EDGES_D, EDGES_W, arguments, module
from tests.compiler_back.legs import PythonLeg, WasmLeg

PLENTY = 10**9
NAMES = sorted(OPS)


@pytest.mark.parametrize("seed", range(100, 116))
def test_random_modules(seed: int) -> None:
    found = optimise(module(seed), GAS)
    python, wasm = PythonLeg(found), WasmLeg(found)
    random = Random(seed)
    for _ in range(50):
        entry, packed = random.choice(found.entries), arguments(random)
        gas, flags = random.choice((PLENTY, PLENTY, 10_000, 1_000)), random.choice((0, 0, 0, 1))
        assert python.run(entry.selector, packed, gas, flags) == wasm.run(entry.selector, packed, gas, flags)


def _one_operation(number: int, name: str) -> Function:
    """Loads its operands from scratch, stores its result at the beginning."""
    kinds: tuple[Kind, ...] = OPS[name][0]
    regs = [Reg(i + 1, kind) for i, kind in enumerate(kinds)]
    out = Reg(len(kinds) + 1, OPS[name][1][0])
    body: list[Instruction] = [ScratchLoad(reg, Reg(0, "w"), 16 * i) for i, reg in enumerate(regs)]
    body += [Op(name, (out,), tuple(regs)), ScratchStore(Reg(0, "w"), 0, out)]
    return Function(f"op{number}", (Reg(0, "w"),), (), ("w", *kinds, out.kind), tuple(body))


OPERATIONS = Module(
    "operations",
    tuple(_one_operation(number, name) for number, name in enumerate(NAMES)),
    tuple(Entry(number, f"op{number}", 0, True, False) for number in range(len(NAMES))),
    1024,
)


@pytest.fixture(scope="module")
def operations() -> WasmLeg:
    return WasmLeg(OPERATIONS)


def _cases(name: str) -> list[tuple[int, ...]]:
    """Edges against edges, and random numbers of random size."""
    random = Random(name)
    kinds = OPS[name][0]
    cases = list(product(*(EDGES_W if kind == "w" else EDGES_D for kind in kinds)))
    cases = random.sample(cases, min(len(cases), 120))
    bits = {"w": 63, "d": 127}
    for _ in range(60):
        cases.append(
            tuple(random.choice((-1, 1)) * random.getrandbits(random.randrange(1, bits[k] + 1)) for k in kinds)
        )
    return cases


@pytest.mark.parametrize("name", NAMES)
def test_each_operation(name: str, operations: WasmLeg) -> None:
    size = 8 if OPS[name][1][0] == "w" else 16
    for case in _cases(name):
        packed = b"".join(value.to_bytes(16, "little", signed=True) for value in case)
        outcome = operations.run(NAMES.index(name), packed, PLENTY, 1)
        try:
            expected = (0, 0, int(MEANING[name](*case)))
        except Failure as failure:
            expected = (1, reason(failure.text), case[0] if size == 16 else 0)
        found = int.from_bytes(outcome.results[:size], "little", signed=True)
        assert (outcome.status, outcome.reason, found if outcome.status == 0 else expected[2]) == expected, case
