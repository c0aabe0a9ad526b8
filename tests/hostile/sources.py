"""The hostile programs as files, compiled once a process: each is one attack, told in the first line of its source."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from execution.compiler import Artifact, compile_bundle, compile_ir
from execution.compiler.abi_values import pack
from execution.compiler.ir import Module
from execution.compiler.optimise import optimise
from genesis.chain import Call
from genesis.gas import GAS_TABLE

FOLDER = Path(__file__).parent / "programs"
GAS = dict(GAS_TABLE)


def names() -> list[str]:
    """Of all programs: the names of their files."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def source(name: str) -> str:
    """Of a program, or of its second copy on the same chain: "reenter_2"."""
    name = name.removesuffix("_2")
    return (FOLDER / ("faces" if name == "face" else "") / f"{name}.py").read_text()


def attack(name: str) -> str:
    """The line that says what the program tries."""
    return source(name).split('"""')[1].strip().splitlines()[0]


def main(name: str) -> str:
    return f"{name.removesuffix('_2')}.py"


@lru_cache(maxsize=256)
def files(name: str) -> dict[str, str]:
    """The bundle: the program, and the interfaces through which it sees others."""
    text = source(name)
    faces = [path for path in sorted((FOLDER / "faces").glob("*.py")) if f"from {path.stem} import" in text]
    return {main(name): text, **{path.name: path.read_text() for path in faces}}


@lru_cache(maxsize=256)
def compiled(name: str) -> Artifact:
    return compile_bundle(files(name), main(name), GAS)


@lru_cache(maxsize=256)
def module(name: str) -> Module:
    """The IR that the WASM was written from."""
    return optimise(compile_ir(files(name), main(name))[0], GAS)


def arguments(name: str, values: tuple[object, ...]) -> bytes:
    """Packed arguments of `create`, if there is one."""
    abi = compiled(name).abi
    return pack(abi.entry("create"), values) if "create" in abi.by_name else b""


def call(name: str, address: bytes, method: str, *values: object, gas: int = 0) -> Call:
    entry = compiled(name).abi.entry(method)
    return Call(address, entry.selector.to_bytes(4, "little"), pack(entry, values), gas)
