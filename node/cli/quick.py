"""
`tenor program check` without the library that parses every other command: an editor runs it at each save, and that
library takes longer to start than the check itself.

    tenor program check FILE [--gas] [--watch] [--json]

`run` answers None for anything else (`--help` too), which then goes the ordinary way with the same functions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from genesis.errors import Invalid
from node.cli import edge

FLAGS = {"--json", "--watch", "--gas"}
POLL_SECONDS = 0.2

Wait = Callable[[], None]


def run(arguments: Sequence[str]) -> int | None:
    """Exit code of a check, None when the arguments are another command's."""
    words = [word for word in arguments if not word.startswith("-")]
    flags = set(arguments) - set(words)
    if words[:2] != ["program", "check"] or len(words) != 3 or not flags <= FLAGS:
        return None
    return edge.guarded(lambda: check(Path(words[2]), "--gas" in flags, "--watch" in flags, "--json" in flags))


def check(file: Path, gas: bool, watch: bool, json: bool) -> None:
    """Check once, or at every change until interrupted."""
    if watch:
        watching(file, gas, json)
    else:
        edge.show(checked(file, gas), json)


def checked(file: Path, gas: bool) -> dict[str, Any]:
    """
    What a check says: the files read and, when asked, the most gas that each entry can use.

    Raises:
        Invalid: the source is refused.
    """
    from execution.compiler import check_bundle
    from node.bundle import read_bundle

    files, main = read_bundle(file)
    if not gas:
        check_bundle(files, main)
        return {"checked": list(files)}
    from execution.compiler.bounds import bound_rows

    return {"checked": list(files), "gas": bound_rows(files, main)}


def watching(file: Path, gas: bool, json: bool, turns: int | None = None, wait: Wait | None = None) -> None:
    """
    Check, then again whenever a file of the bundle changes. turns: end after so many checks.

    wait: what happens between two looks at the files.
    """
    for turn in count(1):
        before = _changed(file)
        started = time.perf_counter()
        try:
            edge.show(checked(file, gas), json)
            edge.progress(f"checked in {1000 * (time.perf_counter() - started):.0f} ms; waiting for changes")
        except Invalid as error:
            edge.tell(error, json)
        sys.stdout.flush()
        if turn == turns:
            return
        while _changed(file) == before:
            if wait is None:
                time.sleep(POLL_SECONDS)
            else:
                wait()


def _changed(file: Path) -> tuple[tuple[str, int], ...]:
    """Files beside the program and when they were written last; a file that goes away is a change, too."""
    rows = []
    for path in sorted(file.parent.rglob("*.py")):
        try:
            rows.append((str(path), path.stat().st_mtime_ns))
        except OSError:
            continue
    return tuple(rows)
