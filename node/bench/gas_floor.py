"""
Where the gas bench runs: a machine with a few programs, whose entries are called in blocks that are taken back
afterwards, so that every pattern finds what the first one found.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from execution.compiler import compile_bundle
from execution.compiler.abi import Abi
from execution.compiler.abi_values import pack_plain, plain_result
from execution.executor import BatchResult, Opening
from execution.vm.genesis import GenesisProgram, Plan, Role
from execution.vm.machine import Machine
from execution.vm.programs import code_of
from genesis.block import event_item
from genesis.chain import Call, SignedTransaction, Transaction
from genesis.errors import Corrupt
from genesis.merkle import leaf
from node.bench.desk import ADMIN, Plain, desk_spec

CHAIN_ID = 7_358
GAS = 1 << 30
"""What a call may use."""
EVENTS_MAX = 6_000
LANE = 1
BLOCK_MS = 1_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Of a block or a part of it: seconds of processor time, gas, pages that the whole block dirtied."""

    seconds: float
    gas: int
    pages: int


@dataclass(slots=True)
class Floor:
    """files: sources; mains: which of them are programs, and their roles. Runs on the thread that made it."""

    files: Mapping[str, str]
    mains: Mapping[str, Role]
    machine: Machine = field(init=False)
    abis: dict[str, tuple[bytes, Abi]] = field(init=False, default_factory=dict)
    height: int = 0
    sequence: int = 0

    def __post_init__(self) -> None:
        spec = replace(desk_spec(), events_transaction_max=EVENTS_MAX)
        programs = []
        for number, (main, role) in enumerate(self.mains.items(), 1):
            artifact = compile_bundle(dict(self.files), main, spec.gas)
            code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
            address = bytes([0xDE] * 19 + [number])
            self.abis[main] = (address, artifact.abi)
            programs.append(GenesisProgram(code, address, None, bytes(4), role))
        self.machine = Machine(lambda _: Plan(tuple(programs)))
        self.machine.genesis(spec)

    def address(self, main: str) -> bytes:
        return self.abis[main][0]

    def call_of(self, main: str, name: str, *arguments: Plain) -> Call:
        address, abi = self.abis[main]
        entry = abi.entry(name)
        packed = pack_plain([of for _, of in entry.parameters], arguments)
        return Call(address, entry.selector.to_bytes(4, "little"), packed)

    def run(self, calls: Sequence[Call], keep: bool = False) -> Spent:
        """
        A block with a transaction for each call: running them, hashing their events as a node does, sealing.

        It is taken back unless it is to be kept. Raises Corrupt when a call fails.
        """
        opening = self._open()
        spent, result = self._apply(opening, calls)
        started = time.thread_time()
        sealed = self.machine.seal()
        spent += time.thread_time() - started
        self._close(keep)
        return Spent(spent, result.gas_used, sealed.dirty_pages)

    def again(self, calls: Sequence[Call]) -> Spent:
        """The same calls a second time within a block, that time alone: pages are dirty, lines are saved anew."""
        opening = self._open()
        self._apply(opening, calls)
        spent, result = self._apply(opening, calls)
        pages = self.machine.seal().dirty_pages
        self._close(False)
        return Spent(spent, result.gas_used, pages)

    def result(self, main: str, name: str, *arguments: Plain) -> Plain:
        """The result of a call in a block that is kept."""
        _, result = self._apply(self._open(), [self.call_of(main, name, *arguments)])
        self.machine.seal()
        self._close(True)
        return plain_result(self.abis[main][1].entry(name), result.outcomes[0].results[0])

    def _open(self) -> Opening:
        height = self.height + 1
        opening = Opening(height, BLOCK_MS * height, 0, bytes(32), ())
        self.machine.apply(opening, [])
        return opening

    def _apply(self, opening: Opening, calls: Sequence[Call]) -> tuple[float, BatchResult]:
        batch = [self._signed(call) for call in calls]
        started = time.thread_time()
        self.machine.prepare(batch)
        result = self.machine.apply(opening, batch)
        for event in result.events:
            leaf(event_item(event.program, event.event, event.data))
        spent = time.thread_time() - started
        for outcome in result.outcomes:
            if outcome.status != "done" or any(outcome.call_reasons):
                raise Corrupt(f"A call of the bench failed: {outcome.reason or outcome.call_reasons}.")
        return spent, result

    def _close(self, keep: bool) -> None:
        if keep:
            self.height += 1
        else:
            self.machine.rollback(self.height)

    def _signed(self, call: Call) -> SignedTransaction:
        self.sequence += 1
        transaction = Transaction(CHAIN_ID, ADMIN, LANE, self.sequence, 1 << 62, GAS, 0, False, (call,))
        return SignedTransaction(transaction, b"", ADMIN, self.sequence.to_bytes(32, "big"), b"")
