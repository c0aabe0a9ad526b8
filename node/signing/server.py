"""
The signer's process: words of one chain's consensus in, signatures out, after its own guard has synced them.

Whoever asks must be of the same user as this process. One word at a time: it waits for the disk, and nobody else has
anything to do here. A caller that sends what is no frame is cut off; one that sends half a frame is, after FRAME_S.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

import trio

from genesis import crypto
from genesis.chain import VoteKind, vote_digest
from genesis.errors import Invalid
from node.log import logger
from node.signing import wire
from node.signing.guard import Guard, Word
from node.unix_socket import listen

CALLERS_MAX = 8
FRAME_S = 5.0
_CREDENTIALS = struct.Struct("=iII")
"""Of SO_PEERCRED: process, user, group."""

log = logger("signer")


class Holder:
    """Key and guard; answers one request after another."""

    def __init__(self, key: bytes, guard: Guard) -> None:
        """Raises Invalid "wrong_key" when the guard is another key's."""
        self._key, self._guard = key, guard
        self.signed = self.refused = 0
        if crypto.address_of(key) != guard.address:
            raise Invalid(f"{guard.path} is the memory of 0x{guard.address.hex()}, not of this key.", "wrong_key")

    def answer(self, request: tuple[Any, ...]) -> bytes:
        """One answer's frame. Raises Corrupt when the guard cannot be written: the process ends, unsigned."""
        try:
            return wire.frame(wire.OK, self._sign(request))
        except Invalid as error:
            self.refused += 1
            log.warning("refused", code=error.code, reason=str(error))
            return wire.frame(wire.REFUSED, error.code, str(error))

    def _sign(self, request: tuple[Any, ...]) -> bytes:
        if len(request) < wire.MEMBERS_MIN:
            raise Invalid("A request is a kind, a chain, and what is to be signed.", "malformed")
        kind, chain, *members = request
        if chain != self._guard.chain:
            raise Invalid(f"This signer is of chain {self._guard.chain}, not of {chain!r}.", "wrong_chain")
        match kind:
            case wire.ADDRESS:
                return self._guard.address
            case wire.VOTE:
                said, version = wire.vote_of(tuple(members))
                word = Word.of_vote(said)
                digest = vote_digest(VoteKind(said.kind), self._guard.chain, said.height, said.view, said.hash, version)
            case wire.PROPOSAL:
                header = wire.header_of(tuple(members))
                word, digest = Word.of_proposal(header), header.proposal_digest()
                if header.proposer != self._guard.address:
                    raise Invalid("The header names another proposer.", "wrong_proposer")
            case wire.PROBE:
                digest = wire.probe_digest(tuple(members))
                self._guard.sync()
                return crypto.sign(digest, self._key)
            case wire.READY:
                ready = wire.readiness_of(self._guard.chain, self._guard.address, tuple(members))
                self._guard.sync()  # whoever is ready to vote can write down what it votes
                return crypto.sign(ready.digest(), self._key)
            case _:
                raise Invalid(f"A request of kind {kind!r} is unknown here.", "malformed")
        self._guard.admit(word)
        self.signed += 1
        return crypto.sign(digest, self._key)


async def serve(holder: Holder, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """
    Answer on a socket until cancelled.

    Raises:
        Corrupt: the guard could not be written; what was asked for was not signed.
    """
    listener = listen(path)
    room = trio.Semaphore(CALLERS_MAX)
    try:
        async with listener, trio.open_nursery() as nursery:
            task_status.started()
            while True:
                nursery.start_soon(_attend, holder, await listener.accept(), room)
    finally:
        path.unlink(missing_ok=True)


async def _attend(holder: Holder, stream: trio.SocketStream, room: trio.Semaphore) -> None:
    async with stream:
        user = _user(stream)
        if user != os.getuid():
            log.warning("a caller of another user is turned away", user=user)
            return
        try:
            room.acquire_nowait()
        except trio.WouldBlock:
            log.warning("a caller is turned away", callers=CALLERS_MAX)
            return
        try:
            await _answer_all(holder, stream)
        except Invalid as error:
            log.warning("a caller does not speak this protocol", reason=str(error))
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass  # it has gone; it asks again on another connection
        finally:
            room.release()


async def _answer_all(holder: Holder, stream: trio.SocketStream) -> None:
    while True:
        await stream.wait_send_all_might_not_block()
        await trio.lowlevel.wait_readable(stream.socket)
        with trio.fail_after(FRAME_S):
            request = await wire.receive(stream)
            if request is None:
                return
            await stream.send_all(holder.answer(request))


def _user(stream: trio.SocketStream) -> int:
    data = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])
