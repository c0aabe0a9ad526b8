"""How a bench tells what it has measured: a line a figure, or one JSON object on the last line of stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def show(figures: Mapping[str, Any], as_json: bool) -> int:
    """Print; return 0, the exit code."""
    lines = (f"{name:>28} {figure}" for name, figure in figures.items())
    print(json.dumps(figures) if as_json else "\n".join(lines))
    return 0
