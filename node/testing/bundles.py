"""
A program's source, loaded for both engines: compiled once, and imported once with the language's arithmetic.

What fails to compile fails alike whichever engine a test asks for. Files from disk keep their paths, so tracebacks,
pdb and coverage point into the author's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from execution.compiler import Artifact, compile_bundle
from execution.compiler.names import module_name
from execution.compiler.standard import PACKAGE, source_of
from execution.lang.instrument import Bundle
from execution.lang.program import Program
from execution.lang.struct import Event, kinds_of
from genesis.errors import Invalid
from genesis.gas import GAS_TABLE
from node.bundle import read_bundle

GAS: Mapping[str, int] = dict(GAS_TABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """files: path in the bundle → text. folder: where they lie on disk, None for text that lies nowhere."""

    files: tuple[tuple[str, str], ...]
    main: str
    folder: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Files on disk, in order."""
        return () if self.folder is None else tuple(self.folder / path for path, _ in self.files)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A program ready to be deployed: compiled, and as a class."""

    source: Source
    artifact: Artifact
    cls: type[Program]
    bundle: Bundle

    def event(self, number: int) -> type[Event]:
        """The class of the event with that number in the ABI; other modules may have one of that name, too."""
        kind = self.artifact.abi.events[number]
        name, members = kind.name, [member for member, _ in kind.fields]
        for module in reversed(self.bundle.modules()):  # the program's own is loaded last
            found = vars(module).get(name)
            if isinstance(found, type) and issubclass(found, Event) and list(kinds_of(found)) == members:
                return found
        raise Invalid(f"{self.artifact.name} emits {name}, which none of its modules defines.", "does_not_compile")


def load_path(path: Path) -> Loaded:
    """
    The program in a file, with the files beside it that it imports.

    Raises:
        Invalid: the file cannot be read, or its source does not compile.
    """
    files, main = read_bundle(path)
    return _load(tuple(files.items()), main, path.parent.resolve())


def load_text(text: str, main: str = "program.py") -> Loaded:
    """A program of one file that lies nowhere on disk."""
    return _load(((main, text),), main, None)


def load_standard(name: str) -> Loaded:
    """A standard program, by its module in execution.programs."""
    text = source_of(f"{PACKAGE}.{name}")
    assert text is not None, f"{name} is part of Tenor"
    path = f"{PACKAGE.replace('.', '/')}/{name}.py"
    return _load(((path, text),), path, None)


@lru_cache(maxsize=64)
def _load(files: tuple[tuple[str, str], ...], main: str, folder: Path | None) -> Loaded:
    artifact = compile_bundle(dict(files), main, GAS)
    shown = {} if folder is None else {module_name(path): str(folder / path) for path, _ in files}
    bundle = Bundle({module_name(path): text for path, text in files}, files=shown)
    cls: Any = vars(bundle.load(module_name(main)))[artifact.name]
    return Loaded(Source(files, main, folder), artifact, cls, bundle)
