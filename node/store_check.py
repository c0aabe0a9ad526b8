"""
Reads the whole store in the background, again and again, so that damage in what nobody asks for is met while the other
validators still have it.

Slowly, in short steps: 0.2 ms of a thread's processor time each, a row at a time of the interpreter's lock, which a
thread of lower priority would hold for longer. What LevelDB has in its cache is met once it has gone from there; its
filters are not looked at.
"""

from __future__ import annotations

import time

import trio

from node.log import logger
from node.store import Store

BYTES_A_SECOND = 8 << 20
"""The most that is read; a tenth of what a slow disk gives."""
STEP_BYTES = 256 << 10
STEP_ROWS = 256
"""Small rows cost time by their number."""
PAUSE_S = STEP_BYTES / BYTES_A_SECOND
"""Between two steps, at least."""
REST_S = 6 * 3_600.0
"""Between the end of a pass and the next one."""
NOTE_S = 60.0
"""How often it is noted how far a pass has come: the next life goes on there, for a node may never live long."""
CURSOR = "store check"

log = logger("store")


class StoreCheck:
    """checked_s: Unix time at which a pass, begun by whichever life, last ended; 0 before the first of this one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.checked_s = 0.0

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Raises Corrupt, naming the file, as whoever reads the damaged row does."""
        task_status.started()
        while True:
            await self.read_through()
            await trio.sleep(REST_S)

    async def read_through(self) -> None:
        """One pass, from where an earlier life's came to. Raises Corrupt."""
        key: bytes | None = self._store.cursor(CURSOR) or b""
        read_bytes, noted_s = 0, trio.current_time()
        while key is not None:
            key, size = await trio.to_thread.run_sync(self._store.read_behind, key, STEP_ROWS, STEP_BYTES)
            read_bytes += size
            await trio.sleep(max(PAUSE_S, size / BYTES_A_SECOND))
            if key is not None and trio.current_time() >= noted_s + NOTE_S:
                await self._note(key)
                noted_s = trio.current_time()
        await self._note(b"")
        self.checked_s = time.time()
        log.info("the store was read through, and is sound", bytes=read_bytes)

    async def _note(self, key: bytes) -> None:
        await trio.to_thread.run_sync(self._store.put_cursors, {CURSOR: key})
