"""
The code that this folder's chain began with: the kernel and the genesis programs, as bytes.

A later Tenor may compile the same source to other bytes, and those would be another chain. So the first start writes
what it compiled beside the store, synced, and every later one reads it; the store's own identity (the genesis hash)
tells when the file is not the one the chain began with. Kernels that took over later stand in blocks and checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from execution.compiler import Artifact
from execution.compiler.abi import parse_abi
from execution.standard import compile_standard, plan_of
from execution.vm.genesis import MakePlan
from execution.vm.kernel.build import build_kernel
from genesis import codec
from genesis.errors import Corrupt, Invalid
from genesis.spec import GENESIS_PROGRAMS, ChainSpec

FILE = "genesis.code"
VERSION = 2
FILE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class GenesisCode:
    """kernel: WASM. artifacts: the genesis programs by name, in their order."""

    kernel: bytes
    artifacts: Mapping[str, Artifact]

    def plan(self) -> MakePlan:
        return lambda spec: replace(plan_of(spec, self.artifacts), kernel=self.kernel)

    def encode(self) -> bytes:
        rows = tuple((n, a.name, a.source_hash, a.ir_hash, a.wasm, a.abi.text()) for n, a in self.artifacts.items())
        return codec.encode((VERSION, self.kernel, rows))

    @classmethod
    def decode(cls, data: bytes) -> GenesisCode:
        """Raises Invalid for bytes that `encode` cannot have written, "other_version" for another Tenor's."""
        version, kernel, rows = codec.decode_array(data, 3, FILE_BYTES_MAX, "The genesis code", depth_max=3)
        try:
            artifacts = {
                name: Artifact(program, source, ir, wasm, parse_abi(abi))
                for name, program, source, ir, wasm, abi in rows
            }
        except (ValueError, TypeError) as error:
            raise Invalid(f"The genesis code does not decode: {error}", "malformed") from error
        if version != VERSION or tuple(artifacts) != GENESIS_PROGRAMS:
            raise Invalid(f"The genesis code is of version {version}, this Tenor reads {VERSION}.", "other_version")
        return cls(kernel, artifacts)


def compiled_now(spec: ChainSpec) -> GenesisCode:
    """What this Tenor makes of its own source; 1.5 s."""
    return GenesisCode(build_kernel(spec.gas), compile_standard(spec))


def folder_plan(folder: Path, spec: ChainSpec, begin: Callable[[ChainSpec], GenesisCode] = compiled_now) -> MakePlan:
    """
    The genesis plan of the chain in this folder; keeps the code of a chain that begins now.

    Args:
        begin: where code comes from when the folder has none yet.

    Raises:
        Corrupt: the file is damaged.
    """
    path = folder / FILE
    return (_read(path) if path.exists() else _create(path, begin(spec))).plan()


def _create(path: Path, code: GenesisCode) -> GenesisCode:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(code.encode())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return code


def _read(path: Path) -> GenesisCode:
    try:
        return GenesisCode.decode(path.read_bytes())
    except Invalid as error:
        if error.code == "other_version":
            raise Corrupt(f"{path} is of another version of Tenor; restore it, or start in a new folder.") from error
        raise Corrupt(
            f"{path} is damaged ({error}); copy it from another node of this chain, or from a backup."
        ) from error
