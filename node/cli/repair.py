"""
`tenor node repair`: a stopped node's damaged store made good, as far as what it holds is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.cli.edge import progress, show
from node.cli.options import Json

EVERY_BLOCKS = 100


def repair(
    folder: Annotated[Path, typer.Argument(help="Folder of a node: where its node.toml is, or its data.")],
    chain: Annotated[str, typer.Option(help="Preset or specification, when the folder has no node.toml.")] = "devnet",
    json: Json = False,
) -> None:
    """
    Keep what is whole of a stopped node's store and drop the rest, which other validators have.

    Every block kept is checked and run again. Needs as much free disk as the store takes; the damaged one stays beside
    it, until you remove it. A sound store is left as it is.
    """
    from node.audit import located
    from node.engine import on_engine_stack
    from node.repair import repair as make_good

    def tell(height: int, last: int) -> None:
        if height % EVERY_BLOCKS == 0 or height == last:
            progress(f"checked {height} of {last} blocks")

    data, spec = located(folder, chain)
    done = on_engine_stack(lambda: make_good(data, spec, tell))
    show(
        {
            "damage": [str(one) for one in done.damage],
            "lost": done.lost,
            "blocks_before": done.before,
            "blocks_kept": done.after,
            "checkpoint": done.checkpoint,
            "votes_kept": done.votes,
            "open_block_kept": done.open_block,
            "damaged_store": done.aside,
        },
        json,
    )
    if done.aside is None:
        progress("nothing is wrong with this store")
    else:
        progress("start the node: what is missing it fetches from other validators, before it votes")
