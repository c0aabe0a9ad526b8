"""
Bank, oracle and hostile programs on two engines in step: WASM, and kernel and IR under CPython. Whatever runs must
come out alike to the bit, money is conserved after every batch, and both seal the same roots.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from execution.compiler import compile_ir
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import pack
from execution.compiler.optimise import optimise
from execution.compiler.standard import source_of
from execution.executor import BatchResult, Opening, Outcome
from execution.standard import standard_artifact
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.kernel import places
from execution.vm.kernel.words import REASONS, reason
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.programs import code_of
from genesis.chain import Call, Deployment, Deposit, InboxEntry, SignedTransaction, Transaction, unsigned
from genesis.derived import PURSE, derived_address
from genesis.gas import GAS_TABLE
from genesis.spec import Allocation, ChainSpec, Validator
from tests.hostile import sources

BANK, ORACLE = b"\xba" * 20, b"\x0a" * 20
ADMIN, FEES, EVE, MALLORY, ALICE = (bytes([number]) * 20 for number in (0xAD, 0xFE, 0xE5, 0x3A, 0xA1))
UNIT = 10**18
PRICE = 10**9
GAS_MAX = 400_000
HOOK_GAS_MAX = 60_000
MONEY = 1_000 * UNIT
SPEC = ChainSpec(
    chain_id=7,
    admin=ADMIN,
    fee_account=FEES,
    reporters=(),
    validators=(Validator(b"v" * 20, 1),),
    assets=("USD",),
    allocations=tuple(Allocation(who, 0, MONEY) for who in (ADMIN, EVE, MALLORY, ALICE)),
    gas_transaction_max=GAS_MAX,
    gas_batch_max=4 * GAS_MAX,
    gas_hook_max=HOOK_GAS_MAX,
    gas_hooks_batch_max=4 * HOOK_GAS_MAX,
    fee_min=PRICE,
    deposit_byte=0,
    events_transaction_max=100,
)
"""No price of storage, so that sums are of fees alone; small gas, since one of the two engines is slow."""


def address_of(name: str) -> bytes:
    return sha256(name.encode()).digest()[:20]


def standard(name: str) -> Any:
    return standard_artifact(name, GAS_TABLE)


@lru_cache
def _planned(name: str, address: bytes, values: tuple[object, ...]) -> GenesisProgram:
    made = standard(name)
    create = made.abi.entry("create")
    code = code_of(made.name, made.wasm, made.abi, made.source_hash)
    return GenesisProgram(code, address, pack(create, values), create.selector.to_bytes(4, "little"), name)  # type: ignore[arg-type]


@lru_cache
def _module(name: str) -> Any:
    path = f"execution/programs/{name}.py"
    return optimise(compile_ir({path: source_of(f"execution.programs.{name}") or ""}, path)[0], sources.GAS)


class Town:
    """mirrored: whether the second engine runs beside; blocks and sequences count themselves."""

    def __init__(self, mirrored: bool = True, **rules: int) -> None:
        self.spec = replace(SPEC, **rules)  # type: ignore[arg-type]
        self._plan = Plan((_planned("bank", BANK, ("USD", ADMIN, FEES)), _planned("oracle", ORACLE, (ADMIN,))))
        self.machine = Machine(lambda _: self._plan)
        self._modules = (
            {one.code.code_hash: _module(name) for one, name in zip(self._plan.programs, ("bank", "oracle"))}
            if mirrored
            else {}
        )
        self.mirror = Mirror(lambda _: self._plan, self._modules) if mirrored else None
        root = self.machine.genesis(self.spec)
        assert self.mirror is None or self.mirror.genesis(self.spec) == root
        self.height, self.time_ms = 1, 1_000
        self._sequences: dict[tuple[bytes, int], int] = {}
        self._waiting: tuple[Deployment, ...] = ()
        self._inbox: tuple[InboxEntry, ...] = ()
        self._opened = False
        self.last: BatchResult

    # ---- programs

    def deploy(self, *planned: tuple[str, tuple[object, ...]]) -> None:
        """Deploy hostile programs with the arguments of their `create`, in a block of their own."""
        if self._opened:
            self.seal()
        self._waiting = tuple(self._deployment(name, values) for name, values in planned)
        self.run()
        self._waiting = ()
        self.seal()

    def _deployment(self, name: str, values: tuple[object, ...]) -> Deployment:
        made = sources.compiled(name)
        if self.mirror is not None:
            self._modules[sha256(made.wasm).digest()] = sources.module(name)
        packed = sources.arguments(name, values)
        return Deployment(
            address_of(name), bytes(32), EVE, name, packed, b"", "1", made.ir_hash, made.wasm, made.abi.text()
        )

    def deposit(self, account: bytes, amount: int) -> None:
        """Credit money from the settlement chain, in a block of its own."""
        self._inbox = (Deposit(0, account, 0, amount, 1),)
        self.run()
        self._inbox = ()
        self.seal()

    # ---- transactions

    def signed(
        self,
        signer: bytes,
        *calls: Call,
        lane: int = 0,
        atomic: bool = True,
        gas: int = GAS_MAX,
        account: bytes | None = None,
        sequence: int | None = None,
        fee: int = PRICE,
    ) -> SignedTransaction:
        number = self._sequences.get((signer, lane), 0) if sequence is None else sequence
        self._sequences[signer, lane] = number + 1
        body = Transaction(7, account or signer, lane, number, 1 << 50, gas, fee, atomic, calls)
        return unsigned(body, signer)

    def run(self, *batch: SignedTransaction) -> BatchResult:
        """A batch on both engines; raises AssertionError where they differ or money is not conserved."""
        self._opened = True
        opening = Opening(self.height, self.time_ms, 0, b"", self._inbox, self._waiting)
        real = self.last = self.machine.apply(opening, batch)
        if self.mirror is not None:
            dream = self.mirror.apply(opening, batch)
            assert list(real.outcomes) == list(dream.outcomes)
            assert (list(real.order), list(real.events), real.gas_used) == (
                list(dream.order), list(dream.events), dream.gas_used,
            )  # fmt: skip
        self.check_money()
        return real

    def do(self, signer: bytes, *calls: Call, **fields: Any) -> Outcome:
        """The outcome of one transaction in a batch of its own."""
        return self.run(self.signed(signer, *calls, **fields)).outcomes[0]

    def seal(self) -> None:
        """Close the block; the next is a second later."""
        sealed = self.machine.seal()
        assert self.mirror is None or self.mirror.seal() == sealed
        self._opened = False
        self.height += 1
        self.time_ms += 1_000

    def bank(self, method: str, *values: object) -> Call:
        entry = standard("bank").abi.entry(method)
        return Call(BANK, entry.selector.to_bytes(4, "little"), pack(entry, values))

    def oracle(self, method: str, *values: object) -> Call:
        entry = standard("oracle").abi.entry(method)
        return Call(ORACLE, entry.selector.to_bytes(4, "little"), pack(entry, values))

    # ---- what can be seen

    def state(self, name: str) -> dict[str, Any]:
        return decode_state(sources.compiled(name).abi, self.machine.memory(address_of(name)))

    def balances(self) -> dict[bytes, int]:
        state = decode_state(standard("bank").abi, self.machine.memory(BANK))
        return {account: held for (account, asset), held in state["balances"] if asset == 0}

    def purse(self, name: str) -> int:
        return self.balances().get(derived_address(address_of(name), PURSE), 0)

    def fund(self, name: str, raw: int) -> None:
        from execution.lang import Decimal

        outcome = self.do(EVE, self.bank("fund_gas", address_of(name), Decimal.from_raw(raw)))
        assert outcome.status == "done", outcome.reason

    def check_money(self) -> None:
        """Nothing is held between batches, and what all have sums to what there is."""
        state = decode_state(standard("bank").abi, self.machine.memory(BANK))
        assert state["held"] == 0
        assert sum(held for _, held in state["balances"]) == state["supplies"][0]

    def hook_events(self) -> list[tuple[int, str]]:
        """Of the last batch: (0 failed, 1 dropped or 3 parked, why)."""
        known = {reason(text): text for text in REASONS}
        told = [
            event for event in self.last.events if event.program == 0 and event.event != places.KERNEL_EVENT_DEPOSIT
        ]
        return [(one.event, known.get(int.from_bytes(one.data[16:24], "little", signed=True), "?")) for one in told]
