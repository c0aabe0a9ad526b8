"""
The standard programs and the kernel compiled ahead, as Python keeps bytecode: in a `__pycache__` beside the source.
First to WASM, then to machine code, which every process that runs a chain would else make for itself in a second.

The file's key is the SHA-256 of Python's version, the gas table and every source file of compiler, engine and programs;
another key, a damaged file or none means compiling anew. So a file of other sources is never used, and losing it costs
two and a half seconds. `python -m node.compiled` writes it (`make setup` does, so that the first start is quick).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import execution
import genesis
from execution.vm.machine import give_machine_code, machine_code
from genesis import codec
from genesis.errors import Invalid
from genesis.presets import PRESETS, load_preset
from genesis.spec import ChainSpec
from node.genesis_code import FILE_BYTES_MAX, GenesisCode, compiled_now

ROOMS = tuple(Path(str(room.__file__)).parent for room in (execution, genesis))
FILE = ROOMS[0] / "__pycache__" / "standard.code"
KEY_BYTES = 32


def genesis_code(spec: ChainSpec, file: Path = FILE) -> GenesisCode:
    """The code a chain of this spec begins with: from the file when it is of these sources, else compiled and kept."""
    key = source_key(spec)
    kept = _read(file, key)
    if kept is not None:
        return kept[0]
    code = compiled_now(spec)
    _write(file, key, code)
    return code


def give_engine(spec: ChainSpec, file: Path = FILE) -> None:
    """Spare this process's engine the making of machine code that the file has, if it is of these sources."""
    kept = _read(file, source_key(spec))
    if kept is not None:
        give_machine_code(kept[1])


def source_key(spec: ChainSpec, rooms: tuple[Path, ...] = ROOMS) -> bytes:
    """Of all that the code depends on."""
    digest = sha256(codec.encode((sys.version, spec.gas_table)))
    for room in rooms:
        for path in sorted(room.rglob("*.py")):
            data = path.read_bytes()
            digest.update(codec.encode((path.relative_to(room.parent).as_posix(), len(data))) + data)
    return digest.digest()


def _read(file: Path, key: bytes) -> tuple[GenesisCode, Mapping[bytes, bytes]] | None:
    """
    Code, and machine code by the hash of its WASM; None unless the file is whole and of this key. Its layout: key,
    SHA-256 of the rest, the rest.
    """
    try:
        data = file.read_bytes()
    except OSError:
        return None
    stated, check, rest = data[:KEY_BYTES], data[KEY_BYTES : 2 * KEY_BYTES], data[2 * KEY_BYTES :]
    if stated != key or sha256(rest).digest() != check:
        return None
    with suppress(Invalid):
        code, made = codec.decode_array(rest, 2, FILE_BYTES_MAX, "Code compiled ahead", depth_max=3)
        return GenesisCode.decode(code), dict(made)
    return None


def _write(file: Path, key: bytes, code: GenesisCode) -> None:
    """Whole or not at all; a folder that cannot be written goes without."""
    modules = (code.kernel, *(artifact.wasm for artifact in code.artifacts.values()))
    made = tuple((sha256(wasm).digest(), machine_code(wasm)) for wasm in modules)
    rest = codec.encode((code.encode(), made))
    partial = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        partial.write_bytes(key + sha256(rest).digest() + rest)
        partial.replace(file)


if __name__ == "__main__":
    genesis_code(load_preset(PRESETS[0]))
