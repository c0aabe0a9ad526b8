"""What the devnet proves at its end: a node's blocks replayed from genesis in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import trio

from genesis.errors import Unavailable


async def audited(folder: Path) -> dict[str, Any]:
    """The audit's report, of a node's folder; the node has ended. Raises Unavailable when it says nothing."""
    command = [sys.executable, "-m", "node.audit", str(folder), "--json"]
    done = await trio.run_process(command, capture_stdout=True, check=False, stdin=subprocess.DEVNULL)
    lines = done.stdout.decode().splitlines()
    if not lines:
        raise Unavailable(f"The audit ended with code {done.returncode} and said nothing; its log above says why.")
    report: dict[str, Any] = json.loads(lines[-1])
    return report
