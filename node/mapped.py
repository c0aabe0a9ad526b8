"""
How much of the store's tables the process holds mapped, and that it stays bounded.

LevelDB maps a table when it first reads it, and every page read since counts as resident until the table goes: with the
background check, in time, the whole store. The pages are clean and the system would take them back when it is short,
but until then they look like a leak, to a person and to whatever limits a service's memory.

Gives them back by MADV_PAGEOUT, and no other advice: LevelDB may unmap a table at any moment and something else be
mapped in its place, and this one loses nothing wherever it falls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from errno import ENOMEM
from os import strerror
from pathlib import Path

import trio

from node.log import logger
from node.store import TABLE_SUFFIX

MAPPED_BYTES_MAX = 128 << 20
GLANCE_S = 5.0
_MADV_PAGEOUT = 21
"""Of Linux 5.4 and later."""
_SELF = Path("/proc/self")
_DELETED = " (deleted)"

log = logger("mapped")


async def keep_small(folder: Path, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Give the pages of the folder's tables back whenever more than MAPPED_BYTES_MAX of files is resident."""
    task_status.started()
    try:
        while True:
            if mapped_bytes() > MAPPED_BYTES_MAX:
                await trio.to_thread.run_sync(give_back, folder)
            await trio.sleep(GLANCE_S)
    except OSError as error:
        log.warning("the store's tables stay mapped; resident memory grows with the store", error=str(error))


def mapped_bytes() -> int:
    """Resident pages of files, the program's own among them. Raises OSError where the system does not tell."""
    rows = (line.split() for line in (_SELF / "status").read_text().splitlines())
    return next((int(row[1]) << 10 for row in rows if row[0] == "RssFile:"), 0)


def give_back(folder: Path) -> None:
    """Raises OSError where the system knows no such advice."""
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _tables(folder):
        if madvise(start, end - start, _MADV_PAGEOUT) and ctypes.get_errno() != ENOMEM:  # unmapped since
            raise OSError(ctypes.get_errno(), strerror(ctypes.get_errno()))


def _tables(folder: Path) -> Iterator[tuple[int, int]]:
    """Where they are mapped, as it was a moment ago."""
    within = f"{folder.resolve()}/"
    for line in (_SELF / "maps").read_text().splitlines():
        addresses, *_, path = line.split(maxsplit=5)
        if path.startswith(within) and path.removesuffix(_DELETED).endswith(TABLE_SUFFIX):
            start, end = addresses.split("-")
            yield int(start, 16), int(end, 16)
