"""
The engine of the chain: programs as WASM under the kernel, each call in a batch of its own.

The chain has the limits and the gas table of a real one, but room for any number of calls in a block.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from hashlib import sha256

from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack_plain, plain_event, plain_result
from execution.executor import Opening, Outcome, Query, Record
from execution.lang.kinds import Plain
from execution.lang.program import Order
from execution.lang.rejection import Rejected
from execution.lang.struct import Event, StructKind
from execution.lang.values import Account
from execution.vm import deploy
from execution.vm.chain import Chain
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.kernel import places
from execution.vm.machine import Machine
from execution.vm.programs import code_of
from execution.vm.results import KNOWN_REASONS, reason_text
from genesis.chain import Call, OrderClass, Transaction, unsigned
from genesis.spec import ChainSpec, Validator
from node.testing.bundles import Loaded
from node.testing.engines import HookFailed, Ran, Role, Sent

SPEC = ChainSpec(
    chain_id=1337,
    admin=bytes(20),
    fee_account=bytes(20),
    reporters=(),
    validators=(Validator(b"\x01" * 20, 1),),
    assets=("USD",),
    allocations=(),
    gas_block_max=1 << 50,
    gas_hooks_block_max=1 << 50,
    fee_min=0,  # nobody pays for hooks: fees are the node's
)
EXPIRY_MS = 1 << 60
ROLES = {"bank": places.BANK, "oracle": places.ORACLE, "clearing": places.CLEARING}
CLASSES = {"cancel": OrderClass.CANCEL, "post_only": OrderClass.POST_ONLY, "trade": OrderClass.TRADE}


class Creating(Chain):
    """A chain on which programs come into being one by one, without source in blocks."""

    def create(self, opening: Opening, planned: GenesisProgram, sender: bytes) -> str:
        """Create a program in a block just opened; "", or the reason of `create`."""
        self._open(opening)
        why = deploy.create(self._host, self._programs, planned, opening.height, sender, self._spec.gas_transaction_max)
        if why:
            return reason_text(why, {**deploy.words_of(planned.code.reasons), **self._reasons})
        if planned.role:
            self._host.call("pin", ROLES[planned.role], len(self._programs))
        deploy.restore_roles(self._host, self._programs)
        self._learn_programs()
        return ""


class CreatingMachine(Creating, Machine):
    """`Machine` that creates."""


class Wasm:
    """`engines.Engine` on a chain, `Machine` unless another is given."""

    def __init__(self, machine: Creating | None = None) -> None:
        self.machine = machine or CreatingMachine(lambda _: Plan(()))
        self.machine.genesis(SPEC)
        self.events: list[tuple[Account, Event]] = []
        self.hook_failures: list[HookFailed] = []
        self._loaded: list[tuple[Account, Loaded]] = []
        self._opening: Opening | None = None
        self._sequences: dict[tuple[bytes, int], int] = {}

    def open(self, height: int, time_ms: int) -> None:
        if self._opening is not None:
            self.machine.seal()
        self._opening = Opening(height, time_ms, 0, bytes(32), ())

    def deploy(
        self, loaded: Loaded, address: Account, arguments: tuple[Plain, ...], sender: Account, role: Role
    ) -> Rejected | None:
        artifact = loaded.artifact
        create = artifact.abi.by_name.get("create")
        packed = None if create is None else pack_plain([of for _, of in create.parameters], arguments)
        selector = bytes(4) if create is None else create.selector.to_bytes(4, "little")
        code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
        planned = GenesisProgram(code, address.data, packed, selector, role)
        why = self.machine.create(self._open_block(), planned, sender.data)
        if why:
            return Rejected(why)
        self._loaded.append((address, loaded))
        return None

    def run(self, account: Account, calls: Sequence[Sent], order: Order, atomic: bool, gas: int) -> tuple[Ran, ...]:
        batch = [self._transaction(account, calls, order, atomic, gas)] if calls else []
        result = self.machine.apply(self._open_block(), [unsigned(one, account.data) for one in batch])
        for record in result.events:
            self._note(record)
        return _outcomes(result.outcomes[0], calls) if batch else ()

    def ask(self, call: Sent) -> Ran:
        query = Query(call.program.data, call.entry.selector, _packed(call).arguments, SPEC.gas_query_max)
        (answer,) = self.machine.query((query,))
        if answer.reason:
            return Ran(None, Rejected(answer.reason), answer.gas_used)
        return Ran(plain_result(call.entry, answer.result), None, answer.gas_used)

    def state(self, address: Account) -> Mapping[str, Plain]:
        number = next(info.number for info in self.machine.programs() if info.address == address.data)
        _, loaded = self._of(number)
        return decode_state(loaded.artifact.abi, self.machine.memory(address.data))

    def _of(self, number: int) -> tuple[Account, Loaded]:
        """Address and bundle of a program; one that a program created has its template's."""
        info = self.machine.programs()[number - 1]
        by_code = {sha256(loaded.artifact.wasm).digest(): loaded for _, loaded in self._loaded}
        return Account(info.address), by_code[info.code_hash]

    def _open_block(self) -> Opening:
        assert self._opening is not None, "the chain opens a block before it does anything"
        return self._opening

    def _transaction(
        self, account: Account, calls: Sequence[Sent], order: Order, atomic: bool, gas: int
    ) -> Transaction:
        lane = int(CLASSES[order]) << 30
        sequence = self._sequences.get((account.data, lane), 0)
        self._sequences[account.data, lane] = sequence + 1
        packed = tuple(map(_packed, calls))
        most = gas or SPEC.gas_transaction_max
        return Transaction(SPEC.chain_id, account.data, lane, sequence, EXPIRY_MS, most, 0, atomic, packed)

    def _note(self, record: Record) -> None:
        """An event becomes the program's own class; the kernel's tells of a failed hook."""
        if record.program:
            address, loaded = self._of(record.program)
            _, plain = plain_event(loaded.artifact.abi, record.event, record.data)
            event = StructKind(loaded.event(record.event)).load(plain)
            assert isinstance(event, Event)
            self.events.append((address, event))
            return
        if record.event != places.KERNEL_EVENT_HOOK_FAILED:
            return
        program, selector, reason, tries = struct.unpack_from("<4q", record.data)
        address, loaded = self._of(program)
        name = loaded.artifact.abi.by_selector[selector & 0xFFFFFFFF].name
        known = deploy.words_of(text for _, one in self._loaded for text in one.artifact.abi.reasons)
        self.hook_failures.append(HookFailed(address, name, reason_text(reason, {**KNOWN_REASONS, **known}), tries))


def _packed(call: Sent) -> Call:
    data = pack_plain([of for _, of in call.entry.parameters], call.arguments)
    return Call(call.program.data, call.entry.selector.to_bytes(4, "little"), data, call.gas)


def _outcomes(outcome: Outcome, calls: Sequence[Sent]) -> tuple[Ran, ...]:
    if outcome.status == "refused":
        return tuple(Ran(None, Rejected(outcome.reason), 0) for _ in calls)
    return tuple(
        Ran(None, Rejected(why), outcome.gas_used)
        if why
        else Ran(plain_result(call.entry, result), None, outcome.gas_used)
        for call, result, why in zip(calls, outcome.results, outcome.call_reasons, strict=True)
    )
