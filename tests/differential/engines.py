"""
Three engines on one diet: WASM (`Machine`), kernel and IR under CPython (`Mirror`), the source itself (`Twin`).

What the first two say must be the same to the bit: status, gas, results, events, order, bytes of state, roots. The
twin has no gas, fee or sequence; its results, reasons, events, failed hooks and decoded state must be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack
from execution.compiler.ir import Module
from execution.compiler.optimise import optimise
from execution.executor import BatchResult, Opening
from execution.lang import Decimal
from execution.vm.genesis import GenesisProgram, Plan, Role
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.programs import code_of
from execution.vm.state import KERNEL_ADDRESS
from execution.vm.twin import Ran, Twin
from genesis.block import InboxEntry
from genesis.chain import Call, SignedTransaction
from genesis.gas import GAS_TABLE
from genesis.spec import ChainSpec, Validator
from tests.differential.storm import ADDRESSES, ALARM, BROKEN
from tests.programs.steps import KERNEL, Deploy, deployments

ROOT = Path(__file__).parents[2]
GAS = dict(GAS_TABLE)
GAS_TRANSACTION = 50_000_000
SPEC = ChainSpec(
    chain_id=7,
    admin=b"a" * 20,
    fee_account=b"f" * 20,
    reporters=(),
    validators=(Validator(b"v" * 20, 1),),
    assets=("USD",),
    allocations=(),
    gas_transaction_max=GAS_TRANSACTION,
    gas_batch_max=500_000_000,
    gas_block_max=800_000_000,
    gas_hook_max=10_000_000,
    gas_hooks_batch_max=200_000_000,
    gas_hooks_block_max=200_000_000,
)
"""Gas enough for every hook that is due, since the twin has none."""
ROLES: dict[str, Role] = {"bank": "bank", "oracle": "oracle", "clearing": "clearing"}


class Difference(AssertionError):
    """Two engines disagree."""


DEPLOYED = {deploy.program: deploy for deploy in (*deployments(), BROKEN, ALARM)}


def path_of(program: str) -> str:
    return DEPLOYED[program].module.replace(".", "/") + ".py"


@lru_cache
def source_of(program: str) -> str:
    return (ROOT / path_of(program)).read_text()


@lru_cache
def compiled(program: str) -> tuple[Artifact, Module]:
    """A standard program as WASM, and the optimised IR that the WASM was written from."""
    files = {path_of(program): source_of(program)}
    return compile_bundle(files, path_of(program), GAS), optimise(compile_ir(files, path_of(program))[0], GAS)


def abi_of(program: str) -> Any:
    return compiled(program)[0].abi


def planned(deploy: Deploy) -> GenesisProgram:
    artifact, _ = compiled(deploy.program)
    create = artifact.abi.entry("create")
    return GenesisProgram(
        code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash),
        ADDRESSES[deploy.program].data,
        pack(create, deploy.arguments),
        create.selector.to_bytes(4, "little"),
        ROLES.get(deploy.program, ""),
    )


@lru_cache
def plan() -> Plan:
    return Plan(tuple(planned(deploy) for deploy in DEPLOYED.values()))


def modules() -> dict[bytes, Module]:
    made = plan().programs
    return {one.code.code_hash: compiled(program)[1] for one, program in zip(made, DEPLOYED, strict=True)}


def standard_twin() -> Twin:
    twin = Twin()
    for deploy, one in zip(DEPLOYED.values(), plan().programs, strict=True):
        files = {path_of(deploy.program): source_of(deploy.program)}
        twin.add(files, path_of(deploy.program), abi_of(deploy.program), one.address, one.create or b"")
        twin.chain.pin(ADDRESSES["oracle"], ADDRESSES["clearing"])
    return twin


class Engines:
    """
    The three in step: `open`, batches, `seal`. Each difference raises Difference, told in terms of what ran.

    twin: None where gas decides, which the twin does not count.
    """

    def __init__(self, with_twin: bool = True) -> None:
        self.machine = Machine(lambda _: plan())
        self.mirror = Mirror(lambda _: plan(), modules())
        self.twin = standard_twin() if with_twin else None
        self.height, self.time_ms = 0, 0
        equal("state root at genesis", self.machine.genesis(SPEC), self.mirror.genesis(SPEC))
        self._failures = 0
        self._events = len(self.twin.chain.events) if self.twin else 0

    # ---- blocks

    def open(self, time_ms: int, inbox: Sequence[InboxEntry] = (), gap_ms: int = 0) -> None:
        self.height += 1
        self.time_ms = time_ms
        self._opening = Opening(self.height, time_ms, gap_ms, bytes(32), tuple(inbox))
        if self.twin:
            self.twin.open(self._opening)
            credit = abi_of("bank").entry("credit")
            for entry in inbox:
                data = pack(credit, (entry.account, entry.asset, Decimal.from_raw(entry.amount)))
                assert self.twin is not None
                self.twin.call(KERNEL.data, call_of("bank", "credit", data), "cancel")

    def run(
        self, batch: Sequence[SignedTransaction], expected: Sequence[Sequence[Ran] | None] | None = None
    ) -> BatchResult:
        """
        Run a batch on machine and mirror; what the machine says of it.

        expected: what the twin says, per transaction and call; None for one that must be refused. None altogether
        where there is no twin.
        """
        real = self.machine.apply(self._opening, batch)
        dream = self.mirror.apply(self._opening, batch)
        for number, (one, other) in enumerate(zip(real.outcomes, dream.outcomes, strict=True)):
            equal(f"transaction {number}: outcome, WASM and interpreter", one, other)
        equal("order", list(real.order), list(dream.order))
        equal_rows("event", "WASM and interpreter", list(real.events), list(dream.events))
        equal("gas of the batch", real.gas_used, dream.gas_used)
        if expected is None or self.twin is None:
            return real
        for number, (one, wanted) in enumerate(zip(real.outcomes, expected, strict=True)):
            where = f"transaction {number}"
            if wanted is None:
                equal(f"{where}: status", one.status, "refused")
                continue
            reasons = tuple(ran.reason for ran in wanted)
            equal(f"{where}: reasons, WASM and CPython", one.call_reasons, reasons)
            equal(f"{where}: results, WASM and CPython", one.results, tuple(ran.result for ran in wanted))
        self._compare_events(list(real.events))
        return real

    def _compare_events(self, events: list[Any]) -> None:
        assert self.twin is not None
        failures = self.twin.chain.hook_failures[self._failures :]
        self._failures += len(failures)
        kernel = [record.data for record in events if record.program == 0]
        equal("failed hooks, WASM and CPython", len(kernel), len(failures))
        for data, failure in zip(kernel, failures, strict=True):
            found = [int.from_bytes(data[at : at + 8], "little", signed=True) for at in (0, 16, 24)]
            number = self.twin.chain.runner.programs[failure.program].number
            equal(f"failed hook {failure.name}", found, [number, failure.reason.word, failure.tries])
        wanted = self.twin.events(self._events)
        self._events += len(wanted)
        equal_rows("event", "WASM and CPython", [record for record in events if record.program], list(wanted))

    def seal(self, decode: bool = True) -> None:
        """Close the block; compare roots and the bytes of every memory, decoded state too when asked."""
        equal("sealed", self.machine.seal(), self.mirror.seal())
        for address in (KERNEL_ADDRESS, *(one.address for one in plan().programs)):
            real, dream = self.machine.memory(address), self.mirror.memory(address)
            if real != dream:
                raise Difference(f"state of {address.hex()}: {first_difference(real, dream)}")
        if decode:
            self.compare_state()

    def compare_state(self) -> None:
        """Every field of every program, decoded from WASM's memory and from CPython's objects."""
        if self.twin is None:
            return
        for program, address in ADDRESSES.items():
            real = decode_state(abi_of(program), self.machine.memory(address.data))
            dream = self.twin.state(address.data)
            for field, value in real.items():
                equal(f"state of {program}.{field}, WASM and CPython", value, dream[field])


def call_of(program: str, method: str, data: bytes, gas: int = 0) -> Call:
    entry = abi_of(program).entry(method)
    return Call(ADDRESSES[program].data, entry.selector.to_bytes(4, "little"), data, gas)


def first_difference(real: bytes, dream: bytes) -> str:
    if len(real) != len(dream):
        return f"{len(real)} and {len(dream)} bytes"
    at = next(at for at in range(0, len(real), 8) if real[at : at + 8] != dream[at : at + 8])
    return f"at {at} (page {at >> 10}): {real[at : at + 8].hex()} and {dream[at : at + 8].hex()}"


def equal(what: str, one: object, other: object) -> None:
    if one != other:
        raise Difference(f"{what}:\n  {one!r:.2000}\n  {other!r:.2000}")


def equal_rows(what: str, who: str, ones: list[Any], others: list[Any]) -> None:
    for number, (one, other) in enumerate(zip(ones, others, strict=False)):
        equal(f"{what} {number}, {who}", one, other)
    equal(f"number of {what}s, {who}", len(ones), len(others))
