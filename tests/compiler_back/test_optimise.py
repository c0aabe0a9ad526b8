"""Passes change gas and speed, nothing else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from execution.compiler.gas import GAS
from execution.compiler.ir import OPS, CallFunction, Gas, Module
from execution.compiler.ir_text import parse, show
from execution.compiler.ir_walk import walk
from execution.compiler.optimise import PASSES, optimise
from execution.compiler.optimise_gas import insert_gas
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


def test_a_straight_line_is_charged_once() -> None:
    body = "w1 = add.w w0, 1\nif w1 {\nw2 = mul.w w1, w1\n}\nw1 = floordiv.w w1, 3"
    found = insert_gas(function(body), GAS)
    amounts = [i.amount for i in walk(found.functions[0].body) if isinstance(i, Gas)]
    assert amounts == [GAS["add.w"] + GAS["if"], GAS["mul.w"], GAS["floordiv.w"]]


def test_the_table_has_a_price_for_every_operation() -> None:
    assert all(GAS[name] >= 1 for name in OPS)
