"""
The door to whatever runs the kernel and the programs: WASM instances, or mirrors of them under CPython.

Program 0 is the kernel. Memories are named as the kernel exports them; a program has "state" and "marks". A host
keeps no meaning: what the bytes say is the business of `chain` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Trapped(Exception):
    """WASM trapped while the kernel ran; memories keep what was written, `recover` undoes it."""


@dataclass(frozen=True, slots=True)
class Code:
    """
    What is needed to run a program.

    wasm: the module. entries: selector (4 bytes) → argument words, result words. withdrawn: number of the event that
    tells of a burnt withdrawal, or None. reasons: texts it may reject with. layout_hash, source_hash: 32 bytes each.
    """

    name: str
    wasm: bytes
    code_hash: bytes
    abi_json: str
    entries: Mapping[bytes, tuple[int, int]]
    reasons: tuple[str, ...] = ()
    withdrawn: int | None = None
    layout_hash: bytes = bytes(32)
    source_hash: bytes = bytes(32)


class Host(Protocol):
    @property
    def kernel(self) -> bytes:
        """WASM of the kernel that runs: a chain keeps it, as it keeps its programs'."""

    @property
    def kernel_hash(self) -> bytes:
        """Code hash of the kernel, in its leaf of the state tree."""

    def call(self, name: str, *arguments: int) -> int:
        """
        Call a function the kernel exports; 0 for one without a result. Raises Trapped, or Corrupt for a lost stack.
        """

    def add(self, code: Code) -> int:
        """Instantiate a program, write its record page, enter it into the tables; return its number, counted from 1."""

    def replace(self, number: int, code: Code) -> object:
        """
        Put an instance of another code under a program's number, with its memory as it is; nothing runs.

        Returns:
            The one before, for `reinstate`.
        """

    def reinstate(self, number: int, before: object) -> None:
        """Put an instance back that `replace` gave; what was written to the other is lost."""

    def drop(self, count: int) -> None:
        """Forget the programs numbered `count` and above."""

    def read(self, program: int, memory: str, offset: int, size: int) -> bytes: ...

    def state(self, program: int) -> memoryview:
        """A program's state memory, to take slices of now; only pages that were ever written."""

    def write(self, program: int, memory: str, offset: int, data: bytes) -> None:
        """Put bytes in place; the memory grows when they lie behind its end."""
