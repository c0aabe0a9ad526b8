"""
A node's compiler: source to WASM in a process of its own, and what it has compiled lately.

A pure function's results: remembering them changes when work is done, never what is valid. What a validator has
compiled it does not compile again when a block records it, when the next leader proposes it, or when it leads.
"""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from hashlib import sha256

import msgpack
import trio

from genesis.errors import Invalid, Unavailable

COMPILE_SECONDS_MAX = 120
"""On the wall: beyond it the machine is busy, and nothing is known. Its processor time the compiler watches itself."""
KEPT_MAX = 64
KEPT_BYTES_MAX = 32 << 20
TURNS = 1
"""One at a time: the machine's other core belongs to trading."""

Compiled = tuple[bytes, bytes, str]
"""IR hash, WASM, ABI text."""


class Compiler:
    """turn: whoever compiles ahead of a block takes it; whoever judges a block waits for nobody's."""

    def __init__(self) -> None:
        self.turn = trio.CapacityLimiter(TURNS)
        self._kept: OrderedDict[bytes, Compiled] = OrderedDict()
        """By the SHA-256 of the request."""
        self._bytes = 0
        self._under_way: dict[bytes, trio.Event] = {}

    async def compile(self, files: dict[str, str], main: str, gas: tuple[tuple[str, int], ...]) -> Compiled:
        """
        What is being compiled already is waited for.

        Raises:
            Invalid: it does not compile, or took more processor time or memory than it may.
            Unavailable: this machine is too busy.
        """
        request = msgpack.packb((tuple(files.items()), main, gas))
        key = sha256(request).digest()
        while key in self._under_way:
            await self._under_way[key].wait()
        if key not in self._kept:
            self._under_way[key] = done = trio.Event()
            try:
                self._keep(key, await _compile(request))
            finally:
                del self._under_way[key]
                done.set()
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: bytes, made: Compiled) -> None:
        """The newest stay whatever their size."""
        self._kept[key] = made
        self._bytes += _size(made)
        while len(self._kept) > KEPT_MAX or (self._bytes > KEPT_BYTES_MAX and len(self._kept) > 1):
            _, gone = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _size(made: Compiled) -> int:
    return len(made[1]) + len(made[2])


async def _compile(request: bytes) -> Compiled:
    command = [sys.executable, "-m", "node.compile_job"]
    with trio.move_on_after(COMPILE_SECONDS_MAX):
        done = await trio.run_process(
            command, stdin=request, capture_stdout=True, capture_stderr=True, check=False, shell=False
        )
        return _answer(done)
    raise Unavailable(f"Compiling took longer than {COMPILE_SECONDS_MAX} s, for the machine is busy; try again later.")


def _answer(done: subprocess.CompletedProcess[bytes]) -> Compiled:
    if done.returncode != 0:
        raise Invalid("The compiler ran out of time or memory; make the program smaller.", "does_not_compile")
    word, first, second, abi = msgpack.unpackb(done.stdout)
    if word != "ok":
        raise Invalid(second, first)
    return first, second, abi
