"""Sockets of this machine that nobody but their owner opens."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import trio

from genesis.errors import Invalid

SOCKET_PATH_BYTES_MAX = 100
"""Unix sockets have 108 bytes for their path."""
CONNECTING_MAX = 8


def listen(path: Path) -> trio.SocketListener:
    """
    Listen on a Unix socket of mode 0600; a file left there by a process that has ended is replaced.

    Raises:
        Invalid: "bad_config" for a path that is too long.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise Invalid(f"{path} is too long for a socket; {SOCKET_PATH_BYTES_MAX} bytes are allowed.", "bad_config")
    path.unlink(missing_ok=True)
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        plain.bind(str(path))
    finally:
        os.umask(mask)
    plain.listen(CONNECTING_MAX)
    plain.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(plain))
