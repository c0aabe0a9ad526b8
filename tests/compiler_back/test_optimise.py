"""Passes change gas and speed, nothing else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

import execution.compiler.optimise as stages
from execution.compiler.gas import GAS
from execution.compiler.ir import OPS, CallFunction, Gas, Module
from execution.compiler.ir_check import BrokenIr
from execution.compiler.ir_text import parse, show
from execution.compiler.ir_walk import walk
from execution.compiler.optimise import PASSES, optimise
from execution.compiler.optimise_gas import cost, insert_gas
from execution.compiler.optimise_inline import (
    GROWTH_MAX,
    INLINED_MAX,
    PROGRAM_GROWTH_MAX,
    REGISTERS_MAX,
    inline,
)
from tests.compiler_back.generate import arguments, module
from tests.compiler_back.legs import PythonLeg

PLENTY = 10**12


def function(body: str, more: str = "") -> Module:
    head = "module m heap 1024\nentry 0x00000001 run trade\nfunction run(w0) -> () registers (wwwdd) {\n"
    return parse(head + body + "\n}\n" + more)


def run_lines(of: Module) -> list[str]:
    lines = show(of).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("function run"))
    return [line.strip() for line in lines[start + 1 : lines.index("}", start)]]


@pytest.mark.parametrize("seed", range(10))
def test_every_pass_keeps_what_a_program_does(seed: int) -> None:
    raw = module(seed)
    legs = [PythonLeg(raw), PythonLeg(optimise(raw, GAS)), *(PythonLeg(rewrite(raw)) for rewrite in set(PASSES))]
    random = Random(seed)
    for _ in range(25):
        entry, packed = random.choice(raw.entries), arguments(random)
        outcomes = [replace(leg.run(entry.selector, packed, PLENTY), gas=0) for leg in legs]
        assert outcomes.count(outcomes[0]) == len(outcomes)


def test_operations_on_literals_are_done() -> None:
    body = "w1 = mul.w 6, 7\nd3 = mul.d 1500000000000000000d, 3d\nscratch_store w0 + 0, w1\nscratch_store w0 + 8, d3"
    assert run_lines(optimise(function(body), GAS)) == ["gas 2", "scratch_store w0 + 0, 42", "scratch_store w0 + 8, 4d"]


@pytest.mark.parametrize(
    "operation", ["w1 = floordiv.w 5, 0", "w1 = add.w 9223372036854775807, 1", "d1 = sqrt.d -1d", "w1 = mod.w 1, 0"]
)
def test_an_operation_that_fails_stays(operation: str) -> None:
    assert operation in run_lines(optimise(function(operation.replace("d1", "d3")), GAS))


def test_a_checked_operation_stays_though_nobody_reads_it() -> None:
    assert "w1 = add.w w0, 1" in run_lines(optimise(function("w1 = add.w w0, 1"), GAS))


def test_pure_code_nobody_reads_goes() -> None:
    assert run_lines(optimise(function("d3 = to_d.w w0\nw1 = lt.d d3, 5d\nw2 = load.8 128 + 0"), GAS)) == []


def test_the_arm_of_a_literal_condition_remains() -> None:
    body = "w1 = lt.w 1, 2\nif w1 {\nemit 1()\n} else {\nemit 2()\n}"
    assert run_lines(optimise(function(body), GAS)) == ["gas 60", "emit 1()"]


def test_tiny_leaves_are_inlined_and_gone() -> None:
    more = "function twice(w0) -> (w) registers (ww) {\nw1 = add.w w0, w0\nreturn w1\n}"
    found = optimise(function("w1 = call twice(w0)\nscratch_store w0 + 0, w1", more), GAS)
    assert [f.name for f in found.functions] == ["run"]
    assert not any(isinstance(i, CallFunction) for i in walk(found.functions[0].body))


def test_a_leaf_that_reads_its_zeros_stays_a_call() -> None:
    more = "function zero(w0) -> (w) registers (ww) {\nw0 = add.w w0, w1\nw1 = add.w w0, 1\nreturn w0\n}"
    found = optimise(function("w1 = call zero(w0)\nscratch_store w0 + 0, w1", more), GAS)
    assert any(isinstance(i, CallFunction) for i in walk(found.functions[0].body))


def lines(head: str, *body: str) -> str:
    return "\n".join((f"function {head} {{", *body, "}", ""))


def leaf(size: int) -> str:
    """A function of so many instructions, its Return among them, and two registers."""
    return lines("leaf(w0) -> (w) registers (ww)", *["w1 = add.w w0, w0"] * (size - 1), "return w1")


def callers(*calls: int, registers: int = 1) -> str:
    """Functions that call the leaf so often each."""
    kinds = "w" * registers
    return "".join(
        lines(f"caller{number}(w0) -> () registers ({kinds})", *["w0 = call leaf(w0)"] * count)
        for number, count in enumerate(calls)
    )


def calls_left(of: Module) -> list[int]:
    """Calls in each function but the entry's, after inlining."""
    found = inline(of).functions
    return [sum(isinstance(i, CallFunction) for i in f.body) for f in found if f.name.startswith("caller")]


@pytest.mark.parametrize("over", [0, 1])
def test_a_leaf_is_inlined_up_to_its_bound(over: int) -> None:
    assert calls_left(function("", leaf(INLINED_MAX + over) + callers(3))) == [3 * over]


def test_a_caller_and_a_program_grow_up_to_their_bounds() -> None:
    size = 10
    most, rest = GROWTH_MAX // size, (PROGRAM_GROWTH_MAX - GROWTH_MAX) // size - 5
    assert calls_left(function("", leaf(size) + callers(most + 2, rest, 7))) == [2, 0, 2]


@pytest.mark.parametrize("over", [0, 1])
def test_a_caller_has_registers_up_to_its_bound(over: int) -> None:
    caller = callers(1, registers=REGISTERS_MAX - 2 + over)
    assert calls_left(function("", leaf(3) + caller)) == [over]


def test_a_pass_that_breaks_the_form_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the last one, behind which nothing else would look."""

    def broken(of: Module, *_: object) -> Module:
        return replace(of, functions=tuple(replace(each, results=("w",)) for each in of.functions))

    with monkeypatch.context() as patch:
        patch.setattr(stages, "PASSES", (broken, lambda _: function("")))
        with pytest.raises(BrokenIr, match="without a Return"):
            optimise(function("emit 1()"), GAS)
    monkeypatch.setattr(stages, "insert_gas", broken)
    with pytest.raises(BrokenIr, match="without a Return"):
        optimise(function("emit 1()"), GAS)


def test_a_straight_line_is_charged_once() -> None:
    body = "w1 = add.w w0, 1\nif w1 {\nw2 = mul.w w1, w1\n}\nw1 = floordiv.w w1, 3"
    found = insert_gas(function(body), GAS)
    amounts = [i.amount for i in walk(found.functions[0].body) if isinstance(i, Gas)]
    assert amounts == [GAS["add.w"] + GAS["if"], GAS["mul.w"], GAS["floordiv.w"]]


@pytest.mark.parametrize(("fields", "words"), [("", 0), ("w0", 1), ("d3", 2), ("w0, d3, d4", 5)])
def test_what_is_packed_is_paid_by_the_word(fields: str, words: int) -> None:
    (emit,) = function(f"emit 1({fields})").functions[0].body
    assert cost(emit, GAS) == GAS["emit"] + words * GAS["word"]


def test_the_table_has_a_price_for_every_operation() -> None:
    assert all(GAS[name] >= 1 for name in OPS)
