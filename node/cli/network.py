"""
`tenor network`: many validators at once, in a world of their own; what it does is in `node.simulation`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from genesis.errors import Invalid
from node.cli.options import Json

app = typer.Typer(no_args_is_help=True)


@app.command()
def simulate(
    seeds: Annotated[str, typer.Option("--seeds", help="First and last, as 0-999.")] = "0-99",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Run this one, and print what happened.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; one for each core by default.")] = None,
    json: Json = False,
) -> None:
    """
    Run validators through crashes, partitions, torn disks and lies drawn from seeds, and look for what must not be.

    Exit code 1 when a seed shows a fork, a double signature, a lost block or a chain that stops.
    """
    import os

    from node.simulation import run

    if seed is not None:
        raise typer.Exit(run.replay(seed, json))
    raise typer.Exit(run.campaign(_range(seeds), jobs or os.cpu_count() or 1, json))


@app.callback()
def network() -> None:
    """Keeps `simulate` a command of its own."""


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise Invalid(f"Seeds are first and last, as 0-999, not {text!r}.", "bad_seeds")
    return range(int(first), int(last) + 1)
