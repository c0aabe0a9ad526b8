"""Keeping a fault bundle: from a line that stands where a block at hand did not come out, beside the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from execution.executor import Executor
from genesis import codec
from genesis.chain import Block
from node.consensus.words import Quorum
from node.faults.capture import Suspect
from node.faults.fault import FOLDER, Fault, write
from node.line import Line
from node.log import logger
from node.tip import Tip

Capture = Callable[[Suspect, Executor, Tip], Fault]
"""`faults.capture.capture` of a chain and a node."""

log = logger("faults")


async def keep_fault(line: Line, capture: Capture, folder: Path, block: Block, quorum: Quorum | None) -> str:
    """
    Keep what may tell why; where that is. Needs the line's turn, and no open block.

    Args:
        folder: the node's data folder.
        quorum: see `Diverge`.

    Raises:
        Unavailable: the block's parent is not here. Corrupt: the engine failed altogether.
    """
    behind = codec.encode(quorum.fields()) if quorum is not None else b""
    suspect = Suspect(block, line.refused.get(block.hash(), ""), behind)
    fault = await line.examine(block.header.parent, partial(capture, suspect))
    path = await trio.to_thread.run_sync(write, fault, folder / FOLDER)
    log.error("what may tell why is kept", height=block.header.height, file=str(path))
    return str(path)
