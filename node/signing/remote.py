"""
The node's end of a signer's socket: a `Signer` whose key is in another process.

What is lost on the way is asked for again on a new connection: the same words get the same signature. A signer that is
away makes every call fail at once, but for one attempt each REST_S; so consensus goes on following without waiting.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from genesis import crypto
from genesis.chain import Header
from genesis.errors import Invalid, Unavailable
from genesis.membership import Readiness
from node.consensus.words import Rules, Said
from node.signing import wire

ANSWER_S = 2.0
"""A signer that has not answered by then is away; its disk takes a few milliseconds."""
REST_S = 0.2
BEGIN_S = 10.0
"""A node that starts waits so long for its signer, which may be starting, too."""


class RemoteSigner:
    """Made by `open_remote`."""

    def __init__(self, path: Path, chain: int, address: bytes = b"") -> None:
        self._path, self._chain, self._address = path, chain, address
        self._stream: trio.SocketStream | None = None
        self._turn = trio.Lock()
        self._rests_until = 0.0

    @property
    def address(self) -> bytes:
        return self._address

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return (self._address,)

    async def sign(self, said: Said, rules: Rules) -> bytes:
        words = (wire.VOTE, rules.chain, rules.version, int(said.kind), said.view, said.height, said.hash)
        return await self._signature(words, said.digest(rules))

    async def propose(self, header: Header) -> bytes:
        return await self._signature((wire.PROPOSAL, self._chain, header.fields()), header.proposal_digest())

    async def declare(self, ready: Readiness) -> bytes:
        if ready.key != self._address:
            raise Invalid(f"The signer at {self._path} does not hold the key of 0x{ready.key.hex()}.", "wrong_key")
        return await self._signature((wire.READY, self._chain, ready.height, ready.block_hash), ready.digest())

    async def probe(self) -> None:
        """Whether it could sign now: it does so with something that is no word. Raises Invalid or Unavailable."""
        nonce = secrets.token_bytes(crypto.HASH_BYTES)
        await self._signature((wire.PROBE, self._chain, nonce), wire.probe_digest((nonce,)))

    async def learn_address(self) -> None:
        """Ask whose key it holds. Raises Invalid "wrong_chain", or Unavailable."""
        self._address = await self._ask((wire.ADDRESS, self._chain))

    async def _signature(self, words: tuple[Any, ...], digest: bytes) -> bytes:
        signature = await self._ask(words)
        if crypto.recover(digest, signature) != self._address:
            raise Unavailable(f"The signer at {self._path} does not hold the key of 0x{self._address.hex()} any more.")
        return signature

    async def _ask(self, words: tuple[Any, ...]) -> bytes:
        """
        Raises:
            Invalid: it refused, and says why. Unavailable: it is away.
        """
        async with self._turn:
            if trio.current_time() < self._rests_until:
                raise Unavailable(f"no signer answers at {self._path}")
            fresh = self._stream is None
            try:
                try:
                    return await self._exchange(words)
                except (OSError, trio.BrokenResourceError, EOFError):
                    if fresh:
                        raise
                    return await self._exchange(words)  # it may have started anew since
            except (OSError, trio.BrokenResourceError, trio.TooSlowError, EOFError) as error:
                self._rests_until = trio.current_time() + REST_S
                raise Unavailable(f"no signer answers at {self._path} ({_said(error)})") from error

    async def _exchange(self, words: tuple[Any, ...]) -> bytes:
        good = False
        try:
            with trio.fail_after(ANSWER_S):
                if self._stream is None:
                    self._stream = await trio.open_unix_socket(str(self._path))
                await self._stream.send_all(wire.frame(*words))
                answer = await self._answer(self._stream)
            if answer is None:
                raise EOFError("it hung up")
            good = True
        finally:
            if not good:
                await self.aclose()
        match answer:
            case (wire.OK, bytes() as data):
                return data
            case (wire.REFUSED, str() as code, str() as message):
                raise Invalid(f"The signer refuses: {message}", code)
        raise Unavailable(f"what answers at {self._path} is no signer")

    async def _answer(self, stream: trio.SocketStream) -> tuple[Any, ...] | None:
        try:
            return await wire.receive(stream)
        except Invalid as error:
            raise Unavailable(f"what answers at {self._path} is no signer: {error}") from error

    async def aclose(self) -> None:
        """Hang up; the next word connects again."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


@asynccontextmanager
async def open_remote(path: Path, chain: int) -> AsyncIterator[RemoteSigner]:
    """
    The signer behind a socket, once it answers.

    Raises:
        Invalid: "wrong_chain". Unavailable: nobody answers within BEGIN_S.
    """
    signer = RemoteSigner(path, chain)
    try:
        await _wait_for(signer, path)
        yield signer
    finally:
        await signer.aclose()


async def _wait_for(signer: RemoteSigner, path: Path) -> None:
    with trio.move_on_after(BEGIN_S):
        while True:
            with suppress(Unavailable):
                await signer.learn_address()
                return
            await trio.sleep(REST_S)
    raise Unavailable(f"No signer answers at {path} within {BEGIN_S:g} s; start it with `tenor signer run FOLDER`.")
