"""A program means the same under CPython and as IR: result or reason, and every field of its state, call after call."""

from __future__ import annotations

import random
from typing import Any

import pytest

from execution.compiler import compile_ir
from execution.compiler import types as t
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack_plain, plain_result
from execution.compiler.gas import GAS
from execution.compiler.optimise import optimise
from execution.compiler.selector import reason_word
from execution.lang import Account, Program, Rejected, Timestamp
from execution.lang.entries import entry_of
from execution.lang.instrument import Bundle
from execution.lang.sandbox import Chain
from tests.compiler.samples import COUNTER, GYM, LEDGER
from tests.compiler_back.legs import Outcome, PythonLeg

GAS_LIMIT = 10**9
ONE = 10**18
INTS = (0, 1, 2, 3, 5, 7, -1, -3, 10, 41, 2**62, -(2**63), 2**63 - 1)
DECIMALS = (0, ONE, -ONE, 5 * ONE // 2, ONE // 3, 1, -7, 4 * ONE, 2**100, -(2**127))


def some(of: t.Type, chance: random.Random) -> Any:
    """A plain value of a flat type: small ones often, extreme ones sometimes."""
    match of:
        case t.Scalar("decimal"):
            return chance.choice(DECIMALS) if chance.random() < 0.3 else chance.randrange(-8, 12) * ONE // 2
        case t.Scalar("account"):
            return chance.choice((bytes(20), bytes(19) + b"\1", bytes(range(20))))
        case t.Scalar("symbol"):
            return chance.choice(("", "GOLD", "0123456789abcdef", "a b"))
        case t.Scalar("bool"):
            return chance.randrange(2)
        case t.Scalar("bytes32"):
            return chance.choice((bytes(32), bytes(range(32))))
        case t.ArrayType(item, count, bounded):
            return tuple(some(item, chance) for _ in range(chance.randrange(count + 1) if bounded else count))
        case t.EnumType(_, members):
            return chance.randrange(len(members))
        case t.OptionalType(item):
            return None if chance.random() < 0.3 else some(item, chance)
        case t.StructType(_, fields):
            return tuple(some(kind, chance) for _, kind in fields)
        case _:
            return chance.choice(INTS) if chance.random() < 0.2 else chance.randrange(-3, 8)


class Pair:
    """One program twice: a CPython chain, and the interpreter on the optimised module."""

    def __init__(self, name: str, source: str) -> None:
        file = f"{name.lower()}.py"
        module, self.abi = compile_ir({file: source}, file)
        self.leg = PythonLeg(optimise(module, GAS))
        self.leg.program.start()
        self.last: Outcome | None = None
        self.cls: type[Program] = getattr(Bundle({name.lower(): source}).load(name.lower()), name)
        self.chain = Chain()
        self.chain.open_block(Timestamp(1_000))
        self.address = self.chain.deploy(self.cls)

    def python(self, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        entry = entry_of(self.cls, name)
        values = [kind.load(arg) for kind, arg in zip(entry.parameters.values(), args, strict=True)]
        try:
            result = self.chain.call(Account.zero(), self.address, name, *values)
        except Rejected as refusal:
            return "rejected", refusal.reason.word
        return "done", entry.result.plain(result)

    def compiled(self, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        entry = self.abi.entry(name)
        packed = pack_plain([of for _, of in entry.parameters], args)
        outcome = self.last = self.leg.run(entry.selector, packed, GAS_LIMIT)
        assert outcome.status in (0, 1), "out of gas"
        if outcome.status == 1:
            return "rejected", outcome.reason
        return "done", plain_result(entry, outcome.results)

    def state(self) -> dict[str, Any]:
        return decode_state(self.abi, bytes(self.leg.program.mirror.memories["state"]))


@pytest.mark.parametrize(("name", "source"), [("Counter", COUNTER), ("Ledger", LEDGER), ("Gym", GYM)])
def test_cpython_and_ir_agree_on_generated_calls(name: str, source: str) -> None:
    pair, chance = Pair(name, source), random.Random(7)
    done = dict.fromkeys((entry.name for entry in pair.abi.entries), 0)
    for _ in range(600):
        entry = chance.choice(pair.abi.entries)
        args = tuple(some(of, chance) for _, of in entry.parameters)
        python, compiled = pair.python(entry.name, args), pair.compiled(entry.name, args)
        assert compiled == python, (entry.name, args)
        assert pair.state() == pair.chain.state(pair.address), (entry.name, args)
        done[entry.name] += python[0] == "done"
    assert all(done.values()), done


def test_words_that_are_no_values_are_a_bad_argument() -> None:
    leg = Pair("Gym", GYM)
    sides, gold = leg.abi.entry("sides"), leg.abi.entry("gold")
    good = pack_plain([of for _, of in gold.parameters], ("GOLD", bytes(19) + b"\2", (1, 2)))
    bad = [
        (sides, (3).to_bytes(8, "little") + bytes(8)),
        (sides, b"\xff" * 8 + bytes(8)),
        (gold, b"GO\0LD" + good[5:]),
        (gold, b"GO\x1fLD" + good[5:]),
        (gold, b"GOL\x80" + good[4:]),
        (gold, b"GOLDGOL\x80" + good[8:]),
        (gold, good[:36] + b"\1" + good[37:]),
        (gold, good[:40] + b"\2" + good[41:]),
        (gold, good[:40] + bytes(8) + good[48:]),
    ]
    for entry, words in bad:
        outcome = leg.leg.run(entry.selector, words, GAS_LIMIT)
        assert (outcome.status, outcome.reason) == (1, reason_word("bad argument")), words
    assert leg.leg.run(gold.selector, good, GAS_LIMIT).status == 0
