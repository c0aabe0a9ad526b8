"""Gas by line: the same outcome and gas as WASM, every unit accounted for, caps of calls kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from execution.lang import Decimal
from genesis.gas import GAS_TABLE
from node.testing.bundles import load_path
from node.testing.chain import Chain
from node.testing.interpreted import Interpreted
from node.testing.wasm import Wasm
from node.testing.world import Accounts

GAS = dict(GAS_TABLE)
COUNTER = Path(__file__).parent / "counter.py"
CALLED = """
from execution.lang import Program, external, require


class Called(Program):
    count: int

    @external
    def work(self, turns: int) -> int:
        for turn in range(turns):
            self.count += turn
        require(turns != 7, "seven")
        return self.count
"""
CALLER = """
from called import Called
from execution.lang import Program, ProgramRef, Rejected, external


class Caller(Program):
    called: ProgramRef[Called]
    missed: int

    def create(self, called: ProgramRef[Called]) -> None:
        self.called = called

    @external
    def ask(self, turns: int) -> int:
        try:
            return self.called.work(turns, gas=20_000)
        except Rejected as refusal:
            self.missed += 1
        return -1
"""


def counted(engine):
    chain, alice = Chain(engine), Accounts().alice
    counter = chain.create(load_path(COUNTER), (100,), alice)
    step = counter.module.Step(2, Decimal("0.5"))
    used = []
    for mood in (counter.module.Mood.CALM, counter.module.Mood.CROSS):
        counter.add(step, mood, sender=alice)
        used.append(chain.gas_used)
    counter.repeat(20, sender=alice)
    used.append(chain.gas_used)
    return chain, counter, used


@pytest.fixture(scope="module")
def profiled():
    return counted(Interpreted())


def test_gas_and_state_are_those_of_wasm(profiled):
    _chain, counter, used = profiled
    _, same, wanted = counted(Wasm())
    assert used == wanted
    assert counter.state == same.state


def test_every_unit_is_on_a_line_or_the_kernels(profiled):
    chain, _counter, used = profiled
    rows = chain.engine.rows(load_path(COUNTER))
    outside = sum(GAS["transaction_base"] + GAS["call_base"] + GAS["argument_word"] * words for words in (4, 4, 1))
    first = ("def create", "require(limit", "self.owner =", "self.limit =")
    creating = sum(row["gas"] for row in rows if row["source"].startswith(first))
    assert sum(row["gas"] for row in rows) - creating == sum(used) - outside


def test_a_loops_line_counts_its_turns(profiled):
    chain, _, _ = profiled
    rows = {row["source"]: row for row in chain.engine.rows(load_path(COUNTER))}
    assert rows["sum_ += turn"]["times"] == 20
    assert rows["sum_ += turn"]["gas"] == 20 * (GAS["add.w"] + GAS["copy.w"])
    assert rows["stay = self.stays.obtain(tx.sender)"]["gas"] > GAS["dirty_page"]


@pytest.mark.parametrize("turns", [3, 7, 9_000])
def test_caps_keep_apart_what_is_not_used(turns, tmp_path):
    """Done, rejected, out of its cap: lines of both programs sum up to what the transaction used."""
    for name, text in (("called.py", CALLED), ("caller.py", CALLER)):
        (tmp_path / name).write_text(text)
    chain, alice = Chain(Interpreted(), tmp_path), Accounts().alice
    caller = chain.deploy("caller.py", chain.deploy("called.py"))
    profile = chain.engine.machine.profiling.profile
    profile.gas.clear()
    caller.ask(turns, sender=alice)
    outside = GAS["transaction_base"] + GAS["call_base"] + GAS["argument_word"]
    assert sum(profile.gas.values()) == chain.gas_used - outside
    tree = chain.engine.machine.profiling.calls[-1]
    assert tree.gas == chain.gas_used - outside
    assert [inner.failed for inner in tree.inner] == [turns != 3]
    assert 0 < tree.inner[0].gas <= 20_000 + 5, "the cap, and at most what the line costs that went beyond it"
