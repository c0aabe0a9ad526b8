"""
The compiler: a bundle of source files becomes a WASM module and its ABI, in the stages accept → check → lower →
optimise → write.

Pure: the same files and gas table give the same bytes. It reads programs as text and never runs them. Every refusal is
a `CompileError` (an Invalid), located in the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from execution.compiler import limits
from execution.compiler.abi import Abi, abi_of
from execution.compiler.accept import on_own_stack
from execution.compiler.artifact import Artifact, source_hash
from execution.compiler.check import check, check_library
from execution.compiler.errors import CompileError, Source
from execution.compiler.gas import GAS
from execution.compiler.ir import Module
from execution.compiler.ir_text import show
from execution.compiler.lower import lower
from execution.compiler.names import module_name
from execution.compiler.optimise import optimise
from execution.compiler.write import write

__all__ = ["Abi", "Artifact", "CompileError", "check_bundle", "compile_bundle", "compile_ir"]


def compile_bundle(files: Mapping[str, str], main: str, gas: Mapping[str, int] = GAS) -> Artifact:
    """
    Compile the program in file `main` of a bundle.

    Args:
        files: path ("bank.py", "lib/shares.py") → text.
        main: path of the file that defines the program.
        gas: the chain's gas table.

    Raises:
        CompileError: the source is refused, with its place.
        Invalid: the compiled program is beyond a bound of the engine.
    """

    def work() -> Artifact:
        module, abi = _front(files, main)
        optimised = optimise(module, gas)
        ir_hash = hashlib.sha256(show(optimised).encode()).digest()
        return Artifact(abi.name, source_hash(files, main), ir_hash, write(optimised, gas), abi)

    return on_own_stack(work)


def compile_ir(files: Mapping[str, str], main: str) -> tuple[Module, Abi]:
    """The IR as `lower` writes it, and the ABI: for the interpreter and for reading."""
    return on_own_stack(lambda: _front(files, main))


def check_bundle(files: Mapping[str, str], main: str, library: bool = False) -> None:
    """Check without compiling; library: the main file defines no program."""
    sources = _sources(files, main)
    if library:
        on_own_stack(lambda: check_library(sources, main))
    else:
        on_own_stack(lambda: check(sources, main))


def _front(files: Mapping[str, str], main: str) -> tuple[Module, Abi]:
    program = check(_sources(files, main), main)
    return lower(program), abi_of(program)


def _sources(files: Mapping[str, str], main: str) -> dict[str, Source]:
    """Files with their paths checked: a bundle is small and its paths are names."""
    if main not in files:
        raise CompileError(main, 1, 0, "", "the bundle has no such file", "name one of its files as main")
    if len(files) > limits.FILES_MAX:
        raise CompileError(main, 1, 0, "", f"the bundle has more than {limits.FILES_MAX} files", "merge some")
    for path in files:
        parts = path.removesuffix(".py").split("/")
        if not path.endswith(".py") or not all(part.isascii() and part.isidentifier() for part in parts):
            raise CompileError(path[:64], 1, 0, "", "this is not a path of a module", "write names like lib/shares.py")
    if len({module_name(path) for path in files}) < len(files):
        raise CompileError(main, 1, 0, "", "two files of the bundle are the same module", "rename one")
    return {path: Source(path, text) for path, text in files.items()}
