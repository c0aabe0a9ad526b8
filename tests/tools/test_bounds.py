"""Bounds of gas: never below what a run used; what has none is named with its line."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.compiler import locate_ir
from execution.compiler.bounds import bound_rows, entry_bounds
from execution.compiler.gas import GAS
from execution.compiler.optimise import optimise
from execution.compiler.types import words as words_of
from execution.lang import Rejected
from node.testing.bundles import load_path, load_text
from node.testing.chain import Chain
from node.testing.wasm import Wasm
from node.testing.world import Accounts

LOOPS = """
from execution.lang import Account, Asset, Decimal, List, Map, OrderedMap, Program, Rejected, external, require, view

MOST: int = 12


class Loops(Program):
    totals: Map[int, Decimal]
    ranks: OrderedMap[int, int]
    items: List[int]
    sum: int

    @external
    def fixed(self, n: int) -> int:
        s = 0
        for i in range(10):
            if i % 2 == 0 and n > 3:
                continue
            self.sum += i
            s += i
            if s > n:
                break
        return s

    @external
    def least(self, n: int) -> int:
        s = 0
        for i in range(min(n, 7)):
            for j in range(i):
                s += j
        return s

    @external
    def asked(self, n: int) -> None:
        require(n <= MOST, "too many")
        for i in range(n):
            self.totals[i] = self.totals.get(i, Decimal(0)) + Decimal("1.5") * i
            self.ranks[n - i] = i

    @external
    def down(self, n: int) -> int:
        require(n >= 3 and n <= 9, "out of range")
        s = n
        while s > 2:
            s -= 1
            self.items.append(s)
        for k in range(n, 0, -1):
            s += k
        return s

    @external
    def shared(self, n: int) -> int:
        return self.summed(5) + self.summed(2)

    @external
    def drops(self, n: int) -> int:
        count = 0
        for i in range(4):
            if i in self.totals:
                del self.totals[i]
                count += 1
            if i in self.ranks:
                del self.ranks[i]
            if len(self.items) > 0:
                count += self.items.pop()
        return count

    @external
    def whole(self, n: int) -> int:
        s = 0
        for i in range(n):
            s += i
        return s

    @external
    def walked(self, n: int) -> int:
        s = 0
        for item in self.items:
            s += item
        return s

    @view
    def seen(self, n: int) -> int:
        s = 0
        for i in range(3):
            s += self.ranks.get(i + n, 0)
        return s

    def summed(self, n: int) -> int:
        s = 0
        for i in range(n):
            s += i * self.sum
        return s
"""


def bounds_of(loaded):
    module, _, abi = locate_ir(dict(loaded.source.files), loaded.source.main)
    words = {entry.name: sum(words_of(of) for _, of in entry.parameters) for entry in abi.entries}
    return entry_bounds(optimise(module, GAS), words)


@pytest.fixture(scope="module")
def loops():
    loaded = load_text(LOOPS.lstrip())
    return Chain(Wasm()).create(loaded), bounds_of(loaded)


def test_what_has_no_bound_is_named_with_its_line():
    rows = {row["entry"]: row for row in bound_rows({"p.py": LOOPS.lstrip()}, "p.py")}
    lines = LOOPS.lstrip().splitlines()
    for entry, line in (("whole", "        for i in range(n):"), ("walked", "        for item in self.items:")):
        numbers = [number for number, text in enumerate(lines, 1) if text == line]
        assert rows[entry]["unbounded"] in {f"because of the loop in line {number}" for number in numbers}
    assert [entry for entry, row in rows.items() if row["gas"] is None] == ["whole", "walked"]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(entry=st.sampled_from(["fixed", "least", "asked", "down", "shared", "drops"]), n=st.integers(-3, 20))
def test_no_run_uses_more_than_the_bound(loops, entry, n):
    program, bounds = loops
    chain, sender = program._chain, Accounts().alice
    try:
        chain.call(program, entry, n, sender=sender)
    except Rejected as refusal:
        assert str(refusal) in ("too many", "out of range")
    assert 30_000 < chain.gas_used <= bounds[entry].gas


def test_a_views_bound_is_that_of_its_query(loops):
    program, bounds = loops
    program.seen(1)
    assert program._chain.gas_used <= bounds["seen"].gas < 30_000


def test_a_bound_is_of_use():
    """Where a loop's own bound depends on an outer counter the two differ, by little."""
    loaded = load_text(LOOPS.lstrip())
    chain = Chain(Wasm())
    program = chain.create(loaded)
    program.least(7, sender=Accounts().alice)
    assert chain.gas_used <= bounds_of(loaded)["least"].gas <= chain.gas_used * 1.01


def test_inserting_and_deleting_stays_below_over_a_long_life(tmp_path):
    """Maps that grow, migrate their index and shrink; ordered ones whose nodes split and empty."""
    source = LOOPS.lstrip().replace("    @view\n", '''    @external
    def put(self, key: int) -> None:
        self.totals[key] = Decimal(1)
        self.ranks[key * 7919 % 100_003] = key
        self.items.append(key)

    @external
    def cut(self, key: int) -> None:
        if key in self.totals:
            del self.totals[key]
        if key * 7919 % 100_003 in self.ranks:
            del self.ranks[key * 7919 % 100_003]
        if len(self.items) > 0:
            self.items.pop()

    @view
''', 1)  # fmt: skip
    path = tmp_path / "loops.py"
    path.write_text(source)
    loaded = load_path(path)
    bounds = bounds_of(loaded)
    chain = Chain(Wasm())
    program = chain.create(loaded)
    dice, sender = random.Random(7), Accounts().alice
    for _ in range(1_500):
        entry = dice.choice(("put", "put", "put", "cut"))
        chain.call(program, entry, dice.randrange(800), sender=sender)
        assert chain.gas_used <= bounds[entry].gas
        if dice.random() < 0.02:
            chain.open_block()


def test_invariants_are_part_of_what_an_entry_may_use():
    source = """
from execution.lang import Program, external, invariant, view


class Pair(Program):
    a: int
    b: int

    @external
    def move(self, n: int) -> None:
        self.a += n
        self.b -= n

    @view
    def seen(self) -> int:
        return self.a

    @invariant
    def even(self) -> bool:
        return self.a + self.b == 0
"""
    loaded = load_text(source.lstrip())
    bounds = bounds_of(loaded)
    chain = Chain(Wasm())
    program = chain.create(loaded)
    program.move(5, sender=Accounts().alice)
    saved = GAS["dirty_page"]  # its page was new to the block when it was created
    assert chain.gas_used <= bounds["move"].gas <= (chain.gas_used + saved) * 1.05
    program.seen()
    assert chain.gas_used <= bounds["seen"].gas < 1_000


def test_the_standard_programs_stay_below_theirs():
    from tests.differential.engines import DEPLOYED, Engines, path_of, source_of
    from tests.differential.session import Session

    bounds = {}
    for name in DEPLOYED:
        path = path_of(name)
        module, _, abi = locate_ir({path: source_of(name)}, path)
        words = {entry.name: sum(words_of(of) for _, of in entry.parameters) for entry in abi.entries}
        bounds[name] = (abi, entry_bounds(optimise(module, GAS), words))
    checked = []

    class Watched(Engines):
        def run(self, batch, expected=None):
            result = super().run(batch, expected)
            for signed, outcome in zip(batch, result.outcomes, strict=True):
                self.check(signed.transaction, outcome)
            return result

        def check(self, transaction, outcome):
            from tests.differential.storm import ADDRESSES

            if len(transaction.calls) != 1 or outcome.status == "refused":
                return
            call = transaction.calls[0]
            name = next((name for name, address in ADDRESSES.items() if address.data == call.program), None)
            entry = bounds[name][0].by_selector.get(int.from_bytes(call.selector, "little")) if name else None
            bound = bounds[name][1][entry.name].gas if entry and entry.kind != "view" else None
            if bound is not None:
                assert outcome.gas_used <= bound, (name, entry.name)
                checked.append(entry.name)

    for program, calls in (("bank", 120), ("clearing", 60)):
        session = Session(program, 3, calls)
        session.engines = Watched()
        session.run()
    assert len(checked) > 100


QUEUES = '''
from execution.lang import Account, Bytes32, Program, Queue, external, sha256, tx


class Queues(Program):
    line: Queue[int]
    digest: Bytes32

    @external
    def push(self, n: int) -> None:
        self.line.push(n)

    @external
    def pop(self, n: int) -> None:
        for _ in range(3):
            if len(self.line) > 0:
                self.line.pop()

    @external
    def hash(self, n: int) -> None:
        self.digest = sha256(n, tx.sender, self.digest)
'''.lstrip()  # fmt: skip


def test_queues_and_hashes_stay_below():
    loaded = load_text(QUEUES)
    bounds = bounds_of(loaded)
    chain = Chain(Wasm())
    program = chain.create(loaded)
    dice, sender = random.Random(5), Accounts().alice
    for turn in range(900):
        entry = dice.choice(("push", "push", "push", "pop") if turn < 600 else ("push", "pop", "pop", "hash"))
        chain.call(program, entry, turn, sender=sender)
        assert chain.gas_used <= bounds[entry].gas
        if turn % 50 == 0:
            chain.open_block()
