"""
The programs of the chain and how their words read: addresses, ABIs, events and results as plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi, parse_abi
from execution.compiler.abi_values import plain_event, plain_result
from execution.compiler.types import words
from execution.executor import ProgramInfo, Record
from execution.lang.decimal import Decimal
from execution.vm.kernel.words import reason
from genesis.errors import Invalid
from genesis.spec import GENESIS_PROGRAMS, genesis_address
from node.kernel_events import kernel_event

KERNEL = 0
KERNEL_ADDRESS = bytes(19) + b"\x01"
EVENT_HEAD = ("height", "program", "event")


class Catalogue:
    """Empty until `learn`."""

    def __init__(self) -> None:
        self._programs: list[ProgramInfo] = []
        self._abis: dict[int, Abi] = {}
        self._numbers: dict[bytes, int] = {}
        self._reasons: dict[int, str] = {}
        self._texts: dict[int, str] = {}

    def learn(self, programs: Iterable[ProgramInfo]) -> None:
        """Take in all programs of the chain; those known already cost nothing."""
        self._programs = list(programs)
        for info in self._programs:
            known = self._texts.get(info.number)
            if known != info.abi_json or self._numbers.get(info.address) != info.number:
                self._texts[info.number] = info.abi_json
                abi = self._abis[info.number] = _abi_of(info.abi_json)
                self._numbers[info.address] = info.number
                self._reasons |= {reason(text): text for text in abi.reasons}

    def all(self) -> tuple[ProgramInfo, ...]:
        return tuple(self._programs)

    def __len__(self) -> int:
        return len(self._programs)

    def genesis(self, name: str) -> tuple[bytes, Abi]:
        """Address and ABI of a genesis program, by its name in the spec."""
        address = genesis_address(name)
        return address, self._abis[self._numbers[address]]

    def numbered(self, address: bytes) -> tuple[int, Abi]:
        """Number and ABI of a program; of the kernel, which has no fields, 0. Raises Invalid "unknown_program"."""
        if address == KERNEL_ADDRESS:
            return KERNEL, Abi("kernel", (), (), (), ())
        if address not in self._numbers:
            raise Invalid(f"There is no program at 0x{address.hex()}.", "unknown_program")
        return self._numbers[address], self._abis[self._numbers[address]]

    def genesis_addresses(self) -> dict[str, bytes]:
        return {name: genesis_address(name) for name in GENESIS_PROGRAMS}

    def event_view(self, record: Record, height: int) -> dict[str, Any]:
        """
        program: address; event: name; then the event's members, as `member_key` names them. The kernel's own
        are those of `kernel_events`. What an earlier version of the program emitted and this one does not know is shown
        by its number and its bytes.
        """
        if record.program == KERNEL:
            return kernel_event(record, height, self._reasons)
        info, abi = self._programs[record.program - 1], self._abis[record.program]
        if record.event >= len(abi.events) or len(record.data) != 8 * words(abi.events[record.event]):
            return {"height": height, "program": info.address, "event": f"#{record.event}", "data": record.data}
        name, members = plain_event(abi, record.event, record.data)
        fields = abi.events[record.event].fields
        shown = {member_key(key): readable(of, value) for (key, of), value in zip(fields, members, strict=True)}
        return {"height": height, "program": info.address, "event": name, **shown}

    def result_view(self, program: bytes, selector: int, data: bytes) -> Any:
        entry = self._abis[self._numbers[program]].by_selector[selector]
        return readable(entry.result, plain_result(entry, data))

    def view(self, info: ProgramInfo) -> dict[str, Any]:
        return {
            "number": info.number,
            "address": info.address,
            "name": info.name,
            "code_hash": info.code_hash,
            "admin": info.admin,
            "version": info.version,
            "time_lock_ms": info.time_lock_ms,
            "upgrade_time_ms": info.upgrade_time_ms,
            "abi": info.abi_json,
        }


@lru_cache(maxsize=256)
def _abi_of(text: str) -> Abi:
    """Programs made by programs share theirs."""
    return parse_abi(text)


def member_key(name: str) -> str:
    """Key of an event's member in its view: the name, with an underscore behind it when EVENT_HEAD has taken it."""
    return f"{name}_" if name in EVENT_HEAD else name


def readable(of: t.Type, plain: Any) -> Any:
    """Plain data as the interface shows it: Decimals as text, accounts as bytes, enums by name, structs as maps."""
    match of:
        case t.OptionalType(item):
            return None if plain is None else readable(item, plain)
        case t.StructType(_, fields):
            return {name: readable(kind, member) for (name, kind), member in zip(fields, plain, strict=True)}
        case t.ArrayType(item):
            return [readable(item, member) for member in plain]
        case t.TupleType(items):
            return [readable(item, member) for item, member in zip(items, plain, strict=True)]
        case t.Scalar("decimal"):
            return str(Decimal.from_raw(plain))
        case t.Scalar("bool"):
            return bool(plain)
        case t.Scalar("int" | "reason"):
            return plain if abs(plain) < 1 << 53 else str(plain)
        case t.EnumType(_, members):
            return members[plain]
        case _:
            return plain
