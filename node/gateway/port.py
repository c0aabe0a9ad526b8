"""The gateway's port, bound: by the gateway, and before it by the core, which asks whether it can be had."""

from __future__ import annotations

import socket
import time

from genesis.errors import Unavailable

BIND_SECONDS = 2.0
"""A gateway that is just ending still holds the port; wait for it this long."""
PAUSE_SECONDS = 0.05


def bind(host: str, port: int) -> socket.socket:
    """Does not listen yet. Raises Unavailable when something else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The gateway cannot listen on {host}:{port}: {error.strerror}; set gateway.port to a free one."
                ) from error
            time.sleep(PAUSE_SECONDS)
        else:
            return bound
