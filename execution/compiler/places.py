"""
Where an instruction of the IR comes from, across the files of a bundle.

The IR knows lines, not files, and inlining moves instructions from one function into another. `located` numbers the
lines so that a line tells its file as well; meaning and WASM do not depend on lines. For profiles and bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from execution.compiler import tree
from execution.compiler.ir import Block, Function, Instruction, Module
from execution.compiler.ir_walk import with_blocks

LINES_PER_FILE = 1 << 17  # above the lines of any file, which has at most 64 KiB


@dataclass(frozen=True, slots=True)
class Place:
    """file: path in the bundle, "" for what the compiler adds. line counts from 1, 0 when there is none."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "(compiler)"


@dataclass(frozen=True, slots=True)
class Places:
    """files: in the order of their numbers."""

    files: tuple[str, ...]

    def of(self, line: int) -> Place:
        """The place of a line as `located` numbers them."""
        number, within = divmod(line, LINES_PER_FILE)
        return Place(self.files[number], within)


def located(module: Module, program: tree.Program, main: str) -> tuple[Module, Places]:
    """The module as lowered, each line numbered with its file; entries' wrappers belong to their methods."""
    sources = {function.name: function.source.file for function in program.functions}
    sources |= {f"entry.{method.name}": sources[method.function] for method in program.methods}
    files = tuple(sorted({main, *sources.values()}))
    numbers = {file: number for number, file in enumerate(files)}
    functions = tuple(_numbered(f, sources.get(f.name, main), numbers) for f in module.functions)
    return replace(module, functions=functions), Places(files)


def _numbered(function: Function, file: str, numbers: Mapping[str, int]) -> Function:
    offset = numbers[file] * LINES_PER_FILE
    return replace(function, body=_moved(function.body, offset), line=function.line + offset)


def _moved(block: Block, offset: int) -> Block:
    return tuple(_instruction(one, offset) for one in block)


def _instruction(one: Instruction, offset: int) -> Instruction:
    inner = with_blocks(one, lambda block: _moved(block, offset))
    return replace(inner, line=inner.line + offset)
