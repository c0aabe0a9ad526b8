"""
The devnet's nodes: processes like any operator's, started again when one dies. They leave when the devnet ends,
however it ends.

The first time they are forks of this process, which has imported what they need, and so are quick to start; whoever is
started again is `tenor node run`, as on any machine.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path

import trio

from genesis.errors import Unavailable
from node.cli import edge
from node.cli.nodes import run_configured
from node.leash import Leash, leash

STOP_S = 20.0
RESTART_S = 0.2
RESTARTS_MAX = 100
POLL_S = 0.02


class NodeProcess:
    """pid and restarts are for those who watch; `run` keeps the process alive until `stop`."""

    def __init__(
        self,
        config: Path,
        flags: Mapping[str, str] | None = None,
        restarts_max: int = RESTARTS_MAX,
        log: Path | None = None,
    ) -> None:
        """flags: keys of the configuration, instead of what the file says. log: where it writes, else to stderr."""
        self._config, self._flags, self._restarts_max = config, flags or {}, restarts_max
        self._log = log
        self._forked: ForkProcess | None = None
        self._process: trio.Process | None = None
        self._ending = False
        self._held = False
        self.restarts = 0
        self.clock_ms = 0
        """How far the clock of the next start is ahead of this machine's."""

    @property
    def folder(self) -> Path:
        return self._config.parent

    @property
    def pid(self) -> int | None:
        """Of the process that runs, None between two."""
        if self._forked is not None:
            return self._forked.pid
        return self._process.pid if self._process and self._process.returncode is None else None

    def fork(self) -> None:
        """Start it as a fork of this process, which must not have begun threads or trio."""
        threads = len(list(Path("/proc/self/task").iterdir()))
        assert threads == 1, f"{threads} threads: what another one holds would be held for ever in a fork"
        fork = multiprocessing.get_context("fork").Process
        run_it = fork(target=_run_node, args=(self._config, self._flags, self._log, leash()), daemon=True)
        self._forked = run_it
        run_it.start()

    async def run(self) -> None:
        """Raises Unavailable when it ends too often, or at once."""
        while not self._ended():
            code = await self._wait_forked() if self._forked else await self._run_once()
            if self._ended():
                return
            self.restarts += 1
            if code > 0 or self.restarts > self._restarts_max:
                raise Unavailable(f"The node ended by itself with code {code}; its log says why.")
            await trio.sleep(RESTART_S)
            while self._held and not self._ended():
                await trio.sleep(POLL_S)

    def send(self, how: signal.Signals) -> None:
        """A signal for the process, if there is one."""
        if self.pid is not None:
            os.kill(self.pid, how)

    def hold(self, held: bool) -> None:
        """Whether it stays away once it has ended."""
        self._held = held

    async def restart(self) -> float:
        """Ask it to leave, and return once its next life has begun; how many seconds it took to leave."""
        lives, asked_s = self.restarts, trio.current_time()
        self.send(signal.SIGTERM)
        while self.restarts == lives:
            await trio.sleep(POLL_S)
        left_s = trio.current_time() - asked_s
        while self.pid is None:
            await trio.sleep(POLL_S)
        return left_s

    async def _wait_forked(self) -> int:
        assert self._forked is not None
        await trio.lowlevel.wait_readable(self._forked.sentinel)
        self._forked.join()
        code, self._forked = self._forked.exitcode, None
        assert code is not None, "it has ended"
        return code

    async def _run_once(self) -> int:
        module = ["node.cli"] if not self.clock_ms else ["devnet.skewed", str(self.clock_ms)]
        flags = [word for name, value in self._flags.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-m", *module, "node", "run", "--config", str(self._config), *flags]
        with _written_to(self._log) as out:
            self._process = await trio.lowlevel.open_process(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, process_group=0, **leash().process_options()
            )
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
    """Nodes, started before this process begins trio."""
    nodes = [NodeProcess(config) for config in configs]
    fork_all(nodes)
    return nodes


def fork_all(nodes: Sequence[NodeProcess]) -> None:
    """Start all of them. What they would import is imported once, and shared as long as nobody writes to it."""
    importlib.import_module("node.app")
    if len(nodes) > 1:
        importlib.import_module("p2p.libp2p")
    gc.freeze()
    for node in nodes:
        node.fork()


@asynccontextmanager
async def running(nodes: Sequence[NodeProcess]) -> AsyncIterator[trio.Nursery]:
    """Keep the nodes alive beside what else the nursery is given; at the end all of it stops."""
    try:
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(node.run)
            yield nursery
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await stop_all(nodes)


async def stop_all(nodes: Sequence[NodeProcess]) -> None:
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.stop)


@contextmanager
def _written_to(log: Path | None) -> Iterator[int]:
    """What a node's stdout and stderr go to: a file, appended to, or this process's stderr."""
    if log is None:
        yield sys.stderr.fileno()
        return
    with log.open("ab") as file:
        yield file.fileno()


def _run_node(config: Path, flags: Mapping[str, str], log: Path | None, leash: Leash) -> None:
    """
    In the fork: `tenor node run --config`, its result with its log. A process group of its own: Ctrl-C in a terminal
    is for the devnet, which asks its nodes to leave.
    """
    os.setpgid(0, 0)
    leash.put_on()
    with _written_to(log) as out:
        for own in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(out, own)
    sys.exit(edge.guarded(lambda: run_configured(config, flags, json=False)))
