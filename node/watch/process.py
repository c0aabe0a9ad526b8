"""What the operating system says of this process: memory, open files, and how many of them there may be."""

from __future__ import annotations

import resource
from pathlib import Path

from node.watch.samples import Sample, sample

PAGE_BYTES = resource.getpagesize()
_SELF = Path("/proc/self")


def process_samples(process: str) -> list[Sample]:
    """process: its part, "core" or "gateway". Empty where there is no /proc."""
    try:
        resident = int((_SELF / "statm").read_text().split()[1]) * PAGE_BYTES
        files = len(list((_SELF / "fd").iterdir())) - 1  # the one that lists them
    except OSError:
        return []
    return [
        sample("tenor_resident_bytes", resident, process=process),
        sample("tenor_open_files", files, process=process),
        sample("tenor_open_files_max", resource.getrlimit(resource.RLIMIT_NOFILE)[0], process=process),
    ]


def raise_open_files() -> int:
    """Let this process open as many files as the system allows it without more rights; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
