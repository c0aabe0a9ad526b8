"""
`tenor program fuzz`: random programs on all three engines; what it does is in `node.fuzz`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.cli.options import Json

FOLDER = Path("fuzz-differences")


def fuzz(
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="How long.")] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal programs.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; one for each core by default.")] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where differences are written, made small.")] = FOLDER,
    replay: Annotated[Path | None, typer.Option("--replay", help="Run the case of such a file again.")] = None,
    json: Json = False,
) -> None:
    """Run random programs under CPython, in the interpreter and as WASM, and compare everything."""
    import os

    from node.fuzz import run

    if replay is not None:
        raise typer.Exit(run.replay(replay, json))
    raise typer.Exit(run.fuzz(seconds, seed, jobs or os.cpu_count() or 1, folder, json))
