"""
The compiler: a bundle of source files becomes a WASM module and its ABI, in the stages accept → check → lower →
optimise → write.

Pure: the same files and gas table give the same bytes. It reads programs as text and never runs them. Every refusal is
a `CompileError` (an Invalid), located in the source. What comes after check is imported by the functions that need it:
checking alone starts in half the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from execution.compiler import limits, tree
from execution.compiler.abi import Abi, abi_of
from execution.compiler.accept import on_own_stack
from execution.compiler.artifact import Artifact, source_hash
from execution.compiler.check import check, check_library
from execution.compiler.errors import CompileError, Source, TooLarge
from execution.compiler.names import module_name
from genesis.errors import Invalid

if TYPE_CHECKING:
    from execution.compiler.ir import Module
    from execution.compiler.places import Places

__all__ = ["Abi", "Artifact", "CompileError", "check_bundle", "compile_bundle", "compile_ir", "locate_ir"]


def compile_bundle(files: Mapping[str, str], main: str, gas: Mapping[str, int] | None = None) -> Artifact:
    """
    Compile the program in file `main` of a bundle.

    Args:
        files: path ("bank.py", "lib/shares.py") → text.
        main: path of the file that defines the program.
        gas: the chain's gas table; None for the default one.

    Raises:
        CompileError: the source is refused, with its place.
    """

    from execution.compiler.gas import GAS
    from execution.compiler.ir_text import show
    from execution.compiler.lower import lower
    from execution.compiler.optimise import optimise
    from execution.compiler.write import write

    table = GAS if gas is None else gas

    def work() -> Artifact:
        sources = _sources(files, main)
        program = check(sources, main)
        try:
            optimised = optimise(lower(program), table)
            wasm = write(optimised, table)
        except TooLarge as error:
            raise _located(error, program, sources[main]) from None
        abi = _abi(program, sources[main])
        ir_hash = hashlib.sha256(show(optimised).encode()).digest()
        return Artifact(abi.name, source_hash(files, main), ir_hash, wasm, abi)

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


def locate_ir(files: Mapping[str, str], main: str) -> tuple[Module, Places, Abi]:
    """As `compile_ir`, its lines numbered so that each tells its file, too."""

    def work() -> tuple[Module, Places, Abi]:
        from execution.compiler.places import located

        sources = _sources(files, main)
        program = check(sources, main)
        return *located(_lowered(program, sources[main]), program, main), _abi(program, sources[main])

    return on_own_stack(work)


def _front(files: Mapping[str, str], main: str) -> tuple[Module, Abi]:
    sources = _sources(files, main)
    program = check(sources, main)
    return _lowered(program, sources[main]), _abi(program, sources[main])


def _lowered(program: tree.Program, main: Source) -> Module:
    from execution.compiler.lower import lower

    try:
        return lower(program)
    except TooLarge as error:
        raise _located(error, program, main) from None


def _abi(program: tree.Program, main: Source) -> Abi:
    """The program's ABI, in which every type has its own name."""
    abi = abi_of(program)
    try:
        abi.text()
    except Invalid as error:
        raise main.whole(str(error), "rename one of them") from None
    return abi


def _located(error: TooLarge, program: tree.Program, main: Source) -> CompileError:
    """The error at its line of the file in which the function stands; a wrapper's at its method."""
    methods = {f"entry.{method.name}": method.function for method in program.methods}
    name = methods.get(error.function, error.function)
    found = [function.source for function in program.functions if function.name == name]
    return (found[0] if found else main).on_line(error.line, error.wrong, error.instead)


def _sources(files: Mapping[str, str], main: str) -> dict[str, Source]:
    """Files with their paths checked: a bundle is small and its paths are names."""
    if main not in files:
        raise CompileError(main, 1, 0, "", "the bundle has no such file", "name one of its files as main")
    if len(files) > limits.FILES_MAX:
        raise CompileError(main, 1, 0, "", f"the bundle has more than {limits.FILES_MAX} files", "merge some")
    if sum(map(len, files.values())) > limits.BUNDLE_BYTES_MAX:
        wrong = f"the bundle is longer than {limits.BUNDLE_BYTES_MAX} bytes"
        raise CompileError(main, 1, 0, "", wrong, "leave out what the program does not use")
    for path in files:
        parts = path.removesuffix(".py").split("/")
        named = path.endswith(".py") and all(part.isascii() and part.isidentifier() for part in parts)
        if not named or len(path) > limits.PATH_CHARACTERS_MAX:
            shown = ascii(path[:64])[1:-1]
            raise CompileError(shown, 1, 0, "", "this is not a path of a module", "write names like lib/shares.py")
    if len({module_name(path) for path in files}) < len(files):
        raise CompileError(main, 1, 0, "", "two files of the bundle are the same module", "rename one")
    return {path: Source(path, text) for path, text in files.items()}
