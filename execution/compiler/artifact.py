"""
What compiling a bundle yields, and the hashes that name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from execution.compiler.abi import Abi


@dataclass(frozen=True, slots=True)
class Artifact:
    """source_hash: of files and main. ir_hash: of the optimised module's text, gas included."""

    name: str
    source_hash: bytes
    ir_hash: bytes
    wasm: bytes
    abi: Abi


def source_hash(files: Mapping[str, str], main: str) -> bytes:
    """
    SHA-256 over main, then every path and text in order of path, each preceded by its length as a little-endian u32.
    """
    digest = hashlib.sha256()
    for part in (main, *(part for path in sorted(files) for part in (path, files[path]))):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "little") + data)
    return digest.digest()
