"""
The devnet's nodes: processes like any operator's, started again when one dies.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import trio

from genesis.errors import Unavailable

STOP_S = 20.0
RESTART_S = 0.2
RESTARTS_MAX = 100


class NodeProcess:
    """pid and restarts are for those who watch; `run` keeps the process alive until `stop`."""

    def __init__(self, config: Path) -> None:
        self._command = [sys.executable, "-m", "node.cli", "node", "run", "--config", str(config)]
        self._process: trio.Process | None = None
        self._ending = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Raises Unavailable when it ends too often, or at once."""
        while not self._ended():
            self._process = await trio.lowlevel.open_process(
                self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno()
            )
            code = await self._process.wait()
            if self._ended():
                return
            self.restarts += 1
            if code > 0 or self.restarts > RESTARTS_MAX:
                raise Unavailable(f"The node ended by itself with code {code}; its log above says why.")
            await trio.sleep(RESTART_S)

    def _ended(self) -> bool:
        return self._ending

    async def stop(self) -> None:
        """Let it seal its block and leave; kill it when it does not."""
        self._ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
