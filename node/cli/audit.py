"""
`tenor audit`: everything a stopped node has stored, run again from genesis and counted.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from node.cli.edge import FAILED, progress, show
from node.cli.options import Json

EVERY_BLOCKS = 100


def audit(
    folder: Annotated[Path, typer.Argument(help="Folder of a node: where its node.toml is, or its data.")],
    chain: Annotated[str, typer.Option(help="Preset or specification, when the folder has no node.toml.")] = "devnet",
    json: Json = False,
) -> None:
    """
    Replay a node's blocks from genesis and check roots, receipts, signatures and conservation at every block.

    The node must be stopped: one process at a time opens its store. Exit code 1 when a check fails.
    """
    from node.audit import audit as run_audit
    from node.audit import located

    def tell(height: int, last: int) -> None:
        if height % EVERY_BLOCKS == 0 or height == last:
            progress(f"replayed {height} of {last} blocks")

    report = run_audit(*located(folder, chain), tell)
    show(asdict(report), json)
    if not report.passed:
        progress(f"error: the audit failed: {report.first_difference}")
        raise typer.Exit(FAILED)
