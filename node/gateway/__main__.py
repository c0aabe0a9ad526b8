"""
`python -m node.gateway SOCKET LIMITS`: serve until stdin closes. LIMITS: the [gateway] section as one JSON object.

Whoever started it holds its stdin, and writes a byte there once the core serves: the gateway listens from then on and
prints one JSON line, {"host": …, "port": …}. When that process dies in whatever way, the pipe closes and the gateway
ends, so that no orphan keeps the port.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from functools import partial
from pathlib import Path

import uvicorn

from genesis.errors import Unavailable
from node import collector
from node.config import GatewayConfig
from node.gateway.doorway import Doorway, HttpGuest, WebSocketGuest
from node.gateway.link import Link
from node.gateway.port import bind
from node.gateway.server import application
from node.watch.process import raise_open_files

BACKLOG = 1024
STDIN = 0
FILES_SPARE = 128
"""Open files beside the clients' connections."""


def main() -> None:
    path, limits = Path(sys.argv[1]), GatewayConfig(**json.loads(sys.argv[2]))
    if _is_started() and not os.read(STDIN, 1):
        return
    try:
        listening = bind(limits.host, limits.port)
    except Unavailable as error:
        sys.exit(str(error))
    listening.listen(BACKLOG)
    doorway = Doorway(min(limits.connections_max, raise_open_files() - FILES_SPARE))
    config = uvicorn.Config(
        application(Link(path), limits, doorway),
        loop="uvloop",
        http=partial(HttpGuest, doorway),  # type: ignore[arg-type]  # it is called like the class it makes
        ws=partial(WebSocketGuest, doorway),  # type: ignore[arg-type]
        ws_max_size=limits.body_bytes_max,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(uvicorn.Server(config), listening))


async def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    if _is_started():
        asyncio.get_running_loop().add_reader(STDIN, _stop_at_end, server)
    host, port = listening.getsockname()[:2]
    collector.settle()
    print(json.dumps({"host": host, "port": port}), flush=True)
    await server.serve(sockets=[listening])


def _is_started() -> bool:
    """By a core; started by hand it runs until it is interrupted."""
    return stat.S_ISFIFO(os.fstat(STDIN).st_mode)


def _stop_at_end(server: uvicorn.Server) -> None:
    if not os.read(STDIN, 4096):
        asyncio.get_running_loop().remove_reader(STDIN)
        server.should_exit = True


main()
