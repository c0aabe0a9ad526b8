"""
`tenor bench`: measurements that end by themselves; what they are is in `node.bench`.
"""

from __future__ import annotations

from importlib import import_module

import typer

from node.cli.options import Json

app = typer.Typer(no_args_is_help=True)


@app.command()
def engine(json: Json = False) -> None:
    """Orders per second of the engine alone, on one core."""
    raise typer.Exit(import_module("node.bench.engine").main(json))


@app.command("node")
def node_(json: Json = False) -> None:
    """Signed transactions per second through a whole node, over WebSocket."""
    raise typer.Exit(import_module("node.bench.node").main(json))
