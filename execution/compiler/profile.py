"""
Gas by line of the source: IR that tells, as it is interpreted, each line it comes to.

    module = lined(optimised, gas)                 # the same meaning and the same gas in all
    … interpret it with `profile.watch` …
    profile.gas                                    # {line: gas}

Each run of instructions from one line becomes a block of its own, charged by itself where WASM charges whole straight
lines in front. What is charged between two such blocks belongs to the first: pages, probes, events and what other
parts of the kernel charge for it. A callee's lines count for themselves, a call's line for the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from execution.compiler.ir import Block, CallFunction, Gas, Instruction, Invoke, Module, Scope
from execution.compiler.ir_walk import blocks, with_blocks
from execution.compiler.optimise_gas import cost
from execution.compiler.places import LINES_PER_FILE

FIRST_LABEL = 1 << 30  # above any label that `lower` gives


@dataclass(frozen=True, slots=True)
class LineGas(Gas):
    """The charge that opens a line. program: name of its module."""

    program: str = ""


def lined(module: Module, table: Mapping[str, int]) -> Module:
    """The optimised module with its lines apart; charged anew, the same in all on every path that ends well."""
    labels = count(FIRST_LABEL)
    functions = tuple(
        replace(f, body=_block(f.body, f.line, _Lining(module.name, table, labels))) for f in module.functions
    )
    return replace(module, functions=functions)


@dataclass(frozen=True, slots=True)
class _Lining:
    program: str
    table: Mapping[str, int]
    labels: Iterator[int]


def _block(block: Block, line: int, lining: _Lining) -> Block:
    """line: of what stands before, for instructions that have none."""
    made: list[Instruction] = []
    for at, group in _groups(block, line):
        amount = sum(cost(one, lining.table) for one in group)
        inner = tuple(with_blocks(one, lambda body: _block(body, at, lining)) for one in group)  # noqa: B023
        opened = (LineGas(amount, at, lining.program), *inner)
        made.append(Scope(next(lining.labels), opened, at))
    return tuple(made)


def _groups(block: Block, line: int) -> Iterator[tuple[int, list[Instruction]]]:
    """Instructions of one line that run in one go; what has inner blocks or calls ends its group."""
    group: list[Instruction] = []
    for one in block:
        if isinstance(one, Gas):
            continue
        within = one.line % LINES_PER_FILE
        if within and one.line != line:
            if group:
                yield line, group
            line, group = one.line, []
        group.append(one)
        if blocks(one) or isinstance(one, (CallFunction, Invoke)):
            yield line, group
            group = []
    if group:
        yield line, group


@dataclass(slots=True)
class Profile:
    """
    left: the gas that is left now, over all caps. gas: by (program, line). times: how often each line was come to.

    on: whether anything is noted. last: the line come to last.
    """

    left: Callable[[], int]
    gas: dict[tuple[str, int], int] = field(default_factory=dict)
    times: dict[tuple[str, int], int] = field(default_factory=dict)
    on: bool = True
    last: tuple[str, int] | None = None
    _at: tuple[str, int] | None = None
    _before: int = 0

    def watch(self, block: Block) -> list[int]:
        """For the interpreter: a cell that is written to when the block is entered."""
        first = block[0]
        return _Cell(self, (first.program, first.line)) if isinstance(first, LineGas) else [0]

    def come(self, line: tuple[str, int] | None) -> None:
        """Execution comes to a line; None: it leaves programs."""
        if not self.on:
            return
        left = self.left()
        self.last = line or self.last
        if self._at is not None:
            self.gas[self._at] = self.gas.get(self._at, 0) + self._before - left
        if line is not None:
            self.times[line] = self.times.get(line, 0) + 1
        self._at, self._before = line, left

    def clear(self) -> None:
        """Begin anew."""
        self.gas.clear()
        self.times.clear()
        self._at = self.last = None


class _Cell(list[int]):
    """Looks like a counter, tells the profile."""

    def __init__(self, profile: Profile, line: tuple[str, int]) -> None:
        super().__init__([0])
        self._profile, self._line = profile, line

    def __setitem__(self, index: object, value: object) -> None:
        self._profile.come(self._line)
