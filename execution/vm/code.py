"""From what a compiler yields, or what a block records, to what the engine runs: shapes of entries, reasons, hashes."""

from __future__ import annotations

import json
from hashlib import sha256

from execution.compiler import types
from execution.compiler.abi import Abi, parse_abi
from execution.compiler.artifact import Artifact
from execution.vm.host import Code
from genesis.chain import Deployment

WITHDRAWN = "Withdrawn"
"""Name of the bank's event that tells of a burnt withdrawal: index, account, asset, amount."""


def code_of(artifact: Artifact) -> Code:
    """A compiled bundle, as a plan of genesis wants it."""
    return _code(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)


def recorded(deployment: Deployment) -> Code:
    """A program as its block recorded it; no source is looked at. Raises Invalid for an ABI that is none."""
    return _code(deployment.name, deployment.wasm, parse_abi(deployment.abi), bytes(32))


def _code(name: str, wasm: bytes, abi: Abi, source_hash: bytes) -> Code:
    shapes = {
        entry.selector.to_bytes(4, "little"): (
            sum(types.words(of) for _, of in entry.parameters),
            types.words(entry.result),
        )
        for entry in abi.entries
    }
    events = [event.name for event in abi.events]
    withdrawn = events.index(WITHDRAWN) if WITHDRAWN in events else None
    text = abi.text()
    layout = json.dumps(json.loads(text)["fields"], separators=(",", ":")).encode()
    return Code(
        name, wasm, sha256(wasm).digest(), text, shapes, abi.reasons, withdrawn, sha256(layout).digest(), source_hash
    )
