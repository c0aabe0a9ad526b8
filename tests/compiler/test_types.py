"""Sequences and digests mean the same in all three worlds: result or reason, state, and for the compiled two gas."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from typing import Any

import pytest

from execution.compiler import compile_ir
from execution.compiler import types as t
from execution.compiler.abi import parse_abi
from execution.compiler.abi_values import image, pack, pack_plain, unpack_arguments, unpack_result
from execution.compiler.gas import GAS
from execution.compiler.optimise import optimise
from execution.compiler.selector import reason_word
from execution.lang import Account, Array, BoundedList, Bytes32, Decimal, Rejected, sha256
from genesis.errors import Invalid
from tests.compiler.shapes import LINES, SHAPES, TURNS
from tests.compiler.test_meaning import GAS_LIMIT, Pair, some
from tests.compiler_back.legs import WasmLeg


class Trio(Pair):
    """The pair, and the WASM of the same module beside the interpreter: every outcome is compared in full."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name, source)
        file = f"{name.lower()}.py"
        self.wasm = WasmLeg(optimise(compile_ir({file: source}, file)[0], GAS))

    def compiled(self, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        entry = self.abi.entry(name)
        packed = pack_plain([of for _, of in entry.parameters], args)
        inside = self.wasm.run(entry.selector, packed, GAS_LIMIT)
        found = super().compiled(name, args)
        assert self.last is not None
        assert (inside.status, inside.gas, inside.results) == (self.last.status, self.last.gas, self.last.results)
        assert inside.status == 0 or inside.reason == self.last.reason
        assert inside.state[: len(self.last.state)] == self.last.state
        return found


@pytest.fixture(scope="module")
def shapes() -> Trio:
    return Trio("Shapes", SHAPES)


def _agree(trio: Trio, calls: int, seed: int) -> None:
    chance, seen = random.Random(seed), {entry.name: Counter[str]() for entry in trio.abi.entries}
    for _ in range(calls):
        entry = chance.choice(trio.abi.entries)
        args = tuple(some(of, chance) for _, of in entry.parameters)
        python, compiled = trio.python(entry.name, args), trio.compiled(entry.name, args)
        assert compiled == python, (entry.name, args)
        assert trio.state() == trio.chain.state(trio.address), (entry.name, args)
        seen[entry.name][python[0]] += 1
    assert all(counts["done"] for counts in seen.values()), seen


def test_generated_calls_of_sequences_agree(shapes: Trio) -> None:
    _agree(shapes, 1_000, 11)


def test_generated_calls_agree_on_who_sees_which_change() -> None:
    _agree(Trio("Turns", TURNS), 450, 5)


def test_generated_calls_of_queues_and_cursors_agree() -> None:
    _agree(Trio("Lines", LINES), 500, 12)


def test_the_abi_comes_back_from_its_text(shapes: Trio) -> None:
    assert parse_abi(shapes.abi.text()) == shapes.abi
    assert shapes.abi.entry("stack").signature == "stack(int[..6],int)"
    assert shapes.abi.entry("local").signature == "local(int,decimal)"


def test_digests_are_sha256_of_the_packed_words(shapes: Trio) -> None:
    who = Account.numbered(77)
    words = b"".join(
        image(of, plain)
        for of, plain in ((t.INT, -5), (t.DECIMAL, 7), (t.ACCOUNT, who.data), (t.BYTES32, bytes(range(32))))
    )
    expected = Bytes32(hashlib.sha256(words).digest())
    assert sha256(-5, Decimal.from_raw(7), who, Bytes32(bytes(range(32)))) == expected


def test_words_that_are_no_sequence_are_a_bad_argument(shapes: Trio) -> None:
    take = shapes.abi.entry("take")
    point = {"x": 1, "y": "2.5"}
    good = pack(take, [{"name": 1, "points": [point] * 3}, ["SELL"], [True, True]])
    at = len(good) - 8 * 6  # of the list's length
    assert shapes.wasm.run(take.selector, good, GAS_LIMIT).status == 0
    for place, word in ((at, 4), (at, -1), (at, 0), (at + 8, 2), (at + 16, 1), (at + 32, 2), (at + 40, -1)):
        words = good[:place] + word.to_bytes(8, "little", signed=True) + good[place + 8 :]
        for leg in (shapes.wasm, shapes.leg):
            outcome = leg.run(take.selector, words, GAS_LIMIT)
            assert (outcome.status, outcome.reason) == (1, reason_word("bad argument")), (place, word)
        with pytest.raises(Invalid):
            unpack_arguments(take, words)


def test_clients_give_and_get_lists(shapes: Trio) -> None:
    stack = shapes.abi.entry("stack")
    outcome = shapes.wasm.run(stack.selector, pack(stack, [[1, 2], 0]), GAS_LIMIT)
    assert unpack_result(stack, outcome.results) == [1, 2, 1, 2]
    for wrong in ([0] * 7, "12", [True, None]):
        with pytest.raises(Invalid):
            pack(stack, [wrong, 0])


def test_a_sequence_inside_a_value_is_frozen_under_cpython() -> None:
    full: BoundedList[int, int] = BoundedList(1, 2)
    full.append(3)
    assert list(full) == [1, 2, 3]
    frozen = type(full).__kind__((int, 3)).coerce(full)
    with pytest.raises(TypeError, match="part of another value"):
        frozen[0] = 4
    room = frozen.copy()
    with pytest.raises(Rejected, match="list is full"):
        room.append(4)
    with pytest.raises(Rejected, match="index out of range"):
        Array(1, 2)[2]
