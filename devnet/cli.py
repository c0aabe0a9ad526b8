"""
The console script `tenor`: the node's commands, and `tenor devnet`, which stands a floor above them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.cli import edge
from node.cli.app import app
from node.cli.options import Json
from node.config import DEFAULT_PORT


def main() -> None:
    """Run the command of sys.argv."""
    edge.run(app)


@app.command()
def devnet(
    blocks: Annotated[
        int, typer.Option("--blocks", min=0, help="End after so many and the last withdrawal's payment; 0 never ends.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of agents and of the price model.")] = 7,
    feed: Annotated[
        Path | None, typer.Option("--feed", help="Replay EURUSD ticks of this zip instead of the price model.")
    ] = None,
    speed: Annotated[int, typer.Option("--speed", min=1, help="How much faster than life the feed goes.")] = 1_000,
    keep: Annotated[Path | None, typer.Option("--keep", help="Folder to keep; a temporary one otherwise.")] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Of JSON-RPC; 0 takes a free one.")
    ] = DEFAULT_PORT,
    validators: Annotated[
        int,
        typer.Option("--validators", min=1, max=16, help="Nodes that certify blocks together; ports follow --port."),
    ] = 1,
    json: Json = False,
) -> None:
    """Start a chain on which agents trade: settlement, nodes, price feed, twelve agents, in one terminal."""
    from devnet.up import Options, main_started, run

    options = Options(
        blocks=blocks, seed=seed, feed=feed, speed=speed, keep=keep, port=port, json=json, validators=validators
    )
    raise typer.Exit(run(options, main_started()))
