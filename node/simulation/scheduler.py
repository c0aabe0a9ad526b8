"""
The same seed, the same run: trio's scheduler draws from the seed, and time is virtual and jumps to the next event.

Trio shuffles tasks that may run at the same time. It has a switch, made for hypothesis, that orders them first; its
generator is seeded here. Recovering a signer is the dearest step of a simulation and a pure function, so within a
run each signature is recovered once, not once for every validator that reads it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

from genesis import crypto

SIGNERS_REMEMBERED_MAX = 65_536

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run to the end. Not on two threads at once: what it sets is the process's."""
    with _ordered(seed), _remembering():
        return trio.run(main, clock=MockClock(autojump_threshold=0))


@contextmanager
def _ordered(seed: int) -> Iterator[None]:
    state = trio_run._r.getstate()
    vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    trio_run._r.seed(f"scheduler {seed}")
    try:
        yield
    finally:
        vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = False
        trio_run._r.setstate(state)


@contextmanager
def _remembering() -> Iterator[None]:
    recover = crypto.recover
    vars(crypto)["recover"] = lru_cache(SIGNERS_REMEMBERED_MAX)(recover)
    try:
        yield
    finally:
        vars(crypto)["recover"] = recover
