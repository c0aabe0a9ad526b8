"""
From what the compiler yields to what a host runs.
"""

from __future__ import annotations

from hashlib import sha256

from execution.compiler.abi import Abi
from execution.compiler.types import words
from execution.vm.host import Code

WITHDRAWN = "Withdrawn"
"""The bank's event that burns money here for the settlement chain to pay; see `executor.WithdrawalBurnt`."""


def code_of(name: str, wasm: bytes, abi: Abi, source_hash: bytes) -> Code:
    """Shapes of the entries and everything else the host side must know of a program."""
    entries = {
        entry.selector.to_bytes(4, "little"): (sum(words(of) for _, of in entry.parameters), words(entry.result))
        for entry in abi.entries
    }
    numbers = [number for number, event in enumerate(abi.events) if event.name == WITHDRAWN]
    layout = ";".join(f"{field}:{of}@{offset}" for field, of, offset in abi.fields)
    return Code(
        name=name,
        wasm=wasm,
        code_hash=sha256(wasm).digest(),
        abi_json=abi.text(),
        entries=entries,
        reasons=abi.reasons,
        withdrawn=numbers[0] if numbers else None,
        layout_hash=sha256(layout.encode()).digest(),
        source_hash=source_hash,
    )
