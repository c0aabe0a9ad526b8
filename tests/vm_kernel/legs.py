"""A chain of compiled programs on three legs at once: WASM, the mirror, and the source under CPython."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack, unpack_result
from execution.compiler.ir import Module
from execution.compiler.optimise import optimise
from execution.executor import BatchResult, Opening, Outcome, Record, Sealed
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.programs import code_of
from execution.vm.state import KERNEL_ADDRESS
from execution.vm.twin import Twin
from genesis.chain import Call, Deployment, OrderClass, SignedTransaction, Transaction, unsigned
from genesis.gas import GAS_TABLE
from tests.vm_kernel.tiny import spec

HERE = Path(__file__).parent
SPEC = replace(spec(), fee_min=0, rollback_blocks=8)
SIGNER = b"s" * 20
GAS = dict(GAS_TABLE)


@lru_cache
def compiled(*names: str) -> tuple[dict[str, str], Artifact, Module]:
    """The bundle of files beside this one, the first of which defines the program."""
    files = {f"tests/vm_kernel/{name}.py": (HERE / f"{name}.py").read_text() for name in names}
    main = next(iter(files))
    return files, compile_bundle(files, main, GAS), optimise(compile_ir(files, main)[0], GAS)


class Legs:
    """
    programs: (address, arguments of `create`, names of the bundle's files); present from genesis on.

    later: bundles that come with deployments. Whatever is run is run on all legs and compared.
    """

    def __init__(
        self,
        *programs: tuple[bytes, Sequence[Any], tuple[str, ...]],
        later: Sequence[str] = (),
        admin: bytes = bytes(20),
    ) -> None:
        self.bundles = {address: names for address, _, names in programs}
        plan = Plan(tuple(replace(_planned(*program), admin=admin) for program in programs))
        self.admin = admin
        self.deployment: Any = None
        built = [compiled(*names) for _, _, names in programs] + [compiled(name) for name in later]
        modules = {code_of("", a.wasm, a.abi, bytes(32)).code_hash: module for _, a, module in built}
        self.machine, self.mirror = Machine(lambda _: plan), Mirror(lambda _: plan, modules)
        assert self.machine.genesis(SPEC) == self.mirror.genesis(SPEC)
        self.twin: Twin | None = Twin()
        for (address, _, names), one in zip(programs, plan.programs, strict=True):
            files, artifact, _ = compiled(*names)
            self.twin.add(files, next(iter(files)), artifact.abi, address, one.create or b"")
        self.height, self.sequence = 0, 0
        self.seen = len(self.twin.events())

    def open(self, *active: Deployment, upgrade: str = "", deployment: Deployment | None = None) -> Sequence[Record]:
        """
        Open a block with an empty batch; the events of its opening.

        upgrade: the bundle that the first deployment, or `deployment`, brings now on CPython's leg.
        """
        self.height += 1
        self.opening = Opening(self.height, 1_000 * self.height, 0, bytes(32), (), active)
        if self.twin:
            self.twin.open(self.opening)
        if self.twin and upgrade:
            files, artifact, _ = compiled(upgrade)
            one = deployment or active[0]
            main = next(iter(files))
            self.twin.upgrade(files, main, artifact.abi, one.address, one.arguments, self.admin)
        return self.run([]).events

    def both(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        """Run what CPython has no part in: acts on programs."""
        twin, self.twin = self.twin, None
        result = self.run(batch)
        self.twin = twin
        return result

    @staticmethod
    def hash_of(wasm: bytes) -> bytes:
        return sha256(wasm).digest()

    def run(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        real, dream = (leg.apply(self.opening, batch) for leg in (self.machine, self.mirror))
        assert list(real.outcomes) == list(dream.outcomes) and real.gas_used == dream.gas_used
        assert list(real.events) == list(dream.events)
        if self.twin:
            ran = self.twin.run(batch)
            assert [one.call_reasons for one in real.outcomes] == [tuple(r.reason for r in one) for one in ran]
            assert [one.results for one in real.outcomes] == [tuple(r.result for r in one) for one in ran]
            told = self.twin.events(self.seen)
            self.seen += len(told)
            assert [event for event in real.events if event.program] == list(told)
        return real

    def call_of(self, program: bytes, name: str, *arguments: Any, gas: int = 0) -> Call:
        entry = self.abi(program).entry(name)
        return Call(program, entry.selector.to_bytes(4, "little"), pack(entry, arguments), gas)

    def one(self, program: bytes, name: str, *arguments: Any, gas: int = 5_000_000) -> Outcome:
        return self.run([self.signed(self.call_of(program, name, *arguments), gas=gas)]).outcomes[0]

    def signed(self, *calls: Call, gas: int = 5_000_000, signer: bytes = SIGNER) -> SignedTransaction:
        self.sequence += 1
        lane = 1 + (int(OrderClass.TRADE) << 30)
        return unsigned(Transaction(7, signer, lane, self.sequence, 1 << 50, gas, 0, False, tuple(calls)), signer)

    def ask(self, program: bytes, name: str, *arguments: Any) -> Any:
        """What an external returned; it must succeed."""
        outcome = self.one(program, name, *arguments)
        assert outcome.status == "done", outcome.reason
        return unpack_result(self.abi(program).entry(name), outcome.results[0])

    def abi(self, program: bytes) -> Any:
        return compiled(*self.bundles[program])[1].abi

    def seal(self) -> Sealed:
        """Close the block; roots, memories and decoded fields agree."""
        sealed = self.machine.seal()
        assert sealed == self.mirror.seal()
        for address in (KERNEL_ADDRESS, *(one.address for one in self.machine.programs())):
            assert self.machine.memory(address) == self.mirror.memory(address), address.hex()
        if self.twin:
            for address in self.bundles:
                assert self.state(address) == self.twin.state(address)
        return sealed

    def state(self, program: bytes) -> Any:
        return decode_state(self.abi(program), self.machine.memory(program))


def _planned(address: bytes, arguments: Sequence[Any], names: tuple[str, ...]) -> GenesisProgram:
    artifact = compiled(*names)[1]
    code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
    create = artifact.abi.by_name.get("create")
    if create is None:
        return GenesisProgram(code, address, None, bytes(4))
    return GenesisProgram(code, address, pack(create, arguments), create.selector.to_bytes(4, "little"))
