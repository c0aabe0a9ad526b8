"""
The executor's own thread. Everything asked of the engine goes through here, one call at a time, in order.

The thread has a stack of its own size (deep calls between programs run on it) and is the only one that ever enters the
executor. Reads take turns with the chain's own work: between two batches runs one read, however many wait, so a flood
of the dearest views costs a batch one of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NoReturn, TypeVar

import trio
from outcome import Outcome, capture

from genesis.errors import Corrupt, Unavailable

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
    """
    `await run(f, …)` runs f on the engine's thread and returns its value or raises its error; so does `read`, for what
    may wait.
    """

    def __init__(self) -> None:
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._jobs: deque[Callable[..., None] | None] = deque()
        self._reads: deque[Callable[..., None]] = deque()
        self._waiting = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = engine_thread(self._work)

    def stop(self) -> None:
        """Let the jobs asked for finish and turn the reads away, then end the thread."""
        self._jobs.append(None)
        self._wakes.put(None)
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
        return await self._run(self._jobs, work, args)

    async def read(self, work: Callable[..., T], *args: object) -> T:
        """
        As `run`, in turn with it: in the order of the reads, one after each job while jobs are waiting.

        Raises:
            Unavailable: READS_WAITING_MAX are waiting.
        """
        if len(self._reads) >= READS_WAITING_MAX:
            raise Unavailable("Too many reads are waiting for the engine; try again.")
        return await self._run(self._reads, work, args)

    async def _run(self, queue: Any, work: Callable[..., T], args: tuple[object, ...]) -> T:
        if self._thread is None:
            raise Corrupt("the engine's thread is not running: call start() first")
        token = trio.lowlevel.current_trio_token()
        done = trio.Event()
        results: list[Outcome[T]] = []

        def job(stopping: bool = False) -> None:
            results.append(capture(_refuse) if stopping else capture(work, *args))
            token.run_sync_soon(done.set)

        self._waiting += 1
        queue.append(job)
        self._wakes.put(None)
        with trio.CancelScope(shield=True):
            await done.wait()
        self._waiting -= 1
        return results[0].unwrap()

    def _work(self) -> None:
        """There is a wake for each job: one of the two queues is never empty then."""
        read_last = True
        while True:
            self._wakes.get()
            read_last = bool(self._reads) and (not read_last or not self._jobs)
            job = self._reads.popleft() if read_last else self._jobs.popleft()
            if job is None:
                break
            job()
        while self._reads:
            self._reads.popleft()(True)


def _refuse() -> NoReturn:
    raise Unavailable("The node is stopping; ask another, or again once it is back.")
