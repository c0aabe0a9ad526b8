"""
The signatures of a block's transactions: recovered here, or for blocks that come in great numbers in a process of its
own, so that neither waits for the interpreter while the other has it.

What that process answers saves work and decides nothing that this one could not: it runs the same `Batch.open`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from threading import Event, Lock

import msgpack

from genesis.chain import Body, SignedTransaction
from genesis.crypto import HASH_BYTES
from genesis.errors import Invalid
from genesis.transaction import decode_trusted
from node.log import logger
from node.signature_job import FOUND_BYTES, receive, send

WORTH = 64
"""Transactions of a block: fewer are recovered here, in as many tenths of a millisecond."""
ANSWER_S = 30.0
"""For which 300,000 transactions would be recovered: beyond it that process stands still."""
FAILURES_MAX = 3
"""After so many in one life nothing is asked of that process any more."""

Opened = Sequence[Sequence[SignedTransaction]]
"""A block's transactions with their signers, batch by batch."""

log = logger("signatures")


def with_signers(body: Body) -> Opened:
    """On a thread. Raises Invalid."""
    return [batch.open() for batch in body.batches]


class Signatures:
    """Its process starts with the first block that is worth it. To be closed."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._failures = 0
        self._closed = Event()

    def with_signers(self, body: Body) -> Opened:
        """As the function; of two threads one waits for the other. Raises Invalid."""
        raws = [raw for batch in body.batches for raw in batch.transactions]
        if len(raws) < WORTH:
            return with_signers(body)
        with self._turn:
            found = self._ask(raws)
        if found is None:
            return with_signers(body)
        rows = zip(raws, found, strict=True)
        trusted = (decode_trusted(raw, row[HASH_BYTES:], row[:HASH_BYTES]) for raw, row in rows)
        return [tuple(islice(trusted, len(batch.transactions))) for batch in body.batches]

    def close(self) -> None:
        """What is still worked on is recovered here."""
        self._closed.set()
        self._end()

    def _ask(self, raws: Sequence[bytes]) -> list[bytes] | None:
        """Id and signer of each; None if that process fails. Raises Invalid."""
        if self._closed.is_set() or self._failures >= FAILURES_MAX:
            return None
        try:
            connection = self._socket or self._start()
            send(connection, msgpack.packb(raws))
            word, *rest = msgpack.unpackb(receive(connection), use_list=False)
        except (OSError, EOFError, ValueError) as error:
            self._end()
            if not self._closed.is_set():
                self._failures += 1
                log.warning("signatures are recovered in this process: the other one failed", reason=str(error))
            return None
        if self._closed.is_set():
            self._end()  # it may have started since
        if word != "ok":
            code, message = rest
            raise Invalid(message, code)
        return [rest[0][at : at + FOUND_BYTES] for at in range(0, len(rest[0]), FOUND_BYTES)]

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(ANSWER_S)
        command = [sys.executable, "-m", "node.signature_job"]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
                )
            except OSError:
                ours.close()
                raise
        self._socket = ours
        return ours

    def _end(self) -> None:
        connection, self._socket = self._socket, None
        process, self._process = self._process, None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # a thread that waits for an answer has none now
            connection.close()
        if process is not None:
            process.kill()
            process.wait()
