"""
The console script `tenor`: the node's commands, and `tenor devnet`, which stands a floor above them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genesis.errors import Invalid
from node.cli import edge
from node.cli.app import app
from node.cli.options import Json

Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of agents and of the price model; 7 by default.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65_535, help="Of JSON-RPC, 8645 by default; 0 takes free ones.")
]
Keep = Annotated[
    Path | None,
    typer.Option("--keep", help="A folder to make and leave, with each node's log."),
]
devnet_app = typer.Typer()
app.add_typer(devnet_app, name="devnet")


def main() -> None:
    """Run the command of sys.argv."""
    edge.run(app)


@devnet_app.callback(invoke_without_command=True)
def devnet(
    context: typer.Context,
    blocks: Annotated[
        int, typer.Option("--blocks", min=0, help="End after so many and the last withdrawal's payment; 0 never ends.")
    ] = 0,
    seed: Seed = None,
    feed: Annotated[
        Path | None, typer.Option("--feed", help="Replay EURUSD ticks of this zip instead of the price model.")
    ] = None,
    speed: Annotated[
        int | None, typer.Option("--speed", min=1, help="How much faster than life the feed goes; 1000 by default.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Folder to keep, or to go on with; a temporary one otherwise.")
    ] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on with the devnet kept in this folder.")] = None,
    port: Port = None,
    validators: Annotated[
        int | None,
        typer.Option(
            "--validators", min=1, max=16, help="Nodes that certify blocks together, 4 by default; ports follow --port."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Start a chain on which agents trade: settlement, nodes, price feed, twelve agents, in one terminal."""
    if context.invoked_subcommand is not None:
        return
    from devnet.kept import Wanted, take_up
    from devnet.up import Options, main_started, run

    if keep is not None and resume is not None:
        raise Invalid("Name one folder: --keep makes a devnet there, --resume goes on with one.", "two_folders")
    folder = keep or resume
    kept = take_up(folder, Wanted(seed, feed, speed, validators, port), resume is not None)
    raise typer.Exit(run(kept, Options(blocks, folder, json), main_started()))


@devnet_app.command()
def chaos(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the faults, and of the agents.")] = 1,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="Until the last fault.")] = 1.0,
    faults: Annotated[int | None, typer.Option("--faults", min=1, help="End after so many.")] = None,
    keep: Keep = None,
    json: Json = False,
) -> None:
    """
    Kill, stop, part and skew validators under agents that trade, as a seed draws it, and check what must hold.

    Exit code 1 when roots differ, a certified receipt was lost or changed, or the books or the replay are not right.
    """
    from devnet.chaos import run

    raise typer.Exit(run(seed, minutes, faults, _new(keep), json))


@devnet_app.command()
def soak(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the agents.")] = 1,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="How long.")] = 10.0,
    rate: Annotated[float, typer.Option("--rate", min=1, help="Transfers a second.")] = 300.0,
    restart_every: Annotated[
        float, typer.Option("--restart-every", min=0, help="Seconds between restarts of whoever leads; 0 for none.")
    ] = 60.0,
    agents: Annotated[bool, typer.Option("--agents/--no-agents", help="Whether the agents trade, too.")] = False,
    json: Json = False,
) -> None:
    """Load four validators for long, restart one after another, and say how their memory and files grow."""
    from devnet.soak import run

    raise typer.Exit(run(seed, minutes, rate, restart_every, agents, json))


@devnet_app.command()
def roll(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the run.")] = 1,
    rate: Annotated[float, typer.Option("--rate", min=1, help="Transfers a second.")] = 100.0,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=4, help="How many of the four are restarted.")] = 4,
    keep: Keep = None,
    json: Json = False,
) -> None:
    """Restart four validators, or some, under load, one after another, as operators do, and check what must hold."""
    from devnet.rolling import run

    raise typer.Exit(run(seed, rate, nodes, _new(keep), json))


def _new(folder: Path | None) -> Path | None:
    """Raises Invalid when it is there already."""
    if folder is not None and folder.exists():
        raise Invalid(f"{folder} exists; name another folder or move it away.", "exists")
    return folder
