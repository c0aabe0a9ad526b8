"""What a node keeps in memory it still has use for: after many blocks it is no more than after few."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.chain import Call, Receipt, SignedTransaction
from node import receipts
from node.arenas import ARENAS_MAX
from node.forwarder import PROTOCOL
from node.mempool import Pending
from node.outcomes import Outcomes
from node.receipts import Recent
from p2p.memory import open_memory_network
from tests.node.recovery_script import pay
from tests.node.running import transaction
from tests.node.test_forwarder import FIRST, SECOND, Machine, answered, forwarding, runs_all, sent
from tests.node.test_heritage import Node, play

ARENAS = """
import ctypes, sys, threading
from node import arenas
if sys.argv[1] == "shared": arenas.share()
held, all_hold = [], threading.Barrier(8)
def hold():
    held.append(bytes(4000))
    all_hold.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
out = libc.fdopen(1, b"w")
libc.malloc_info(0, out)
libc.fflush(None)
"""
"""Prints glibc's account of its arenas, after eight threads that were there at once."""


@pytest.mark.skipif(sys.platform != "linux", reason="arenas are glibc's")
def test_threads_share_arenas() -> None:
    def arenas(how: str) -> int:
        ran = subprocess.run([sys.executable, "-c", ARENAS, how], capture_output=True, text=True, check=True)
        return ran.stdout.count("<heap nr=")

    assert arenas("shared") <= ARENAS_MAX < arenas("not shared")


def test_blocks_prepared_are_forgotten_once_they_are_stored(tmp_path: Path) -> None:
    """Votes may bring a block before the range it was prepared of is at it: then it is never executed from there."""

    async def test(node: Node, _: Node) -> None:
        await node.leading.beside(partial(three_blocks, node))

    async def three_blocks(node: Node) -> None:
        line, leading = node.leading.line, node.leading
        for number in range(3):
            await node.run([pay(number, "1")[0]])
            await leading.open()
            await leading.seal()
            (block,) = leading.built
            line.prepare(block)
            assert len(line._prepared) == 1
            await leading.store()
            line.prepare(block)
            assert len(line._prepared) == 0

    play(tmp_path, test)


def test_what_was_certified_before_the_leader_answered_is_not_kept_for_the_next() -> None:
    async def main(machine: Machine, hub: Any, nursery: trio.Nursery) -> None:
        asked, certified = trio.Event(), trio.Event()

        async def leader(_: str, payload: bytes) -> bytes:
            asked.set()
            await certified.wait()
            return answered(payload)

        hub.join("leader").serve(PROTOCOL, leader)
        with forwarding(nursery, machine, hub.join("node")) as forwarder:
            told = list[Receipt]()
            for one in (FIRST, SECOND):
                forwarder.submit(Pending(one, told.append))
            await asked.wait()
            forwarder.certified([FIRST.id])
            certified.set()
            while len(told) < 2:
                await trio.sleep(0.01)
            assert forwarder.statistics()["kept"] == 1
            forwarder.certified([SECOND.id])
            assert forwarder.statistics()["kept"] == 0

    _forwarded(main)


def test_what_has_expired_is_not_kept_for_the_next_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(machine: Machine, hub: Any, nursery: trio.Nursery) -> None:
        runs_all(hub, "leader")
        taken = runs_all(hub, "next")
        with forwarding(nursery, machine, hub.join("node")) as forwarder:
            await sent(forwarder, FIRST)
            assert forwarder.statistics()["kept"] == 1
            monkeypatch.setattr("node.forwarder.time", _clock_after(FIRST))
            machine.leader = "next"
            await sent(forwarder, SECOND)
            assert taken == [SECOND.raw]
            assert forwarder.statistics()["kept"] == 1

    _forwarded(main)


def _forwarded(main: Callable[[Machine, Any, trio.Nursery], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            await main(Machine(leader="leader"), hub, nursery)

    trio.run(run, clock=MockClock(autojump_threshold=0))


def _clock_after(signed: SignedTransaction) -> Any:
    """A clock on the wall that shows when it has expired."""
    return SimpleNamespace(time_ns=lambda: (signed.transaction.expiry + 1) * 1_000_000)


def test_a_receipt_told_late_is_not_kept_beside_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that expired and that no block has shown: four are told of by the leader, in blocks 1 and 2."""
    signed = [transaction(6, [Call(b"p" * 20, b"abcd", b"")], sequence=number) for number in range(4)]
    told = [Receipt(one.id, 1 + at // 3, at, "done", "", 5, 7, (), (), (0, 0)) for at, one in enumerate(signed)]
    block: Any = SimpleNamespace(encoded=[receipt.encode() for receipt in told])
    nowhere: Any = None
    outcomes = Outcomes(nowhere)
    outcomes.told(signed[0], told[0])
    assert len(outcomes._told) == 1
    outcomes.executed(block, told[:2])
    outcomes.certified(1, told[:2])
    assert len(outcomes._told) == 0, "its block has shown it"
    for one, receipt in zip(signed[1:], told[1:], strict=True):
        outcomes.told(one, receipt)
    assert list(outcomes._told) == [signed[2].id, signed[3].id], "the second one is in the block"
    monkeypatch.setattr("node.outcomes.time", _clock_after(signed[3]))
    outcomes.certified(1, [])
    assert list(outcomes._told) == [signed[3].id], "the third one's block came without it, the fourth's may come"


def test_recent_receipts_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "KEPT_MAX", 3)
    monkeypatch.setattr(receipts, "KEPT_BYTES_MAX", 10)
    recent = Recent()
    for name in (b"a", b"b", b"c", b"d"):
        recent.put(name, b"12")
    assert len(recent) == 3 and recent.get(b"a") is None and b"b" in recent
    recent.put(b"e", b"1234567")
    assert [name for name in (b"b", b"c", b"d", b"e") if name in recent] == [b"d", b"e"]
    recent.put(b"e", b"12")
    recent.forget(b"nothing")
    recent.put(b"f", b"123456")
    assert len(recent) == 3, "what is put again counts once"
