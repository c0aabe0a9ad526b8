"""
Programs of this folder on three engines in step: CPython (`Twin`), kernel and IR interpreted (`Mirror`), WASM.

After every batch outcomes, events, failed hooks and decoded state are equal, after every block roots and the bytes of
all memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack, unpack_event, unpack_result
from execution.compiler.ir import Module
from execution.compiler.optimise import optimise
from execution.executor import BatchResult, Opening
from execution.lang import Account, Decimal
from execution.lang.feeds import Feed
from execution.vm.genesis import GenesisProgram, Plan, Role
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.programs import code_of
from execution.vm.state import KERNEL_ADDRESS
from execution.vm.twin import Twin
from genesis.chain import Call, SignedTransaction
from genesis.gas import GAS_TABLE
from tests.vm_kernel.tiny import spec, transaction

HERE = Path(__file__).parent
GAS = dict(GAS_TABLE)
SIGNER = b"s" * 20
FEED = Feed(4)
RULES = spec(
    gas_transaction_max=900_000_000,
    gas_batch_max=2_000_000_000,
    gas_block_max=8_000_000_000,
    gas_hooks_batch_max=2_000_000_000,
    gas_hooks_block_max=8_000_000_000,
)
"""Gas enough for every hook that is due, since the twin has none."""


def files() -> dict[str, str]:
    return {f"tests/hooks/{path.name}": path.read_text() for path in HERE.glob("*.py")}


@lru_cache
def compiled(name: str) -> tuple[Artifact, Module]:
    main = f"tests/hooks/{name}.py"
    bundle = {path: files()[path] for path in (main, "tests/hooks/venue.py")}
    return compile_bundle(bundle, main, GAS), optimise(compile_ir(bundle, main)[0], GAS)


class Legs:
    """programs: name of the file → address, by which it is called. Arguments are values of the language."""

    def __init__(self, programs: dict[str, tuple[str, tuple[Any, ...]]]) -> None:
        """programs: a name → its file, the arguments of `create`."""
        self.files = {name: file for name, (file, _) in programs.items()}
        self.address = {name: bytes([0xC0 + index]) * 20 for index, name in enumerate(programs)}
        plan = Plan(tuple(self._planned(name, *programs[name]) for name in programs))
        modules = {
            code_hash(one): compiled(self.files[name])[1] for one, name in zip(plan.programs, programs, strict=True)
        }
        self.machine, self.mirror, self.twin = Machine(lambda _: plan), Mirror(lambda _: plan, modules), Twin()
        assert self.machine.genesis(RULES) == self.mirror.genesis(RULES)
        for name, one in zip(programs, plan.programs, strict=True):
            main = f"tests/hooks/{self.files[name]}.py"
            self.twin.add(files(), main, self.abi(name), one.address, one.create or b"")
        if "oracle" in self.address:
            self.twin.chain.pin(oracle=Account(self.address["oracle"]))
        self.height, self.sequence = 0, 0
        self._events = self._failures = 0
        self.seal(first=True)

    def abi(self, name: str) -> Any:
        return compiled(self.files[name])[0].abi

    def account(self, name: str) -> Account:
        return Account(self.address[name])

    def _planned(self, name: str, file: str, arguments: tuple[Any, ...]) -> GenesisProgram:
        artifact = compiled(file)[0]
        create, selector = None, bytes(4)
        if "create" in artifact.abi.by_name:
            entry = artifact.abi.entry("create")
            create, selector = pack(entry, arguments), entry.selector.to_bytes(4, "little")
        role: Role = "oracle" if name == "oracle" else ""
        code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
        return GenesisProgram(code, self.address[name], create, selector, role)

    # ---- batches

    def call(self, name: str, method: str, *arguments: Any) -> Call:
        entry = self.abi(name).entry(method)
        return Call(self.address[name], entry.selector.to_bytes(4, "little"), pack(entry, arguments))

    def signed(self, *calls: Call) -> SignedTransaction:
        made = transaction(calls, self.sequence, SIGNER, gas=RULES.gas_transaction_max)
        self.sequence += 1
        return made

    def batch(self, *calls: Call) -> BatchResult:
        """A transaction for each call, in one batch; nothing differs."""
        signed = [self.signed(call) for call in calls]
        real, dream = self.machine.apply(self.opening, signed), self.mirror.apply(self.opening, signed)
        assert list(real.outcomes) == list(dream.outcomes)
        assert list(real.events) == list(dream.events) and real.gas_used == dream.gas_used
        told = self.twin.run(signed)
        for outcome, (ran,) in zip(real.outcomes, told, strict=True):
            assert (outcome.call_reasons, outcome.results) == ((ran.reason,), (ran.result,))
        events = self.twin.events(self._events)
        self._events += len(events)
        assert [one for one in real.events if one.program] == list(events)
        failures = self.twin.chain.hook_failures[self._failures :]
        self._failures += len(failures)
        assert sum(one.program == 0 for one in real.events) == len(failures)
        for name in self.address:
            assert self.state(name) == self.twin.state(self.address[name])
        return real

    def one(self, name: str, method: str, *arguments: Any) -> Any:
        """The result of a call that succeeds, in a batch of its own."""
        result = self.batch(self.call(name, method, *arguments))
        assert result.outcomes[0].call_reasons == ("",), result.outcomes[0].call_reasons
        (data,) = result.outcomes[0].results
        return unpack_result(self.abi(name).entry(method), data)

    def say(self, *prices: Decimal | int) -> Sequence[Call]:
        """Calls that publish these prices of FEED."""
        return [self.call("oracle", "say", FEED, Decimal(1) * price) for price in prices]

    def told(self, name: str, result: BatchResult) -> list[tuple[Any, ...]]:
        """Events of a program in a batch: their members."""
        number = list(self.address).index(name) + 1
        events = [one for one in result.events if one.program == number]
        return [tuple(unpack_event(self.abi(name), one.event, one.data)[1].values()) for one in events]

    @property
    def opening(self) -> Opening:
        return Opening(self.height, 1000 * self.height, 0, b"", ())

    def seal(self, first: bool = False) -> bytes:
        """Close the block, compare, open the next; the root."""
        root = b""
        if not first:
            sealed = self.machine.seal()
            assert sealed == self.mirror.seal()
            for address in (KERNEL_ADDRESS, *self.address.values()):
                assert self.machine.memory(address) == self.mirror.memory(address)
            root = sealed.state_root
        self.height += 1
        self.twin.open(self.opening)
        return root

    def state(self, name: str) -> dict[str, Any]:
        return decode_state(self.abi(name), self.machine.memory(self.address[name]))


def code_hash(one: GenesisProgram) -> bytes:
    return one.code.code_hash
