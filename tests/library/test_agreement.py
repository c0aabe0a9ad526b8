"""CPython, the interpreter of the IR and WASM do the same with the library: results, reasons, state, gas."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from execution.compiler import compile_ir
from execution.compiler import types as t
from execution.compiler.abi_values import pack_plain
from node.fuzz.case import Block, Call, Case, Program, Sent
from node.fuzz.legs import Legs
from node.fuzz.stepping import DEPLOYER, address_of

FOLDER = Path(__file__).parent
ONE = 10**18
START_MS = 1_700_000_000_000
BLOCKS, BATCHES, SENT = 4, 5, 30
SIGNERS = (DEPLOYER, DEPLOYER, bytes(19) + b"\1", bytes(19) + b"\2")
ROLES = ("admin", "minter", "keeper")
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def legs() -> Legs:
    return Legs()


def plain(name: str, of: t.Type, step: int, chance: random.Random) -> Any:
    """Plain data of an argument: mostly in its range, sometimes far outside. step: the call's number in the case."""
    match of:
        case t.Scalar("decimal"):
            return decimal(name, chance)
        case t.Scalar("account"):
            return chance.choice(SIGNERS)
        case t.Scalar("symbol"):
            return chance.choice(ROLES)
        case t.Scalar("bool"):
            return chance.randrange(2)
        case t.EnumType(_, members):
            return chance.randrange(len(members))
        case t.Scalar("timestamp") if name == "time":
            return step + chance.randrange(-3, 15)
        case t.Scalar("timestamp"):
            return chance.choice((step + chance.randrange(-3, 25), chance.randrange(-DAY_MS, 84_000 * DAY_MS)))
        case _:
            return whole(name, chance)


def decimal(name: str, chance: random.Random) -> int:
    """The statistics are told ordinary values: after a huge one all others overflow."""
    if name in ("value", "price", "decay"):
        return chance.randrange(-ONE // 5, 100 * ONE if name == "value" else ONE)
    if chance.random() < 0.05:
        return chance.getrandbits(126)
    return chance.choice((0, 1, ONE, chance.randrange(-ONE, 1_000 * ONE)))


def whole(name: str, chance: random.Random) -> int:
    if chance.random() < 0.03:
        return chance.choice((-1, 0, 2**62, -(2**63), 2**63 - 1))
    ranges = {"year": (1965, 2205), "month": (0, 14), "months": (1, 14), "count": (-40, 40), "window": (0, 2)}
    if name == "day_of_month":
        return chance.randrange(1, 33)
    if name == "start":
        return chance.randrange(20_000, 20_400)
    if name == "end":
        return chance.randrange(20_000, 21_200)
    low, high = ranges.get(name, (20_000, 20_400) if chance.random() < 0.7 else (-5, 84_380))
    return chance.randrange(low, high)


def made(file: str) -> Case:
    """Deploys the program, then calls all its entries at random."""
    chance = random.Random(file)
    files = {file: (FOLDER / file).read_text()}
    _, abi = compile_ir(files, file)
    entries = [entry for entry in abi.entries if entry.name != "create"]

    def sent(step: int) -> Sent:
        entry = chance.choice(entries)
        values = [plain(name, of, step, chance) for name, of in entry.parameters]
        packed = pack_plain([of for _, of in entry.parameters], values)
        call = Call(address_of(0), entry.selector.to_bytes(4, "little"), packed)
        return Sent(chance.choice(SIGNERS), 0, False, (call,))

    batches = [tuple(sent(SENT * number + one) for one in range(SENT)) for number in range(BLOCKS * BATCHES)]
    blocks = tuple(
        Block(
            START_MS + 1_000 * number,
            0,
            (0,) * (number == 0),
            tuple(batches[BATCHES * number : BATCHES * (number + 1)]),
        )
        for number in range(BLOCKS)
    )
    return Case(file, files, (Program(file, b""),), blocks, False)


@pytest.mark.parametrize("file", ["dates.py", "vaults.py"])
def test_three_legs_agree(legs: Legs, file: str) -> None:
    assert legs.run(made(file)) == 1
