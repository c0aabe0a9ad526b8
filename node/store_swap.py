"""
A repaired store in place of the damaged one, which stays beside it. A crash amid it loses neither.
"""

from __future__ import annotations

import os
from pathlib import Path

STORE, PARTIAL, ASIDE = "store", "store.partial", "store.damaged"


def swap(folder: Path) -> Path:
    """Put the new store, complete and synced, where the damaged one is; where that is now."""
    number = 0
    while (aside := folder / (f"{ASIDE}-{number}" if number else ASIDE)).exists():
        number += 1
    (folder / STORE).rename(aside)
    finish(folder)
    return aside


def finish(folder: Path) -> None:
    """The second half, if a crash came before it; to be called whenever a folder is opened."""
    if (folder / PARTIAL).exists() and not (folder / STORE).exists():
        (folder / PARTIAL).rename(folder / STORE)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
