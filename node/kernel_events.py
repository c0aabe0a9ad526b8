"""
The kernel's own events as they read: program 0 tells of hooks, of deposits for storage, of programs that came into
being or changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execution.executor import Record
from execution.lang.decimal import Decimal
from execution.vm.kernel import places
from execution.vm.results import KNOWN_REASONS, reason_text
from execution.vm.state import KERNEL_ADDRESS

HOOK = (("number", "int"), ("selector", "selector"), ("reason", "word"), ("tries", "int"))
EVENTS: Mapping[int, tuple[str, tuple[tuple[str, str], ...]]] = {
    places.KERNEL_EVENT_HOOK_FAILED: ("HookFailed", HOOK),
    places.KERNEL_EVENT_HOOK_DROPPED: ("HookDropped", HOOK),
    places.KERNEL_EVENT_HOOK_PARKED: ("HookParked", HOOK),
    places.KERNEL_EVENT_DEPOSIT: ("StorageDeposit", (("account", "account"), ("bytes", "int"), ("amount", "decimal"))),
    places.KERNEL_EVENT_CREATED: (
        "ProgramCreated", (("number", "int"), ("address", "account"), ("creator", "account")),
    ),
    places.KERNEL_EVENT_NOT_CREATED: (
        "ProgramNotCreated", (("reason", "reason"), ("address", "account"), ("creator", "account")),
    ),
    places.KERNEL_EVENT_ADMIN: ("AdminChanged", (("number", "int"), ("admin", "account"))),
    places.KERNEL_EVENT_TIME_LOCK: (
        "TimeLockChanged", (("number", "int"), ("time_lock_ms", "int"), ("from_ms", "int")),
    ),
    places.KERNEL_EVENT_UPGRADE_ANNOUNCED: (
        "UpgradeAnnounced", (("number", "int"), ("transaction", "head"), ("from_ms", "int")),
    ),
    places.KERNEL_EVENT_UPGRADE_CANCELLED: ("UpgradeCancelled", (("number", "int"),)),
    places.KERNEL_EVENT_UPGRADED: ("Upgraded", (("number", "int"), ("version", "int"), ("code_hash", "hash"))),
    places.KERNEL_EVENT_UPGRADE_FAILED: ("UpgradeFailed", (("number", "int"), ("reason", "reason"))),
}  # fmt: skip
"""By number: name, and the members with what they are."""
WORDS = {"int": 1, "selector": 1, "word": 1, "reason": 1, "head": 1, "decimal": 2, "account": 3, "hash": 4}


def kernel_event(record: Record, height: int, reasons: Mapping[int, str]) -> dict[str, Any]:
    """height, program and event, then the members. reasons: texts of the chain's programs, by word."""
    name, members = EVENTS[record.event]
    shown: dict[str, Any] = {"height": height, "program": KERNEL_ADDRESS, "event": name}
    at = 0
    for key, kind in members:
        size = 8 * WORDS[kind]
        shown[key] = _readable(kind, record.data[at : at + size], reasons)
        at += size
    return shown


def _readable(kind: str, data: bytes, reasons: Mapping[int, str]) -> Any:
    word = int.from_bytes(data[:8], "little", signed=True)
    match kind:
        case "decimal":
            return str(Decimal.from_raw(int.from_bytes(data, "little", signed=True)))
        case "account":
            return data[:20]
        case "hash" | "head":
            return data
        case "selector":
            return data[:4]
        case "word":
            return f"0x{word & (1 << 64) - 1:016x}"
        case "reason":
            return reason_text(word, {**KNOWN_REASONS, **reasons})
        case _:
            return word
