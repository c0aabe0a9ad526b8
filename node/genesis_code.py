"""
The genesis programs of this folder's chain, as they were compiled when it began.

A later Tenor may compile the same source to other bytes, and those would be another chain. So the first start writes
what it compiled beside the store, synced, and every later one reads it; the store's own identity (the genesis hash)
tells when the file is not the one the chain began with.
"""

from __future__ import annotations

import os
from pathlib import Path

from execution.compiler import Artifact
from execution.compiler.abi import parse_abi
from execution.standard import compile_standard, plan_of
from execution.vm.genesis import MakePlan
from genesis import codec
from genesis.errors import Corrupt, Invalid
from genesis.spec import GENESIS_PROGRAMS, ChainSpec

FILE = "genesis.code"
VERSION = 1
FILE_BYTES_MAX = 64 << 20


def folder_plan(folder: Path, spec: ChainSpec) -> MakePlan:
    """
    The genesis plan of the chain in this folder; compiles and keeps the programs when there is none yet.

    Raises:
        Corrupt: the file is damaged.
    """
    path = folder / FILE
    artifacts = _read(path) if path.exists() else _create(path, spec)
    return lambda wanted: plan_of(wanted, artifacts)


def _create(path: Path, spec: ChainSpec) -> dict[str, Artifact]:
    artifacts = compile_standard(spec)
    rows = tuple((n, a.name, a.source_hash, a.ir_hash, a.wasm, a.abi.text()) for n, a in artifacts.items())
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(codec.encode((VERSION, rows)))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return artifacts


def _read(path: Path) -> dict[str, Artifact]:
    try:
        version, rows = codec.decode_array(path.read_bytes(), 2, FILE_BYTES_MAX, "The genesis code", depth_max=3)
        artifacts = {
            name: Artifact(program, source, ir, wasm, parse_abi(abi)) for name, program, source, ir, wasm, abi in rows
        }
    except (Invalid, ValueError, TypeError) as error:
        raise Corrupt(f"{path} is damaged ({error}); restore it from a backup of this folder.") from error
    if version != VERSION or tuple(artifacts) != GENESIS_PROGRAMS:
        raise Corrupt(f"{path} is of another version of Tenor; restore it, or start in a new folder.")
    return artifacts
