"""
Starts the gateway process and keeps it running; trio.

The core outlives its gateway: when that process dies it is started again on the same port, with a growing pause. Its
stdin is a pipe held here, whose end tells it to stop, so it never outlives the core.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import trio

from genesis.errors import Unavailable
from node.config import GatewayConfig
from node.gateway.port import bind
from node.log import logger

PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 10.0
END_SECONDS = 3.0

_log = logger("gateway")


async def run_gateway(
    config: GatewayConfig,
    path: Path,
    served: trio.Event | None = None,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """
    Run until cancelled; started with the port once the gateway listens.

    Args:
        path: the core's socket.
        served: set once that is served; until then the process gets ready. None: it is.

    Raises:
        Unavailable: the first start fails; the port is taken, for example.
    """
    port = 0
    pause = PAUSE_SECONDS
    while True:
        async with _Running(config, path) as process:
            if served is not None:
                await served.wait()
            listening = await _port(process)
            if listening is None and port == 0:
                raise Unavailable(f"The gateway did not start on {config.host}:{config.port}; its log says why.")
            if listening is not None:
                pause = PAUSE_SECONDS
            if listening is not None and port == 0:
                port = listening
                config = replace(config, port=port)
                task_status.started(port)
            code = await process.wait()
        _log.warning("gateway ended; starting it again", code=code, pause_seconds=pause)
        await trio.sleep(pause)
        pause = min(2 * pause, PAUSE_SECONDS_MAX)


class Gateway:
    """The gateway of a core that is still coming up: `run` gets it ready meanwhile, `listen` opens it to the world."""

    def __init__(self, config: GatewayConfig, path: Path) -> None:
        self._config, self._path = config, path
        self._served, self._scope = trio.Event(), trio.CancelScope()
        self._tell, self._told = trio.open_memory_channel[int](1)

    async def check_port(self) -> None:
        """Raise Unavailable when the port is taken: to be known before anything is done."""
        (await trio.to_thread.run_sync(bind, self._config.host, self._config.port)).close()

    async def run(self) -> None:
        """Until `stop` or cancelled. Raises as `run_gateway`."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                port: int = await nursery.start(run_gateway, self._config, self._path, self._served)
                self._tell.send_nowait(port)

    async def listen(self) -> int:
        """The core's socket is served: let it listen; its port."""
        self._served.set()
        return await self._told.receive()

    def stop(self) -> None:
        self._scope.cancel()


class _Running:
    """The process, ended politely (its stdin closes) and then firmly when the block is left."""

    def __init__(self, config: GatewayConfig, path: Path) -> None:
        self._command = [sys.executable, "-m", "node.gateway", str(path), json.dumps(asdict(config))]

    async def __aenter__(self) -> trio.Process:
        self._process = await trio.lowlevel.open_process(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        return self._process

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        with trio.CancelScope(shield=True):
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.aclose()
            with trio.move_on_after(END_SECONDS):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await process.stdout.aclose()


async def _port(process: trio.Process) -> int | None:
    """Let the process listen; the port in its first line, None when it ends before."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(trio.BrokenResourceError):
        await process.stdin.send_all(b"\n")
    line = b""
    while not line.endswith(b"\n"):
        data = await process.stdout.receive_some()
        if not data:
            return None
        line += data
    return int(json.loads(line)["port"])
