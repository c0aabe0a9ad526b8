"""
The executor's own thread. Everything asked of the engine goes through here, one call at a time, in order.

The thread has a stack of its own size (deep calls between programs run on it) and is the only one that ever enters the
executor. Reads are gathered while a batch runs and then answered in one call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

import trio
from outcome import Outcome, capture

from genesis.errors import Corrupt

THREAD_STACK_BYTES = 64 << 20
READS_WAITING_MAX = 4096

T = TypeVar("T")


def engine_thread(work: Callable[[], object]) -> threading.Thread:
    """A started thread with the engine's stack."""
    before = threading.stack_size(THREAD_STACK_BYTES)
    try:
        thread = threading.Thread(target=work, name="engine", daemon=True)
        thread.start()
        return thread
    finally:
        threading.stack_size(before)


def on_engine_stack(work: Callable[[], T]) -> T:
    """Run `work` to its end on a thread with the engine's stack; its value, or its error raised."""
    results: list[Outcome[T]] = []
    engine_thread(lambda: results.append(capture(work))).join()
    return results[0].unwrap()


class EngineThread:
    """`await run(f, …)` runs f on the engine's thread and returns its value or raises its error."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = engine_thread(self._work)

    def stop(self) -> None:
        """Let the job at hand finish, then end the thread."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def statistics(self) -> dict[str, int]:
        return {"waiting": self._waiting}

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """
        Run `work(*args)` on the engine's thread, in the order of the calls.

        A job that has begun is never abandoned: cancellation waits for it, so that the engine's state is known.
        """
        if self._thread is None:
            raise Corrupt("the engine's thread is not running: call start() first")
        token = trio.lowlevel.current_trio_token()
        done = trio.Event()
        results: list[Outcome[T]] = []

        def job() -> None:
            results.append(capture(work, *args))
            token.run_sync_soon(done.set)

        self._waiting += 1
        self._jobs.put(job)
        with trio.CancelScope(shield=True):
            await done.wait()
        self._waiting -= 1
        return results[0].unwrap()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
