"""Where a node stands, in sentences: the status page and `tenor node status` say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MIB = 1 << 20
CORE_SILENT = "The core does not answer: it is starting, or has stopped. Its log says why."


def sentences(consensus: Mapping[str, Any]) -> list[str]:
    """
    Whether the node votes, if not why and what to do, what its key waits for before it enters the set, how it comes
    level, and what it waits for.

    Args:
        consensus: as `tenor_getConsensus` answers.
    """
    votes = ["This node votes."]
    if consensus["why"]:
        votes = [f"This node does not vote: {consensus['why']}.", f"What to do: {consensus['remedy']}"]
    if entering := consensus.get("entering"):
        votes.append(f"Registered, waiting to enter: {entering}.")
    if burden := consensus.get("burden"):
        votes.append(f"It leaves leading to others: {burden}.")
    sync = consensus.get("sync", {"phase": "level"})
    if lacks := catching_up(sync):
        votes.append(lacks)
    return votes if sync["phase"] in ("replays", "snapshot") else [*votes, _stands(consensus)]


def catching_up(sync: Mapping[str, Any]) -> str:
    """How a node comes level, "" of one that is. sync: as in `tenor_getConsensus`."""
    if sync["phase"] == "level":
        return ""
    lied = f"; {sync['lies']} lied" if sync["lies"] else ""
    speed = f"{sync['bytes_per_s'] / MIB:.1f} MiB/s from {sync['peers']} nodes{lied}."
    if sync["phase"] == "snapshot":
        return f"It takes a snapshot: {sync['pieces']} of {sync['pieces_total']} pieces are here, {speed}"
    if sync["phase"] == "replays":
        return "It runs its own blocks again."
    return f"It runs the blocks it lacks, from {sync['height']} to {sync['target']} at least, {speed}"


def _stands(consensus: Mapping[str, Any]) -> str:
    height, view, waits = consensus["certified_height"], consensus["view"], consensus["waits_for"]
    leads = ""
    if leader := consensus["leader"]:
        leads = f"in view {view} {'this node' if leader == consensus['validator'] else _hex(leader)} leads, and "
    away = [_hex(one["address"]) for one in consensus["validators"] if not one["connected"]]
    missing = f" Not connected: {', '.join(away)}." if away else ""
    return f"Block {height} is certified; {leads}this node waits for {waits}.{missing}"


def _hex(address: bytes | str) -> str:
    return address if isinstance(address, str) else f"0x{address.hex()}"
