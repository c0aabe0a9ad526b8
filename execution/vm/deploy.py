"""
Programs coming into being, and the host's own calls: the plan of genesis, deployments, deposits, limits.

Each goes through the kernel like everything else; a program whose `create` rejects leaves nothing behind but its
absence.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from execution.compiler.abi import parse_abi
from execution.executor import ProgramInfo
from execution.vm.genesis import GenesisCall, GenesisProgram, Plan
from execution.vm.host import Code, Host, Trapped
from execution.vm.kernel import places
from execution.vm.kernel.system import NEW_ADDRESS, NEW_CALL
from execution.vm.kernel.words import BAD_ARGUMENT, REASONS, TRAP, UNKNOWN_ENTRY, VALUE_K3, reason, selector
from execution.vm.layout import HEAP_TOP, list_place
from execution.vm.programs import code_of
from execution.vm.results import reason_text
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Deployment
from genesis.errors import Corrupt
from genesis.spec import ChainSpec

HOOK_TRIES = 16
SUBSCRIBERS_MAX = 1024  # per feed

_RECORD = struct.Struct("<q20s4xqqq32s32s32s64x")
_CALL = struct.Struct("<20s4x4sHHq")
_WORDS = struct.Struct(f"<{places.RECORD_WORDS}q")
_ASKED = struct.Struct("<4sH")
_CREDIT = struct.Struct("<20s4xqQq")
_ROLES = {"bank": places.BANK, "oracle": places.ORACLE, "clearing": places.CLEARING}
NO_CREATE = selector("create()").to_bytes(4, "little")
"""What a program asks for whose template, as it knows it, has no `create`."""
_CREDIT_SELECTOR = reason("credit(account,asset,decimal)").to_bytes(8, "little", signed=True)[:4]

assert _RECORD.size == 8 * places.RECORD_WORDS


@dataclass(frozen=True, slots=True)
class Program:
    """
    A program of the chain; its number is its place in the list, counted from 1.

    room: bytes of state from its start that are the fields', later ones included. staged: the version that it switches
    to when its time has come.
    """

    address: bytes
    code: Code
    room: int = 0
    staged: Deployment | None = None


def words_of(texts: Iterable[str]) -> dict[int, str]:
    return {reason(text): text for text in texts}


def write_limits(host: Host, spec: ChainSpec) -> None:
    """Give the kernel the chain's bounds."""
    limits = {
        places.LIMIT_DEPTH: spec.call_depth_max,
        places.LIMIT_TRANSACTION_GAS: spec.gas_transaction_max,
        places.LIMIT_BATCH_GAS: spec.gas_batch_max,
        places.LIMIT_BLOCK_GAS: spec.gas_block_max,
        places.LIMIT_HOOK_GAS: spec.gas_hook_max,
        places.LIMIT_BATCH_HOOK_GAS: spec.gas_hooks_batch_max,
        places.LIMIT_BLOCK_HOOK_GAS: spec.gas_hooks_block_max,
        places.LIMIT_HOOK_TRIES: HOOK_TRIES,
        places.LIMIT_LANES: spec.lanes_signer_max,
        places.LIMIT_SUBSCRIBERS: SUBSCRIBERS_MAX,
        places.LIMIT_EVENTS: spec.events_transaction_max,
        places.LIMIT_BATCH_EVENTS: min(spec.events_batch_max, places.EVENTS_MAX),
        places.LIMIT_HOOK_PRICE: spec.fee_min,
        places.LIMIT_PROGRAMS: spec.programs_max,
        places.LIMIT_DEPOSIT: spec.deposit_byte,
        places.WITHDRAWN_EVENT: -1,
    }
    for place, value in limits.items():
        host.write(0, "scratch", place, value.to_bytes(8, "little", signed=True))


def carry_out(host: Host, programs: list[Program], plan: Plan, spec: ChainSpec) -> None:
    """Create the programs of genesis, pin their roles, make the plan's calls, credit the allocations."""
    for planned in plan.programs:
        why = create(host, programs, planned, 0, planned.admin, spec.gas_transaction_max)
        if why:
            raise Corrupt(
                f"Genesis cannot create {planned.code.name}: {reason_text(why, words_of(planned.code.reasons))}."
            )
        if planned.role:
            host.call("pin", _ROLES[planned.role], len(programs))
    restore_roles(host, programs)
    for call in plan.calls:
        _must(host, programs, call)
    bank = int.from_bytes(host.read(0, "state", places.BANK, 8), "little")
    for allocation in spec.allocations if bank else ():
        credit(host, bank, allocation.account, allocation.asset, allocation.amount)


def _must(host: Host, programs: list[Program], call: GenesisCall) -> None:
    why = system_call(host, 1 + call.program, call.sender, call.selector, call.arguments)
    if why:
        code = programs[call.program].code
        text = reason_text(why, words_of((*REASONS, *code.reasons)))
        raise Corrupt(f"Genesis cannot call {code.name} (selector {call.selector.hex()}): {text}.")


def create(host: Host, programs: list[Program], planned: GenesisProgram, height: int, sender: bytes, gas: int) -> int:
    """Instantiate a program and run its `create`; return 0, or the reason why there is no such program."""
    code = planned.code
    arguments = planned.create or b""
    call = _CALL.pack(bytes(20), planned.create_selector, len(arguments) // 8, 0, gas) + arguments
    record = _RECORD.pack(0, planned.admin, 1, height, 0, code.layout_hash, code.code_hash, code.source_hash)
    packed = record + planned.address.ljust(24, b"\x00") + sender.ljust(24, b"\x00") + call
    host.write(0, "io", places.IO_INPUT, packed)
    return _instantiate(host, programs, Program(planned.address, code), planned.create is not None)


def _instantiate(host: Host, programs: list[Program], program: Program, run_create: bool) -> int:
    """Give the program that io describes an instance, register it, run its `create`; 0, or why there is none."""
    number = host.add(program.code)
    assert number == len(programs) + 1, "the host counts programs otherwise"
    room = int.from_bytes(host.read(number, "state", HEAP_TOP, 8), "little")
    try:
        why = host.call("create_program", int(run_create))
    except Trapped:
        host.call("abandon")
        why = TRAP
    if why:
        host.drop(number)
    else:
        programs.append(replace(program, room=room))
    return why


def create_asked(host: Host, programs: list[Program]) -> int:
    """Create the programs that programs asked for before this block; return how many there were."""
    count = host.call("creations")
    for _ in range(count):
        template = programs[host.call("take_creation") - 1]
        address = host.read(0, "io", NEW_ADDRESS, 20)
        selector, words = _ASKED.unpack(host.read(0, "io", NEW_CALL + places.CALL_SELECTOR, _ASKED.size))
        entry = create_selector(template.code.abi_json)
        if selector != (entry or NO_CREATE):
            why = UNKNOWN_ENTRY
        elif words != template.code.entries.get(selector, (0, 0))[0]:
            why = BAD_ARGUMENT
        else:
            why = _instantiate(host, programs, Program(address, template.code), entry is not None)
        host.call("tell_creation", why)
    return count


@lru_cache(maxsize=256)
def create_selector(abi_json: str) -> bytes | None:
    """Of a program's `create`; None when it has none."""
    entries = json.loads(abi_json).get("entries", ())
    found = [entry["selector"] for entry in entries if entry["name"] == "create"]
    return int(found[0], 16).to_bytes(4, "little") if found else None


def activate(host: Host, programs: list[Program], deployment: Deployment, height: int, gas: int) -> int:
    """Create a program that an earlier block recorded; return 0, or the reason why its `create` refused."""
    abi = parse_abi(deployment.abi)
    code = code_of(deployment.name, deployment.wasm, abi, bytes(32))
    admin = deployment.admin or bytes(20)
    create_entry = next((e for e in abi.entries if e.name == "create"), None)
    selector = create_entry.selector.to_bytes(4, "little") if create_entry else bytes(4)
    fits = create_entry is None or code.entries[selector][0] * 8 == len(deployment.arguments)
    if not fits:
        return BAD_ARGUMENT
    arguments = deployment.arguments if create_entry else None
    planned = GenesisProgram(code, deployment.address, arguments, selector, "", admin)
    return create(host, programs, planned, height, deployment.deployer, gas)


def system_call(host: Host, number: int, sender: bytes, selector: bytes, arguments: bytes) -> int:
    """A call of the host's own; return 0 or the reason of its rejection."""
    host.write(0, "io", places.IO_INPUT, _CALL.pack(sender, selector, len(arguments) // 8, 0, 0) + arguments)
    try:
        return host.call("system_call", number)
    except Trapped:
        host.call("abandon")
        return TRAP


def credit(host: Host, bank: int, account: bytes, asset: int, amount: int) -> None:
    """Credit a deposit. Raises Corrupt when the bank refuses: the settlement chain holds the money already."""
    arguments = _CREDIT.pack(account, asset, amount & (1 << 64) - 1, amount >> 64)
    why = system_call(host, bank, KERNEL_ADDRESS, _CREDIT_SELECTOR, arguments)
    if why:
        text = reason_text(why, words_of(REASONS))
        raise Corrupt(f"The bank refused a deposit of {amount} of asset {asset} for 0x{account.hex()}: {text}.")


def restore_roles(host: Host, programs: list[Program]) -> None:
    """Tell the kernel which of the bank's events is a withdrawal; it is told by code, so it is not state."""
    bank = int.from_bytes(host.read(0, "state", places.BANK, 8), "little")
    number = programs[bank - 1].code.withdrawn if bank else None
    value = -1 if number is None else number
    host.write(0, "scratch", places.WITHDRAWN_EVENT, value.to_bytes(8, "little", signed=True))


def count_programs(host: Host) -> int:
    """Programs in the kernel's own list."""
    return int.from_bytes(host.read(0, "state", places.PROGRAMS, 8), "little")


def info_of(host: Host, number: int, program: Program) -> ProgramInfo:
    """What the chain knows of a program: its code, and its record in the kernel's registry."""
    code, at = program.code, _record_place(host, number)
    words = _WORDS.unpack(host.read(0, "state", at, _WORDS.size))
    admin = host.read(0, "state", at + 8 * places.RECORD_ADMIN, 20)
    upgrade = words[places.RECORD_UPGRADE_TIME] if words[places.RECORD_UPGRADE] else None
    return ProgramInfo(
        number, program.address, code.name, code.code_hash, code.abi_json, admin, words[places.RECORD_VERSION],
        _time_lock(host, words), upgrade, program.room,
    )  # fmt: skip


def _time_lock(host: Host, record: tuple[int, ...]) -> int:
    """The time-lock that holds at the block at hand."""
    since = record[places.RECORD_NEXT_LOCK_TIME]
    now = int.from_bytes(host.read(0, "scratch", places.TIME, 8), "little")
    return record[places.RECORD_NEXT_LOCK if 0 < since <= now else places.RECORD_TIME_LOCK]


def _record_place(host: Host, number: int) -> int:
    """State address of a program's record."""

    def read_u32(at: int) -> int:
        return int.from_bytes(host.read(0, "state", at, 4), "little")

    return _word(host, list_place(read_u32, places.PROGRAMS, number - 1, 1)) + VALUE_K3


def _word(host: Host, at: int) -> int:
    return int.from_bytes(host.read(0, "state", at, 8), "little", signed=True)
