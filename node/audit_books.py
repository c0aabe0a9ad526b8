"""
Conservation, block by block, from the programs' own memory: what was let in, less what was let out, is what is there.

    per asset: allocations + credited deposits − withdrawals burnt = balances + storage deposits (+ a fee held)
    in clearing: sum of cash + fees not collected = clearing's balance in the bank, in the settlement asset
    per contract: the quantities of all positions sum to zero
    storage deposits in the bank = price of a byte · bytes that the programs count as paid

Memory is decoded by the ABI, without running any code of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi, parse_abi
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import plain_event
from execution.executor import Executor, Record, WithdrawalBurnt
from execution.standard import SETTLEMENT_ASSET
from execution.vm.layout import PAID_BYTES
from genesis.spec import FEE_ASSET, GENESIS_PROGRAMS, ChainSpec, genesis_address

Row = dict[str, Any]


class Books:
    """Follows one chain from genesis on; `check` once per block, in order."""

    def __init__(self, spec: ChainSpec, executor: Executor) -> None:
        self._executor = executor
        self._deposit_byte = spec.deposit_byte
        by_address = {info.address: info for info in executor.programs()}
        infos = [by_address[genesis_address(name)] for name in GENESIS_PROGRAMS]
        self._abis: dict[str, Abi] = {name: parse_abi(i.abi_json) for name, i in zip(GENESIS_PROGRAMS, infos)}
        self._names = {info.number: name for name, info in zip(GENESIS_PROGRAMS, infos)}
        self._expected = dict.fromkeys(range(len(spec.assets)), 0)
        for allocation in spec.allocations:
            self._expected[allocation.asset] += allocation.amount
        self._memory: tuple[bytes, bytes] | None = None
        self._fault: str | None = None

    def names(self, events: Iterable[Record]) -> Iterator[str]:
        """ "bank.Credited" for each event of a genesis program."""
        for event in events:
            name = self._names.get(event.program)
            if name is not None:
                yield f"{name}.{self._abis[name].events[event.event].name}"

    def check(self, events: Sequence[Record], burnt: Iterable[WithdrawalBurnt]) -> str | None:
        """What does not add up after this block; None when all does."""
        for asset, amount in self._credits(events):
            self._expected[asset] = self._expected.get(asset, 0) + amount
        for withdrawal in burnt:
            self._expected[withdrawal.asset] -= withdrawal.amount
        memory = (self._read("bank"), self._read("clearing"))
        if memory != self._memory:  # an idle block costs no decoding
            self._memory = memory
            self._sums, self._fault = self._add_up(*memory)
        differing = [asset for asset, total in self._expected.items() if self._sums.get(asset, 0) != total]
        if differing:
            asset = differing[0]
            return f"balances of asset {asset} sum to {self._sums.get(asset, 0)}, let in were {self._expected[asset]}"
        return self._fault

    def _credits(self, events: Iterable[Record]) -> Iterator[tuple[int, int]]:
        """Asset and raw amount of each deposit credited."""
        abi = self._abis["bank"]
        for event in events:
            if self._names.get(event.program) == "bank" and abi.events[event.event].name == "Credited":
                _, members = plain_event(abi, event.event, event.data)
                row = dict(zip((name for name, _ in abi.events[event.event].fields), members))
                yield row["asset"], row["amount"]

    def _read(self, program: str) -> bytes:
        return self._executor.memory(genesis_address(program))

    def _add_up(self, bank_memory: bytes, clearing_memory: bytes) -> tuple[dict[int, int], str | None]:
        """Sums of balances by asset, and what is wrong inside clearing."""
        bank = decode_state(self._abis["bank"], bank_memory)
        sums: dict[int, int] = {FEE_ASSET: bank["held"] + bank["deposits"]}
        for (_, asset), amount in bank["balances"]:
            sums[asset] = sums.get(asset, 0) + amount
        home = (genesis_address("clearing"), SETTLEMENT_ASSET)
        balance = next((amount for holding, amount in bank["balances"] if holding == home), 0)
        fault = self._clearing_fault(decode_state(self._abis["clearing"], clearing_memory), balance)
        return sums, fault or self._deposits_fault(bank["deposits"])

    def _deposits_fault(self, deposits: int) -> str | None:
        """Programs count in page 0 the bytes whose deposit the bank keeps."""
        memories = (self._executor.memory(info.address) for info in self._executor.programs())
        paid = sum(int.from_bytes(memory[PAID_BYTES : PAID_BYTES + 4], "little") for memory in memories)
        if deposits != paid * self._deposit_byte:
            return f"deposits of {paid} bytes of storage are {paid * self._deposit_byte}, the bank keeps {deposits}"
        return None

    def _clearing_fault(self, clearing: dict[str, Any], balance: int) -> str | None:
        cash = sum(ledger["cash"] for ledger in self._rows("accounts", [row for _, row in clearing["accounts"]]))
        fees = sum(terms["fees"] for terms in self._rows("contracts", clearing["contracts"]))
        if cash + fees != balance:
            return f"clearing owes {cash} of cash and {fees} of fees, and has {balance} in the bank"
        quantities: dict[int, int] = {}
        for slot in self._rows("slots", clearing["slots"]):
            quantities[slot["contract"]] = quantities.get(slot["contract"], 0) + slot["quantity"]
        for contract, total in quantities.items():
            if total != 0:
                return f"positions in contract {contract} sum to {total}, not to zero"
        return None

    def _rows(self, field: str, records: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
        """Records of a field of clearing, members by name."""
        (of,) = (of for name, of, _ in self._abis["clearing"].fields if name == field)
        assert isinstance(of, (t.MapType, t.ListType)), f"{field} is a container"
        kind = of.item if isinstance(of, t.ListType) else of.value
        assert isinstance(kind, t.RecordType), f"{field} holds records"
        names = [name for name, _ in kind.fields]
        return (dict(zip(names, record)) for record in records)
