"""SHA-256 for programs: over words they packed into scratch, paid by the block."""

from __future__ import annotations

from execution.vm.core import core, i32, i64, parameter
from execution.vm.runtime.barrier import charge
from execution.vm.runtime.sha256 import blocks, sha256

SHA256_BLOCK = parameter("sha256_block")


@core()
def digest(at: i64, size: i64) -> None:
    """Put the digest of scratch[at, at + size) in its place; room behind it as `sha256` wants it."""
    charge(blocks(size) * SHA256_BLOCK)
    sha256(i32(at), size)
