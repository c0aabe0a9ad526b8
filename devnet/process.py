"""
The devnet's nodes: processes like any operator's, started again when one dies.

The first time they are forks of this process, which has imported what they need, and so are quick to start; whoever is
started again is `tenor node run`, as on any machine.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path

import trio

from genesis.errors import Unavailable
from node.cli import edge
from node.cli.nodes import run_configured

STOP_S = 20.0
RESTART_S = 0.2
RESTARTS_MAX = 100
POLL_S = 0.02


class NodeProcess:
    """pid and restarts are for those who watch; `run` keeps the process alive until `stop`."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._forked: ForkProcess | None = None
        self._process: trio.Process | None = None
        self._ending = False
        self.restarts = 0

    @property
    def folder(self) -> Path:
        return self._config.parent

    @property
    def pid(self) -> int | None:
        alive = self._forked or self._process
        return alive.pid if alive else None

    def fork(self) -> None:
        """Start it as a fork of this process, which must not have begun threads or trio."""
        threads = len(list(Path("/proc/self/task").iterdir()))
        assert threads == 1, f"{threads} threads: what another one holds would be held for ever in a fork"
        self._forked = multiprocessing.get_context("fork").Process(target=_run_node, args=(self._config,))
        self._forked.start()

    async def run(self) -> None:
        """Raises Unavailable when it ends too often, or at once."""
        while not self._ended():
            code = await self._wait_forked() if self._forked else await self._run_once()
            if self._ended():
                return
            self.restarts += 1
            if code > 0 or self.restarts > RESTARTS_MAX:
                raise Unavailable(f"The node ended by itself with code {code}; its log above says why.")
            await trio.sleep(RESTART_S)

    async def _wait_forked(self) -> int:
        assert self._forked is not None
        await trio.lowlevel.wait_readable(self._forked.sentinel)
        self._forked.join()
        code, self._forked = self._forked.exitcode, None
        assert code is not None, "it has ended"
        return code

    async def _run_once(self) -> int:
        command = [sys.executable, "-m", "node.cli", "node", "run", "--config", str(self._config)]
        self._process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
        return await self._process.wait()

    def _ended(self) -> bool:
        return self._ending

    async def stop(self) -> None:
        """Let it seal its block and leave; kill it when it does not."""
        self._ending = True
        with trio.move_on_after(STOP_S):
            await self._end(signal.SIGTERM)
            return
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        if (forked := self._forked) is not None and forked.pid is not None:
            os.kill(forked.pid, how)
            while forked.is_alive():
                await trio.sleep(POLL_S)
        elif self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()


def fork_nodes(configs: Sequence[Path]) -> list[NodeProcess]:
    """Start all of them, before this process begins trio; several need the network's libraries, too."""
    if len(configs) > 1:
        importlib.import_module("p2p.libp2p")
    nodes = [NodeProcess(config) for config in configs]
    for node in nodes:
        node.fork()
    return nodes


def _run_node(config: Path) -> None:
    """In the fork: `tenor node run --config`, its result on stderr."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.exit(edge.guarded(lambda: run_configured(config, {}, json=False)))
