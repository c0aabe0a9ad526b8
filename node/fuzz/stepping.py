"""
One case on the legs, block by block.

Compared after every batch: results, reasons, events, failed hooks; order, gas and fees between interpreter and WASM.
After every block: roots and the bytes of every memory between these two, and decoded state against CPython's objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from execution.compiler.abi_state import decode_state
from execution.executor import BatchResult, Opening, Outcome
from execution.lang import Rejected
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.state import KERNEL_ADDRESS
from execution.vm.twin import Ran, Twin
from genesis.block import Deployment
from genesis.chain import Call, SignedTransaction, Transaction, unsigned
from node.fuzz.building import ORACLE_AT, Built
from node.fuzz.case import Block, Case, Sent
from node.fuzz.compare import Difference, attempt, equal, equal_bytes, equal_rows
from node.fuzz.values import program_address

GAS_TRANSACTION = 30_000_000
LANES = (0, 1 << 30, 2 << 30)
"""Lane 0 of each order class: trade, post_only, cancel."""
OUT_OF_GAS = "out of gas"
CHAIN_ID = 7
DEPLOYER = bytes(19) + b"\xdd"


class Engines(Protocol):
    machine: Machine
    mirror: Mirror
    twin: Twin


class Run:
    """built: by path of the main file."""

    def __init__(self, legs: Engines, case: Case, built: Mapping[str, Built]) -> None:
        self._machine, self._mirror, self._case, self._built = legs.machine, legs.mirror, case, built
        self._twin = legs.twin
        self._alive: dict[bytes, Built] = {}
        self._sequences: dict[tuple[bytes, int], int] = {}
        self._failures = self._events = 0

    def run(self) -> int:
        """The number of programs that came to life."""
        for height, block in enumerate(self._case.blocks, 1):
            self._block(height, block)
        return len(self._alive)

    def _block(self, height: int, block: Block) -> None:
        deployments = tuple(self._deployment(number) for number in block.deployed)
        opening = Opening(height, block.time_ms, block.gap_ms, bytes(32), (), deployments)
        self._failures, self._events = len(self._twin.chain.hook_failures), len(self._twin.chain.events)
        self._twin.open(opening)
        for number in block.deployed:
            self._add(number)
        for batch in block.batches:
            self._batch(opening, tuple(map(self._signed, batch)))
        self._seal()

    # ---- programs

    def _deployment(self, number: int) -> Deployment:
        program = self._case.programs[number]
        built = self._built[program.path]
        return Deployment(
            address_of(number), sha256(bytes([number])).digest(), DEPLOYER, built.abi.name, program.create, b"",
            "fuzz", bytes(32), built.code.wasm, built.code.abi_json,
        )  # fmt: skip

    def _add(self, number: int) -> None:
        twin, program = self._twin, self._case.programs[number]
        built = self._built[program.path]

        def work() -> None:
            files, at = self._case.files, address_of(number)
            twin.add(files, program.path, built.abi, at, program.create, DEPLOYER)

        try:
            attempt("CPython, create", work)
        except Rejected:
            return

    def _learn(self) -> None:
        """What the chain says is alive; CPython must say the same."""
        programs = self._machine.programs()
        equal("programs alive, WASM and interpreter", programs, self._mirror.programs())
        known = {info.address for info in programs} - {ORACLE_AT}
        for number, program in enumerate(self._case.programs):
            at = address_of(number)
            if at in known:
                self._alive[at] = self._built[program.path]
        alive = {account.data for account in self._twin.chain.runner.programs} - {ORACLE_AT}
        equal("programs alive, WASM and CPython", known, alive)

    # ---- batches

    def _signed(self, sent: Sent) -> SignedTransaction:
        lane = LANES[sent.order]
        sequence = self._sequences.get((sent.signer, lane), 0)
        self._sequences[sent.signer, lane] = sequence + 1
        calls = tuple(Call(call.program, call.selector, call.arguments, call.gas) for call in sent.calls)
        gas = sent.gas or GAS_TRANSACTION
        made = Transaction(CHAIN_ID, sent.signer, lane, sequence, 1 << 50, gas, 0, sent.atomic, calls)
        return unsigned(made, sent.signer)

    def _batch(self, opening: Opening, batch: tuple[SignedTransaction, ...]) -> None:
        real = attempt("WASM", lambda: self._machine.apply(opening, batch))
        dream = attempt("interpreter", lambda: self._mirror.apply(opening, batch))
        outcomes = tuple(real.outcomes)
        equal_rows("outcome, WASM and interpreter", outcomes, tuple(dream.outcomes))
        equal("order, WASM and interpreter", list(real.order), list(dream.order))
        equal_rows("event, WASM and interpreter", real.events, dream.events)
        equal("gas of the batch", real.gas_used, dream.gas_used)
        kept = [kept_of(signed, outcome) for signed, outcome in zip(batch, outcomes, strict=True)]
        followed = tuple(signed for signed, _ in kept if signed is not None)
        rans = iter(attempt("CPython", lambda: self._twin.run(followed)))
        for (signed, places), outcome in zip(kept, outcomes, strict=True):
            if signed is not None:
                self._compare(outcome, places, next(rans))
        self._compare_events(real)

    def _compare(self, real: Outcome, places: Sequence[int], expected: Sequence[Ran]) -> None:
        reasons = tuple(real.call_reasons[place] for place in places)
        equal("reasons, WASM and CPython", reasons, tuple(ran.reason for ran in expected))
        results = tuple(real.results[place] for place in places)
        equal("results, WASM and CPython", results, tuple(ran.result for ran in expected))

    def _compare_events(self, real: BatchResult) -> None:
        twin = self._twin
        failures = twin.chain.hook_failures[self._failures :]
        self._failures += len(failures)
        found = [record.data for record in real.events if record.program == 0]
        words = [
            tuple(int.from_bytes(data[at : at + 8], "little", signed=True) for at in (0, 16, 24)) for data in found
        ]
        numbers = twin.chain.runner.programs
        wanted_rows = [(numbers[failure.program].number, failure.reason.word, failure.tries) for failure in failures]
        equal_rows("failed hook, WASM and CPython", words, wanted_rows)
        events = attempt("CPython, events", lambda: twin.events(self._events))
        self._events += len(events)
        equal_rows("event, WASM and CPython", [record for record in real.events if record.program], events)

    # ---- blocks

    def _seal(self) -> None:
        self._learn()
        sealed, dreamt = self._machine.seal(), self._mirror.seal()
        for address in (KERNEL_ADDRESS, ORACLE_AT, *self._alive):
            memory = self._machine.memory(address)
            equal_bytes("bytes of state, WASM and interpreter", memory, self._mirror.memory(address))
            if address in self._alive:
                self._compare_state(address, memory)
        equal("sealed block, WASM and interpreter", sealed, dreamt)

    def _compare_state(self, address: bytes, memory: bytes) -> None:
        built, twin = self._alive[address], self._twin
        real = attempt("decoding state", lambda: decode_state(built.abi, memory))
        dream = attempt("CPython, state", lambda: twin.state(address))
        for field, value in real.items():
            if value != dream[field]:
                told = f"  {built.abi.name}.{field}\n  {value!r:.600}\n  {dream[field]!r:.600}"
                raise Difference("state, WASM and CPython", told)


def kept_of(signed: SignedTransaction, outcome: Outcome) -> tuple[SignedTransaction | None, tuple[int, ...]]:
    """
    What CPython, which counts no gas, is given of a transaction: all but what ran out of it, which must have left
    nothing behind. Also the places of the calls that are kept.
    """
    body = signed.transaction
    assert isinstance(body, Transaction)
    places = tuple(place for place, why in enumerate(outcome.call_reasons) if why != OUT_OF_GAS)
    if body.atomic and outcome.reason == OUT_OF_GAS:  # a handler at the end, maybe, that no call is blamed for
        return None, ()
    if len(places) == len(body.calls):
        return signed, places
    if body.atomic or not places:
        return None, ()
    calls = tuple(body.calls[place] for place in places)
    return unsigned(replace(body, calls=calls), signed.signer), places


def word_at(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little", signed=True)


def address_of(number: int) -> bytes:
    return program_address(number)
