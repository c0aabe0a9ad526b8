"""
The bench of the mathematics: every function of the language against mpmath, compiled and run in WASM.

Results are computed by a program in batches, compared in processes beside it. `max_ulp` is in units of the 18th place
over results up to 10⁹ in size; `relative_log2` is the worst relative error of larger ones before rounding to the last
place, as a power of two. The square root rounds down, the others to the nearest.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from genesis.errors import Unavailable
from node.bench.desk import Desk
from node.bench.math_points import FUNCTIONS, Arguments, points
from node.engine import on_engine_stack

if TYPE_CHECKING:
    from node.bench.math_reference import Found

POINTS = 1_000_000
SEED = 1
CHUNK = 20_000
BATCH = 32

Figures = dict[str, object]


def source() -> str:
    """A program with one view for each function, of BATCH arguments at once."""
    names = [f"v{i}" for i in range(BATCH)]
    members = "".join(f"    {name}: Decimal\n" for name in names)
    imported = ", ".join(("Decimal", "Program", "Struct", "view", *FUNCTIONS))
    text = f'"""Functions in batches."""\n\nfrom execution.lang import {imported}\n'
    text += f"\n\nclass Batch(Struct):\n{members}\n\nclass Desk(Program):\n"
    for name in FUNCTIONS:
        parameters, given = "x: Batch", [f"{name}(x.{member})" for member in names]
        if name == "pow":
            parameters, given = "x: Batch, y: Batch", [f"pow(x.{member}, y.{member})" for member in names]
        lines = "".join(f"            {call},\n" for call in given)
        text += (
            f"    @view\n    def all_{name}(self, {parameters}) -> Batch:\n        return Batch(\n{lines}        )\n\n"
        )
    return text


def evaluate(desk: Desk, name: str, rows: Sequence[Arguments]) -> list[int]:
    """The function's results; the last batch is filled up with its last row."""
    filled = [*rows, *[rows[-1]] * (-len(rows) % BATCH)]
    batches = [filled[at : at + BATCH] for at in range(0, len(filled), BATCH)]
    answers = desk.ask_all(f"all_{name}", [tuple(zip(*batch, strict=True)) for batch in batches])
    results: list[int] = []
    for batch, answer in zip(batches, answers, strict=True):
        assert isinstance(answer, tuple), f"{name} refused one of {batch}: {answer}"
        results += answer
    return results[: len(rows)]


def measure(count: int = POINTS, functions: Sequence[str] = FUNCTIONS, jobs: int | None = None) -> Figures:
    """
    Errors of the functions at `count` points each.

    Raises:
        Unavailable: mpmath is not installed.
    """
    if find_spec("mpmath") is None:
        raise Unavailable("The bench of the mathematics needs mpmath: install Tenor with the extra `test`.")
    from node.bench.math_reference import compare

    started = time.perf_counter()
    desk = Desk(source())
    figures: Figures = {}
    with ProcessPoolExecutor(jobs or os.cpu_count(), get_context("spawn")) as pool:
        for name in functions:
            running = [
                pool.submit(compare, name, rows, evaluate(desk, name, rows))
                for rows in _chunks(points(name, count, SEED))
            ]
            figures[name] = _told(running)
            print(name, figures[name], file=sys.stderr)
    return {"functions": figures, "elapsed_s": round(time.perf_counter() - started, 1)}


def _chunks(rows: Iterator[Arguments]) -> Iterator[list[Arguments]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _told(running: Sequence[Future[Found]]) -> Figures:
    found = running[0].result()
    for one in running[1:]:
        found = found.joined(one.result())
    told: Figures = {"points": found.points, "max_ulp": round(found.ulp, 4)}
    if found.large:
        told |= {"large_points": found.large}
        told |= {"relative_log2": round(math.log2(found.relative), 1) if found.relative else None}
    return told


def main(as_json: bool = True, count: int = POINTS) -> int:
    """Print the figures, as one JSON object on the last line of stdout or function by function; return 0."""
    found = on_engine_stack(lambda: measure(count))
    if as_json:
        print(json.dumps(found))
        return 0
    functions = found["functions"]
    assert isinstance(functions, dict)
    for name, figures in functions.items():
        print(f"{name:10}", *(f"{key} {value}" for key, value in figures.items()))
    return 0
