"""
Recovers the signatures of blocks in a process of its own: `python -m node.signature_job`, a socket as its stdin.

Request and answer are four bytes of length, then msgpack. Request: transactions' wire bytes; answer: ["ok", id and
signer of each, one after the other], or ["invalid", code, message] of the first that is none. It ends with the socket.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

import msgpack

from genesis.crypto import ADDRESS_BYTES, HASH_BYTES
from genesis.errors import Invalid
from genesis.transaction import decode

FOUND_BYTES = HASH_BYTES + ADDRESS_BYTES
_LENGTH = struct.Struct(">I")


def send(to: socket.socket, message: bytes) -> None:
    """Raises OSError."""
    to.sendall(_LENGTH.pack(len(message)) + message)


def receive(of: socket.socket) -> bytes:
    """Raises OSError, or EOFError when there is no more."""
    (size,) = _LENGTH.unpack(_exactly(of, _LENGTH.size))
    return _exactly(of, size)


def _exactly(of: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, had = memoryview(data), 0
    while had < size:
        came = of.recv_into(view[had:])
        if not came:
            raise EOFError("it has ended")
        had += came
    return bytes(data)


def _answer(raws: Sequence[bytes]) -> tuple[str | bytes, ...]:
    try:
        found = [decode(raw) for raw in raws]
    except Invalid as error:
        return "invalid", error.code, str(error)
    return "ok", b"".join(signed.id + signed.signer for signed in found)


def main() -> None:
    with socket.socket(fileno=0) as node, suppress(EOFError, ConnectionError):
        while True:
            raws = msgpack.unpackb(receive(node), use_list=False)
            send(node, msgpack.packb(_answer(raws)))


if __name__ == "__main__":
    main()
