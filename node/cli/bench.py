"""
`tenor bench`: measurements that end by themselves; what they are is in `node.bench`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from node.cli.options import Json

app = typer.Typer(no_args_is_help=True)


@app.command()
def engine(json: Json = False) -> None:
    """Orders per second of the engine alone, on one core."""
    raise typer.Exit(import_module("node.bench.engine").main(json))


@app.command()
def language(json: Json = False) -> None:
    """Nanoseconds of an operation of the language, in WASM, on one core: decimals, containers, option prices."""
    raise typer.Exit(import_module("node.bench.language").main(json))


@app.command()
def gas(json: Json = False) -> None:
    """Nanoseconds of a unit of gas, for every operation and way of using a container: worst, median, their ratio."""
    raise typer.Exit(import_module("node.bench.gas").main(json))


@app.command("math")
def math_(
    json: Json = False,
    points: Annotated[
        int, typer.Option("--points", min=1, help="Arguments of each function, edges first.")
    ] = 1_000_000,
) -> None:
    """Errors of the language's exp, ln, pow, norm_cdf … against mpmath, in WASM. Minutes; needs the extra `test`."""
    raise typer.Exit(import_module("node.bench.math").main(json, points))


@app.command("node")
def node_(json: Json = False) -> None:
    """Signed transactions per second through a whole node, over WebSocket."""
    raise typer.Exit(import_module("node.bench.node").main(json))


@app.command()
def reads(json: Json = False) -> None:
    """Thousands of view calls a second beside trading on a whole node: how much later orders are included."""
    raise typer.Exit(import_module("node.bench.reads").main(json))


@app.command()
def idle(json: Json = False) -> None:
    """Ten thousand idle connections at the gateway and at the network's port: what honest clients feel of them."""
    raise typer.Exit(import_module("node.bench.idle").main(json))


@app.command()
def storm(json: Json = False) -> None:
    """Thousands of hooks due in one block and of levels crossed by one price, on a whole node: how long blocks get."""
    raise typer.Exit(import_module("node.bench.storm").main(json))


@app.command()
def p2p(json: Json = False) -> None:
    """Round trips, rates and CPU of the network over TCP between processes, idle too; time after a SIGKILL."""
    raise typer.Exit(import_module("node.bench.p2p").main(json))


@app.command()
def sync(json: Json = False) -> None:
    """A node 100,000 orders behind: level by running them, by snapshot; a restart with a million accounts. Minutes."""
    raise typer.Exit(import_module("node.bench.sync").main(json))


@app.command()
def network(
    kills: Annotated[int, typer.Option(min=0, max=1_000, help="Times the leader is killed.")] = 30,
    seconds: Annotated[int, typer.Option(min=5, max=3_600, help="Of load before the first.")] = 20,
    validators: Annotated[int, typer.Option(min=4, max=16)] = 4,
    json: Json = False,
) -> None:
    """Four validators as processes: time to a certificate under load, to a new leader, back to voting; idle CPU."""
    raise typer.Exit(import_module("node.bench.validators").main(kills, seconds, validators, json))
