"""A node whose result differs from the quorum's: it stops signing, keeps why, is told the field, and comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.compiler.abi import parse_abi
from execution.compiler.abi_map import extents
from execution.vm.machine import Machine
from genesis.devkeys import development_address
from genesis.errors import Invalid
from genesis.spec import ChainSpec, genesis_address
from node import app
from node.engine import on_engine_stack
from node.faults import compare, fault, ground
from node.faults.compare import Cause, Verdict
from node.faults.fault import Fault
from tests.node.command import tenor
from tests.node.test_validators import FOUR, Town, play

BANK = 1
WATCHED = development_address(7)
BALANCE = f"balances[0x{WATCHED.hex()}, 0]"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Machine]]:
    """The engines of the nodes that start, in that order."""
    made: list[Machine] = []

    class Noted(Machine):
        def genesis(self, spec: ChainSpec) -> bytes:
            made.append(self)
            return super().genesis(spec)

    monkeypatch.setattr(app, "Machine", Noted)
    yield made


def balance_place(machine: Machine) -> int:
    """State address of the watched account's balance."""
    (info,) = (one for one in machine.programs() if one.address == genesis_address("bank"))
    memory = machine.memory(info.address)
    places = extents(parse_abi(info.abi_json), lambda address, size: memory[address : address + size])
    return next(one.address for one in places if (one.name, one.part) == (BALANCE, "value"))


def flip(machine: Machine, address: int, bit: int = 3) -> None:
    """As a fault of memory does, while the node runs."""
    (byte,) = machine.memory_of(BANK, address + 1)[address:]
    machine._host.write(BANK, "state", address, bytes((byte ^ 1 << bit,)))


async def silenced(town: Town) -> tuple[int, Path]:
    """The node that has stopped voting, once it says so and names its bundle."""
    while True:
        for number, member in town.members.items():
            view = await member.client.consensus()
            if "came out differently here; see" in view["why"]:
                assert not view["votes"]
                return number, Path(view["why"].split()[-1].strip("`"))
        await trio.sleep(0.05)


def verdict_on(bundle: Fault, found: ground.Ground) -> Verdict:
    return on_engine_stack(lambda: compare.compare(FOUR, bundle, found))


@pytest.mark.slow
def test_a_flipped_bit_is_named_and_the_node_comes_back(tmp_path: Path, machines: list[Machine]) -> None:
    async def test(town: Town) -> None:
        assert (await town.pay(0)).status == "done"
        await town.grown(0, 2)
        flip(machines[1], balance_place(machines[1]) + 4)
        receipt = await town.pay(0)
        victim, path = await silenced(town)
        others = [number for number in town.members if number != victim]
        await town.grown(others[0], 3)
        paid = await town.members[others[0]].client.receipt(receipt.transaction)
        bundle = fault.read(path)
        assert bundle.height == paid.height
        for found in (ground.of_bundle(bundle), ground.of_folder(town.folder / str(others[0]), FOUR, bundle, tell)):
            verdict = verdict_on(bundle, found)
            assert (verdict.cause, verdict.signed) == (Cause.MEMORY, "")
            (before,), after = verdict.before, verdict.after
            assert (before.program, before.field) == ("bank", BALANCE)
            assert abs(before.here.raw - before.right.raw) == 1 << 8 * 4 + 3
            assert [(one.program, one.field) for one in after] == [("bank", BALANCE)]
            assert after[0].right.raw - before.right.raw == 10**18
            assert verdict.parted is not None and verdict.parted.transaction == receipt.transaction
        await town.kill(victim)
        await town.start(victim)
        await town.grown(victim, 5)
        assert (await town.members[victim].client.consensus())["why"] == ""
        assert await voted(town, victim)
        await town.level()

    play(tmp_path, test)


def tell(*_: int) -> None: ...


async def voted(town: Town, number: int) -> bool:
    client = town.members[number].client
    before = (await client.consensus())["counters"]["voted"]
    while (await client.consensus())["counters"]["voted"] == before:
        await trio.sleep(0.02)
    return True
