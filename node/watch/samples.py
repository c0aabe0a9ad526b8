"""A number with a name, as it travels from the core to whoever asked."""

from __future__ import annotations

from typing import Any

Sample = tuple[str, dict[str, str], Any]
"""Name, labels, and a number; of a histogram its buckets' counts, the last one above all bounds, and the sum."""


def sample(name: str, value: float | bool | tuple[list[int], float], **labels: str) -> Sample:
    return name, labels, value if isinstance(value, tuple) else float(value)
