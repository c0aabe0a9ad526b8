"""
What ties a node to the process that started it, where the two belong together (a devnet, a bench): a pipe that the
starter holds the other end of, and that ends with it, however it ends. The node leaves then, as when it is asked to.

An operator's node holds none, and outlives whoever started it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import trio

VARIABLE = "TENOR_LEASH"
"""In the environment of a node: the file descriptor of its end."""


class Leash:
    """Of this process and all that it starts. A child has the end named `held`, and must not have the other."""

    def __init__(self) -> None:
        self.held, self._own = os.pipe()

    def process_options(self) -> dict[str, Any]:
        """For `subprocess.Popen` and trio's, beside others."""
        return {"pass_fds": (self.held,), "env": os.environ | {VARIABLE: str(self.held)}}

    def put_on(self) -> None:
        """In a fork of this process, at its beginning."""
        os.close(self._own)
        os.environ[VARIABLE] = str(self.held)


@cache
def leash() -> Leash:
    """The one of this process, made when it is first asked for; for a fork, before that."""
    return Leash()


async def let_go() -> None:
    """Return once whoever started this process has ended; never if it is on no leash. Once in a process."""
    held = os.environ.pop(VARIABLE, None)
    if held is None:
        await trio.sleep_forever()
    await trio.lowlevel.wait_readable(int(str(held)))
